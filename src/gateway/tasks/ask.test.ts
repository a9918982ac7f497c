import { expect, test } from 'vitest'
import { type Call, type Context, GATEWAY_CALLER, type Outcome } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { backendId } from '../../model/ids.ts'
import { profileOf, TASKS_EXTENSION } from '../../protocol/capabilities.ts'
import { Sealer } from '../../protocol/sealed.ts'
import { askAboutTask } from './ask.ts'
import { TaskIds } from './task-ids.ts'

const sealer = new Sealer()
const ids = new TaskIds(() => sealer)
const { principal } = GATEWAY_CALLER
const REVISION = '2026-07-28'

const context = (capabilities: object): Context => ({
  ...GATEWAY_CALLER,
  revision: REVISION,
  profile: profileOf({ ...capabilities }, REVISION),
  signal: new Cancellation(),
  deadline: undefined,
  streaming: false,
  emit: undefined,
  ask: undefined,
  header: undefined,
})
const KNOWS = context({ extensions: { [TASKS_EXTENSION]: {} } })

const asked: string[] = []
const runs = {
  ask: (_: Call, run: string): Promise<Outcome> => {
    asked.push(run)
    return Promise.resolve({ kind: 'result', value: {}, era: 'modern' })
  },
}
const get = (id: string, by: Context) =>
  askAboutTask(
    { kind: 'task', verb: 'get', id, params: { taskId: id } },
    by,
    { backends: new Map(), ids, links: { remember: () => {} } as never },
    runs,
  )

test('a run is asked about as a run, and by those who know tasks', async () => {
  const id = ids.shownRun('run-1', principal)
  expect(await get(id, KNOWS)).toMatchObject({ kind: 'result' })
  expect(asked).toEqual(['run-1'])
  await expect(get(id, context({}))).rejects.toThrow('Missing required client capability')
  expect(asked).toEqual(['run-1'])
})

test('an id that was made up, and the task of a backend that is gone, are unknown alike', async () => {
  const gone = ids.shown({ backend: backendId('gone'), id: 't' }, principal) ?? ''
  for (const id of ['made-up', '', gone]) await expect(get(id, KNOWS)).rejects.toThrow('Task not found')
})
