import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startGateway } from '../support/gateway.ts'
import { CAPABILITIES } from './cells.ts'
import { covers } from './covers.ts'
import { modernAt, openSession, type RawModern, type RawSession } from './peers/raw.ts'
import { startSetup, type Setup } from './setup.ts'

let setup: Setup
let session: RawSession
let modern: RawModern
beforeAll(async () => {
  setup = await startSetup()
  session = await openSession(setup.gateway.url)
  modern = modernAt(setup.gateway.url, CAPABILITIES.modern)
})
afterAll(async () => {
  await session.end()
  await setup.close()
})

/** The last character carries fewer bits than the one before. */
const changed = (id: string) => `${id.slice(0, -2)}${id.at(-2) === 'A' ? 'B' : 'A'}${id.at(-1)}`
const refused = { error: { code: -32602 } }

async function labour(backend: string): Promise<string> {
  const params = { name: `${backend}_labour`, arguments: { key: 'endless' }, task: {} }
  const { task } = (await session.request('tools/call', params)).result as { task: { taskId: string } }
  return task.taskId
}

async function toil(client: RawModern, tool: string): Promise<string> {
  return (await client.tool(tool)).result!['taskId'] as string
}

describe('ids of tasks that are none', () => {
  test.each(['legacy-stdio', 'legacy-http', 'legacy-sse'])('%s', covers('rule.7.foreign'), async (backend) => {
    const taskId = await labour(backend)
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      for (const id of ['labour-1-endless', '', changed(taskId), 'x'.repeat(100_000)]) {
        expect(await session.request(method, { taskId: id })).toMatchObject(refused)
      }
    }
    expect(await modern.request('tasks/get', { taskId })).toMatchObject(refused)
    const { result } = await session.request('tasks/get', { taskId })
    expect(result).toMatchObject({ taskId, status: 'working' })
  })

  test.each(['modern-stdio', 'modern-http'])('%s', covers('rule.7.foreign'), async (backend) => {
    const taskId = await toil(modern, `${backend}_toil`)
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      for (const id of ['toil-1', '', changed(taskId)]) {
        expect(await modern.request(method, { taskId: id })).toMatchObject(refused)
      }
    }
    expect(await session.request('tasks/get', { taskId })).toMatchObject(refused)
    const { result } = await modern.request('tasks/get', { taskId })
    expect(result).toMatchObject({ taskId, status: 'input_required' })
  })
})

test('replicas', covers('rule.7.routed', 'rule.7.foreign'), async () => {
  const backends = [{ name: 'only', url: setup.peers.get('modern-http')!.url }]
  const replica = (value: string) => {
    const sealing: JsonObject = { keys: [{ id: 'k', value }] }
    return startGateway({ backends, sealing })
  }
  const key = 'a key that both processes have been given'
  const gateways = [await replica(key), await replica(key), await replica('a key of somebody else, as long as that')]
  try {
    const [first, second, other] = gateways.map(({ url }) => modernAt(url, CAPABILITIES.modern))
    const taskId = await toil(first!, 'toil')
    expect((await second!.request('tasks/cancel', { taskId })).result).toBeDefined()
    expect((await first!.request('tasks/get', { taskId })).result).toMatchObject({ taskId, status: 'cancelled' })
    expect(await other!.request('tasks/get', { taskId })).toMatchObject(refused)
  } finally {
    await Promise.all(gateways.map((gateway) => gateway.close()))
  }
})
