import { expect, onTestFinished, test } from 'vitest'
import { type Call, type Context, GATEWAY_CALLER } from '../../../model/call.ts'
import { Cancellation } from '../../../model/cancellation.ts'
import { isObject, type JsonObject } from '../../../model/json.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../../../model/settings.ts'
import { profileOf, TASKS_EXTENSION } from '../../../protocol/capabilities.ts'
import { parseJson } from '../../../protocol/json.ts'
import { Sealer } from '../../../protocol/sealed.ts'
import { compile } from '../../../workflow/compile/compile.ts'
import { createMemoryStore } from '../../../workflow/store/memory-store.ts'
import type { RunStore } from '../../../workflow/store/run-store.ts'
import { TaskIds } from '../task-ids.ts'
import { Telemetry } from '../../../telemetry/events.ts'
import { callerOf } from '../../workflows/caller.ts'
import { RunTasks } from './run-tasks.ts'
import { Runs } from '../../workflows/runs.ts'

const capabilities = { elicitation: {}, extensions: { [TASKS_EXTENSION]: {} } }
const profile = profileOf(capabilities, '2026-07-28')
const YES = { action: 'accept', content: { yes: true } }
const UNKNOWN = 'Failed to retrieve task: Task not found'

const contextOf = (): Context => ({
  ...GATEWAY_CALLER,
  profile,
  signal: new Cancellation(),
  deadline: undefined,
  streaming: false,
  emit: undefined,
  ask: undefined,
  header: undefined,
})

const schema = { type: 'object', properties: { yes: { type: 'boolean' } } }
const question = (id: string) => ({ id, type: 'elicitation' as const, message: id, schema })
const DEFINITION = {
  name: 'flow',
  steps: [question('one'), question('two'), { id: 'a', tool: 't', dependsOn: ['one'] }],
}

/** Two processes with one store, and a tool that ends when it is told to. */
function processes() {
  const { plan } = compile(DEFINITION, {
    tool: () => ({ shown: 't', inputSchema: { type: 'object' }, annotations: {}, backend: undefined }) as never,
    tools: () => ['t'],
    workflow: () => undefined,
    workflows: () => [],
    limits: DEFAULT_WORKFLOW_LIMITS,
  })
  if (!plan) throw new Error('no plan')
  const store = createMemoryStore(parseJson)
  const ended = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  let allowed = true
  const sealer = new Sealer()
  const ids = new TaskIds(() => sealer)
  const one = () => {
    const runs = new Runs({
      shownName: (workflow) => workflow,
      telemetry: new Telemetry(),
      store: { ...store, close: async () => {} },
      settings: () => ({ questionMs: 60_000, askMs: 60_000, valuesMs: 60_000, historyMs: 60_000 }),
      core: {
        invoke: async () => {
          started.resolve()
          await ended.promise
          return { kind: 'result', value: { content: [] }, era: 'legacy' }
        },
      } as never,
      plan: () => ({ plan }),
    })
    onTestFinished(() => runs.close())
    return { runs, tasks: new RunTasks({ runs, ids, mayUse: () => allowed }) }
  }
  const begin = async ({ runs }: ReturnType<typeof one>): Promise<string> => {
    const caller = callerOf({}, contextOf(), true)
    const turn = await runs.begin({ plan, definition: DEFINITION, params: {}, caller })
    if (turn.kind !== 'asking') throw new Error(`it does not ask: ${turn.kind}`)
    return turn.runId
  }
  const ask = async ({ tasks }: ReturnType<typeof one>, verb: 'get' | 'update' | 'cancel', run: string, more = {}) => {
    const id = ids.shownRun(run, GATEWAY_CALLER.principal)
    const call: Call & { kind: 'task' } = { kind: 'task', verb, id, params: { taskId: id, ...more } }
    const outcome = await tasks.ask(call, run, contextOf())
    return outcome.kind === 'result' ? outcome.value : {}
  }
  const forbid = () => (allowed = false)
  return { store, one, begin, ask, started: started.promise, finish: ended.resolve, forbid }
}

const keyOf = ({ inputRequests }: JsonObject, message: string): string => {
  const found = Object.entries(inputRequests as JsonObject).find(
    ([, request]) => isObject(request) && (request['params'] as JsonObject)['message'] === message,
  )
  return found?.[0] ?? ''
}

const eraseAll = (store: RunStore) => store.erase({ valuesBefore: Infinity, runsBefore: 0, keep: 100 })

test('an answer to a run that goes on elsewhere waits until it rests', async () => {
  const { one, begin, ask, started, finish } = processes()
  const [here, there] = [one(), one()]
  const run = await begin(here)
  const asking = await ask(there, 'get', run)
  expect(asking).toMatchObject({ resultType: 'complete', status: 'input_required', ttlMs: null })
  await ask(here, 'update', run, { inputResponses: { [keyOf(asking, 'one')]: YES } })
  await started
  expect(await ask(there, 'get', run)).toMatchObject({ status: 'working' })
  const answered = ask(there, 'update', run, { inputResponses: { [keyOf(asking, 'two')]: YES } })
  finish()
  expect(await answered).toEqual({ resultType: 'complete' })
  expect(await ask(there, 'get', run)).toMatchObject({ status: 'completed', ttlMs: expect.any(Number) })
})

test('a run whose values are erased, of another, forbidden or made up: one answer', async () => {
  const { store, one, begin, ask, forbid } = processes()
  const here = one()
  const run = await begin(here)
  await expect(ask(here, 'get', 'made-up')).rejects.toThrow(UNKNOWN)
  expect(await ask(here, 'cancel', run)).toEqual({ resultType: 'complete' })
  expect(await ask(here, 'get', run)).toMatchObject({ status: 'cancelled' })
  await eraseAll(store)
  for (const verb of ['get', 'update', 'cancel'] as const) {
    await expect(ask(here, verb, run, { inputResponses: {} })).rejects.toThrow(UNKNOWN)
  }
  const other = await begin(here)
  forbid()
  for (const verb of ['get', 'update'] as const) {
    await expect(ask(here, verb, other, { inputResponses: {} })).rejects.toThrow(UNKNOWN)
  }
})
