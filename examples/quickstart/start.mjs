// `npm start`: starts one MCP server that speaks streamable HTTP, as if it were running elsewhere, then the gateway.
import { spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const script = join(root, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js')

const port = await new Promise((resolve, reject) => {
  const probe = createServer()
  probe.once('error', reject)
  probe.listen(0, '127.0.0.1', () => {
    const { port } = probe.address()
    probe.close(() => resolve(port))
  })
})

const remote = spawn(process.execPath, [script, 'streamableHttp'], {
  env: { ...process.env, PORT: String(port) },
  stdio: 'ignore',
  detached: process.platform !== 'win32',
})
remote.unref()
process.on('exit', () => {
  try {
    if (process.platform === 'win32' || remote.pid === undefined) remote.kill()
    else process.kill(-remote.pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
})

// A server elsewhere would be up already; this one needs a moment, in which the gateway's modules load.
// The endpoint is promised within a second of the start: a slower server joins later.
const loading = import('../../dist/cli/run.js').catch(() => undefined)
while (performance.now() < 600 && !(await answers(port))) {
  await new Promise((resolve) => setTimeout(resolve, 25))
}
await loading

process.env.QUICKSTART_HTTP_PORT = String(port)
process.argv.splice(2, 0, 'serve', join(root, 'examples/quickstart/mcp.json'))
await import('../../dist/cli/main.js')

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
