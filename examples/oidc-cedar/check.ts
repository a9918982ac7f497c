// Serves the example before a real issuer and asks as three people. Exits with 1 when anything is amiss.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

import { startProvider } from '../../test/support/oidc/provider.ts'
import { descendants, isAlive, waitFor } from '../../test/support/processes.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const MAIN = here('../../dist/cli/main.js')
const RESOURCE = 'https://mcp.example/mcp'

const tested = spawnSync(process.execPath, [MAIN, 'policy', 'test', here('vmcp.yaml')], { encoding: 'utf8' })
assert.equal(tested.status, 0, tested.stdout + tested.stderr)

const provider = await startProvider()
provider.resources.set(RESOURCE, { format: 'jwt', alg: 'ES256', scope: 'mcp' })
// The issuer of this check speaks plain http on loopback, which must be allowed in words.
const local = `issuer: ${provider.issuer}\n    insecureAllowHttp: true\n    jwksAllowPrivateIp: true`
// Beside the original: its commands run there, and find the packages of the checkout.
const file = here(`.check-${process.pid}.yaml`)
writeFileSync(file, readFileSync(here('vmcp.yaml'), 'utf8').replace('issuer: https://id.example', local))
const child = spawn(process.execPath, [MAIN, 'serve', file, '--port', '0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
let output = ''
child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))

async function as(user: string): Promise<Client> {
  const token = await provider.userToken(RESOURCE, user, 'mcp')
  const client = new Client({ name: user, version: '1' }, { versionNegotiation: { mode: 'auto' } })
  const authProvider = { token: async () => token }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }))
  return client
}

let url = ''
try {
  url = await waitFor(() => /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(output)?.[0], 10_000, 'an endpoint')
  await waitFor(() => output.match(/^ {2}ready/gm)?.length === 2, 60_000, '2 ready backends')
  const stranger = await fetch(url, { method: 'POST' })
  assert.equal(stranger.status, 401)
  assert.match(stranger.headers.get('www-authenticate') ?? '', /resource_metadata="https:\/\/mcp\.example\//)
  const lists: Record<string, string[]> = {}
  for (const user of ['alice', 'bob', 'eve']) {
    const client = await as(user)
    lists[user] = (await client.listTools()).tools.map(({ name }) => name).sort()
    const read = await client.callTool({ name: 'memory_read_graph', arguments: {} })
    assert(!read.isError, JSON.stringify(read.content))
    if (user === 'bob') {
      const sum = (a: number) => client.callTool({ name: 'everything_get-sum', arguments: { a, b: 2 } })
      assert(!(await sum(1)).isError)
      await assert.rejects(sum(100), /denied by authorization policy/)
    }
    await client.close()
  }
  assert(
    lists['alice']!.length > 5 && lists['alice']!.every((name) => name.startsWith('memory_')),
    String(lists['alice']),
  )
  assert.deepEqual(lists['bob'], ['everything_get-sum', 'memory_read_graph'])
  assert.deepEqual(lists['eve'], ['memory_read_graph'])
  child.kill('SIGINT')
  assert.equal(await exited, 0, 'the exit code')
  console.log('oidc-cedar: alice, bob and eve see and do what the policies say')
} catch (error) {
  console.error(output)
  console.error(error)
  process.exitCode = 1
} finally {
  const below = descendants(child.pid!)
  child.kill('SIGKILL')
  for (const pid of below) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  await provider.close()
  rmSync(file)
}
