import { readdirSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'

import { ANONYMOUS } from '../../../src/model/principal.ts'
import { startGateway } from '../../support/gateway.ts'
import { openSession } from '../../matrix/peers/raw.ts'
import { folder } from './world.ts'

const steps = [{ id: 'ask', type: 'elicitation', message: 'Go?' }]
const CONFIG = {
  backends: [],
  compositeTools: [
    { name: 'one', steps },
    { name: 'two', steps },
  ],
}

test('the admin door lists the runs of whoever asks, by workflow, status and time', async () => {
  const gateway = await startGateway(CONFIG)
  try {
    const session = await openSession(gateway.url, '2025-11-25', {})
    for (const name of ['one', 'two', 'one']) {
      await session.request('tools/call', { name, arguments: {} })
    }
    const history = async (query = '') => {
      const answer = await fetch(gateway.url.replace('/mcp', `/workflows/runs${query}`))
      return {
        status: answer.status,
        ...((await answer.json()) as { runs?: Record<string, unknown>[]; error?: unknown }),
      }
    }
    const all = await history()
    expect(all.runs?.map(({ workflow }) => workflow)).toEqual(['one', 'two', 'one'])
    expect(all.runs?.[0]).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/u),
      status: 'failed',
      createdAt: expect.stringMatching(/Z$/u),
      steps: [{ id: 'ask', status: 'failed' }],
      failure: { kind: 'unanswered', step: 'ask' },
    })
    expect((await history('?workflow=two')).runs).toHaveLength(1)
    expect((await history('?status=completed')).runs).toEqual([])
    expect((await history('?status=completed,failed&limit=2')).runs).toHaveLength(2)
    expect((await history(`?after=${new Date(Date.now() + 60_000).toISOString()}`)).runs).toEqual([])
    for (const wrong of ['?status=done', '?limit=0', '?after=yesterday', '?flow=one']) {
      expect(await history(wrong)).toMatchObject({
        status: 400,
        error: { message: expect.stringContaining('Bad Request') },
      })
    }
  } finally {
    await gateway.close()
  }
})

test('where callers have names nobody sees the runs of another, or any without a token', async () => {
  const gateway = await startGateway({ ...CONFIG, incomingAuth: { type: 'local' } })
  try {
    const answer = await fetch(gateway.url.replace('/mcp', '/workflows/runs'))
    expect(answer.status).toBe(401)
  } finally {
    await gateway.close()
  }
})

test('a gateway without runs keeps no file, and looks for none', async () => {
  const path = folder()
  const gateway = await startGateway(
    { ...CONFIG, workflowStorage: { provider: 'file', path } },
    { stateFolder: folder() },
  )
  onTestFinished(() => gateway.close())
  const answer = await fetch(gateway.url.replace('/mcp', '/workflows/runs'))
  expect(await answer.json()).toEqual({ runs: [] })
  expect(readdirSync(path)).toEqual([])
})

test('after a reload runs are kept for as long as it says, and stay where they are, which is told', async () => {
  const [first, second, third, stateFolder] = [folder(), folder(), folder(), folder()]
  const at = (path: string, keepValues: string) => ({
    ...CONFIG,
    workflowStorage: { provider: 'file', path, keepValues },
  })
  const gateway = await startGateway(at(first, '1h'), { stateFolder })
  onTestFinished(() => gateway.close())
  const stays = () => gateway.events.filter(({ name }) => name === 'workflow-store.stays').map(({ data }) => data)
  // Nothing lies anywhere yet.
  await gateway.reload(at(second, '1h'))
  expect(stays()).toEqual([])
  const session = await openSession(gateway.url, '2025-11-25', {})
  const keptFor = async (): Promise<number> => {
    const { runs } = gateway.gateway
    await session.request('tools/call', { name: 'one', arguments: {} })
    const [newest] = await runs.list({}, ANONYMOUS)
    const { erasedAt = 0 } = (await runs.look(newest?.id ?? '', ANONYMOUS)) ?? {}
    return erasedAt - (newest?.endedAt ?? 0)
  }
  expect(await keptFor()).toBe(3_600_000)
  await gateway.reload(at(third, '2h'))
  expect(stays()).toEqual([{ place: second, wanted: third }])
  expect(await keptFor()).toBe(2 * 3_600_000)
  expect(await gateway.gateway.runs.list({}, ANONYMOUS)).toHaveLength(2)
  expect([first, second, third].map((path) => readdirSync(path).includes('runs.db'))).toEqual([false, true, false])
})
