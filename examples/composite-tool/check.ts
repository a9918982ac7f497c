// Tests the workflow with invented answers, then calls it as one tool with its real servers. Exits with 1 when anything is amiss.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Client, type Progress, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

import { serveExample } from '../../test/support/served-example.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const FILE = here('vmcp.yaml')
const STEPS = ['find', 'read', 'remember']

const vmcp = (...args: string[]): string => {
  const ran = spawnSync(process.execPath, [here('../../dist/cli/main.js'), ...args], { encoding: 'utf8' })
  assert.equal(ran.status, 0, ran.stdout + ran.stderr)
  return ran.stdout
}
assert.match(vmcp('workflow', 'test', FILE), /3 passed, 0 failed/)
const drawn = vmcp('workflow', 'graph', FILE)
for (const step of STEPS) assert(drawn.includes(`"${step}<br/>`), drawn)

const place = mkdtempSync(join(tmpdir(), 'vmcp-composite-tool-'))
process.env['MEMORY_FILE'] = join(place, 'notes.jsonl')
try {
  assert.match(vmcp('workflow', 'check', FILE), /^valid: remember_notes/)
  const served = await serveExample(FILE, { backends: 2 })
  try {
    for (const mode of ['auto', 'legacy'] as const) {
      const client = new Client({ name: mode, version: '1' }, { versionNegotiation: { mode } })
      await client.connect(new StreamableHTTPClientTransport(new URL(served.url)))
      const tool = (await client.listTools()).tools.find(({ name }) => name === 'remember_notes')
      assert.deepEqual(tool?.outputSchema?.['required'], ['found', 'remembered'])
      const told: (string | undefined)[] = []
      const onprogress = ({ message }: Progress): void => void told.push(message)
      const all = await client.callTool({ name: 'remember_notes', arguments: {} }, { onprogress })
      assert.deepEqual(all.structuredContent, { found: 3, remembered: 2 }, JSON.stringify(all))
      for (const step of STEPS) assert(told.includes(`${step} completed`), `${step} is not in ${told.join(', ')}`)
      const none = await client.callTool({ name: 'remember_notes', arguments: { pattern: '*.doc' } })
      assert.deepEqual(none.structuredContent, { found: 0, remembered: 0 })
      const graph = await client.callTool({ name: 'memory_read_graph', arguments: {} })
      const { entities } = graph.structuredContent as { entities: unknown }
      assert.deepEqual(entities, [
        { name: 'bread.md', entityType: 'note', observations: ['Bread'] },
        { name: 'garden.md', entityType: 'note', observations: ['Garden'] },
      ])
      await client.close()
    }
    assert.equal(await served.stop(), 0, 'the exit code')
  } finally {
    served.kill()
  }
  console.log('composite-tool: three steps, one tool; 3 notes found, 2 remembered')
} finally {
  rmSync(place, { recursive: true })
}
