// Starts the quickstart, calls one tool of each backend, ends it with Ctrl-C's signal. Exits with 1 when anything is amiss.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

import { descendants, isAlive, waitFor } from '../../test/support/processes.ts'

const CALLS: Record<string, Record<string, unknown>> = {
  everything_echo: { message: 'hello' },
  filesystem_list_allowed_directories: {},
  memory_search_nodes: { query: 'nothing of this name' },
  thinking_sequentialthinking: { thought: 'hm', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
  remote_echo: { message: 'hello' },
}

const started = performance.now()
const child = spawn(process.execPath, [fileURLToPath(new URL('start.mjs', import.meta.url)), '--port', '0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
let output = ''
let endpointAfter = 0
let below: number[] = []
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  output += text
  if (endpointAfter === 0 && output.includes('/mcp')) endpointAfter = Math.round(performance.now() - started)
})
const exited = new Promise<number | string | null>((resolve) => {
  child.on('exit', (code, signal) => resolve(code ?? signal))
})

try {
  const url = await waitFor(() => /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(output)?.[0], 10_000, 'an endpoint')
  const count = Object.keys(CALLS).length
  await waitFor(() => output.match(/^ {2}ready/gm)?.length === count, 60_000, `${count} ready backends`)

  const client = new Client({ name: 'quickstart-check', version: '1' }, { versionNegotiation: { mode: 'auto' } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  const { tools } = await client.listTools()
  for (const [name, args] of Object.entries(CALLS)) {
    assert(
      tools.some((tool) => tool.name === name),
      `${name} is not listed`,
    )
    const result = await client.callTool({ name, arguments: args })
    assert(!result.isError, `${name} failed: ${JSON.stringify(result.content)}`)
  }
  assert((await client.listPrompts()).prompts.length > 0, 'no prompts')
  assert((await client.listResources()).resources.length > 0, 'no resources')
  await client.close()

  below = descendants(child.pid!)
  child.kill('SIGINT')
  assert.equal(await exited, 0, 'the exit code')
  // What was killed last needs a moment to be gone.
  await waitFor(() => !below.some(isAlive), 1_000, 'the end of every process that was started')
  console.log(`endpoint after ${endpointAfter} ms; ${count} backends, ${tools.length} tools; nothing left`)
} catch (error) {
  console.error(output)
  console.error(error)
  process.exitCode = 1
} finally {
  below.push(...descendants(child.pid!))
  child.kill('SIGKILL')
  for (const pid of below) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
}
