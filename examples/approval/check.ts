// Tests the workflow with invented users, then asks real clients, one of them across a restart. Exits with 1 when anything
// is amiss.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

import { serveExample } from '../../test/support/served-example.ts'

type Answer = { action: 'accept'; content: { reason: string } } | { action: 'decline' }
const ADA = { name: 'Ada', entityType: 'person', observations: ['likes tea'] }
const AGREED: Answer = { action: 'accept', content: { reason: 'private' } }

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const FILE = here('vmcp.yaml')

const tested = spawnSync(process.execPath, [here('../../dist/cli/main.js'), 'workflow', 'test', FILE], {
  encoding: 'utf8',
})
assert.match(tested.stdout, /4 passed, 0 failed/, tested.stdout + tested.stderr)

const place = mkdtempSync(join(tmpdir(), 'vmcp-approval-'))
const runs = join(place, 'runs')
Object.assign(process.env, {
  MEMORY_FILE: join(place, 'team.jsonl'),
  // Here lies the key with which runs are encrypted.
  XDG_STATE_HOME: join(place, 'state'),
})
// Beside the original, whose cases and packages are there.
const file = here(`.check-${process.pid}.yaml`)
writeFileSync(file, readFileSync(FILE, 'utf8').replace('path: ./runs', `path: ${JSON.stringify(runs)}`))
process.on('exit', () => {
  rmSync(place, { recursive: true })
  rmSync(file)
})
let served = await serveExample(file, { backends: 1 })

/** Asks to forget Ada. `answer`: what the user does; absent: the client cannot ask. */
async function forget(mode: 'auto' | 'legacy', answer?: (message: string) => Promise<Answer>) {
  const client = new Client({ name: mode, version: '1' }, { versionNegotiation: { mode } })
  if (answer) {
    client.registerCapabilities({ elicitation: { form: {} } })
    client.setRequestHandler('elicitation/create', ({ params }) => answer(params.message))
  }
  await client.connect(new StreamableHTTPClientTransport(new URL(served.url)))
  const names = (await client.listTools()).tools.map(({ name }) => name)
  assert.deepEqual(names.toSorted(), ['create_entities', 'forget', 'read_graph'])
  await client.callTool({ name: 'create_entities', arguments: { entities: [ADA] } })
  const result = await client.callTool({ name: 'forget', arguments: { names: ['Ada'] } })
  const graph = await client.callTool({ name: 'read_graph', arguments: {} })
  await client.close()
  const { entities } = graph.structuredContent as { entities: { name: string; observations: string[] }[] }
  return { result, known: entities.map(({ name }) => name), entities }
}

try {
  for (const mode of ['auto', 'legacy'] as const) {
    const unable = await forget(mode)
    assert.deepEqual(unable.result.structuredContent, { forgotten: false })
    assert(unable.known.includes('Ada'))

    const declined = await forget(mode, async () => ({ action: 'decline' }))
    assert.deepEqual(declined.result.structuredContent, { forgotten: false })
    assert(declined.known.includes('Ada'))

    let asked = ''
    const agreed = await forget(mode, async (message) => {
      asked = message
      return AGREED
    })
    assert.match(asked, /^Forget this for good\?\n\s*- Ada \(person\): likes tea/)
    assert.deepEqual(agreed.result.structuredContent, { forgotten: true })
    assert(!agreed.known.includes('Ada'))
    assert.deepEqual(agreed.entities.at(-1)?.observations, ['Ada: private'])
  }

  const restarted = await forget('auto', async () => {
    assert(readdirSync(runs).length > 0, 'the run lies in the store')
    served.kill()
    served = await serveExample(file, { backends: 1, port: Number(new URL(served.url).port) })
    return AGREED
  })
  assert.deepEqual(restarted.result.structuredContent, { forgotten: true })
  assert(!restarted.known.includes('Ada'))

  assert.equal(await served.stop(), 0, 'the exit code')
  console.log('approval: nothing is forgotten unless the user agrees, before or after a restart')
} finally {
  served.kill()
}
