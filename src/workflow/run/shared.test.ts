import { expect, test } from 'vitest'

import {
  beginning,
  caller,
  fakeClock,
  plan,
  question,
  settled,
  tool,
  world,
} from '../../../test/support/workflow/engine.ts'
import { parseJson } from '../../../test/support/workflow/json.ts'
import type { JsonObject } from '../../model/json.ts'
import type { EngineError, Turn } from './ports.ts'
import { createMemoryStore } from '../store/memory-store.ts'

const YES = { action: 'accept' }
const TASK = caller({ returns: true })

function answersTo(turn: Turn, ...steps: string[]): Record<string, JsonObject> {
  if (turn.kind !== 'asking') throw new Error(`${turn.kind} instead of asking`)
  const asked = turn.questions.filter(({ step }) => steps.includes(step))
  return Object.fromEntries(asked.map(({ id }) => [id, YES]))
}

/** Two processes with one store and one clock. */
function two(of: ReturnType<typeof plan>) {
  const store = createMemoryStore(parseJson)
  const clock = fakeClock()
  return { store, clock, one: world({ plan: of, store, clock }), other: world({ plan: of, store, clock }) }
}

test('an answer is taken once it is written, however long the run goes on', async () => {
  const of = plan([question('ok'), question('sure'), tool('a', [0]), tool('b', [0, 1])])
  const { store, one, other } = two(of)
  const turn = await one.engine.begin(beginning(of, TASK))
  const { runId } = turn as Turn & { kind: 'asking' }
  const first = answersTo(turn, 'ok')
  expect(await one.engine.answer(runId, 'ann', first, TASK)).toBe(true)
  expect(await store.read(runId)).toMatchObject({
    status: 'running',
    body: { answered: { [Object.keys(first)[0]!]: expect.any(String) as string } },
  })
  // It goes on in the first process, which takes more; another one has to wait until it rests.
  const second = answersTo(turn, 'sure')
  expect(await other.engine.answer(runId, 'ann', second, TASK)).toBe(false)
  expect(await one.engine.answer(runId, 'ann', second, TASK)).toBe(true)
  expect((await store.read(runId))?.body?.answered).toHaveProperty([Object.keys(second)[0]!])
  expect(await one.engine.answer(runId, 'bob', second, TASK)).toBe(false)
  // Written, wherever it goes on.
  expect(await other.engine.answer(runId, 'ann', second, TASK)).toBe(true)
  await expect(one.engine.answer('none', 'ann', second, TASK)).resolves.toBe(false)
})

test('an answer that cannot be written, or does not fit, is not taken', async () => {
  const of = plan([question('ok'), tool('a', [0])])
  const store = createMemoryStore(parseJson)
  let isFull = false
  const update: typeof store.update = (...given) =>
    isFull ? Promise.reject(new Error('disk full')) : store.update(...given)
  const check = (_: unknown, answer: JsonObject) => (answer['content'] ? undefined : 'needs a content')
  const { engine } = world({ plan: of, store: { ...store, update }, check })
  const turn = await engine.begin(beginning(of, TASK))
  const { runId, questions } = turn as Turn & { kind: 'asking' }
  await expect(engine.answer(runId, 'ann', answersTo(turn, 'ok'), TASK)).rejects.toMatchObject({ kind: 'invalid' })
  isFull = true
  const answers = { [questions[0]!.id]: { ...YES, content: {} } }
  await expect(engine.answer(runId, 'ann', answers, TASK)).rejects.toMatchObject({
    kind: 'store',
    message: 'disk full',
  })
})

test('steps are called in the context of the latest request', async () => {
  const of = plan([tool('a'), tool('b', [0]), tool('c', [1])])
  const { engine, calls, made } = world({ plan: of })
  void engine.begin({ ...beginning(of, TASK), id: 'r' })
  await settled()
  engine.refresh('r', 'ann', (before) => `${before}, and newer ones`)
  calls.get('a')?.give(1)
  await settled()
  engine.refresh('r', 'bob', () => 'bob')
  engine.refresh('none', 'ann', () => 'nobody')
  calls.get('b')?.give(1)
  await settled()
  expect(made.map(({ context }) => context)).toEqual([
    'ann with claims',
    'ann with claims, and newer ones',
    'ann with claims, and newer ones',
  ])
})

test('who listens hears of what the owner of a run would see, once it is written', async () => {
  const of = plan([tool('a'), tool('b', [0]), question('ok', [1]), tool('c', [2])])
  const { engine, calls, store } = world({ plan: of })
  const heard: Promise<string | undefined>[] = []
  const stop = engine.onChange((id) => heard.push(store.read(id).then((stored) => stored?.status)))
  const first = engine.begin(beginning(of, TASK))
  await settled()
  for (const step of ['a', 'b']) {
    calls.get(step)?.give(1)
    await settled()
  }
  const turn = await first
  const { runId } = turn as Turn & { kind: 'asking' }
  expect(await Promise.all(heard)).toEqual(['suspended'])
  await engine.answer(runId, 'ann', answersTo(turn, 'ok'), TASK)
  await engine.cancel(runId, 'ann')
  expect(await Promise.all(heard)).toEqual(['suspended', 'running', 'cancelled'])
  stop()
  await engine.begin(beginning(plan([]), TASK))
  expect(heard).toHaveLength(3)
})

test('who listens hears of a run that is cancelled where nobody performs it', async () => {
  const of = plan([question('ok')])
  const { one, other } = two(of)
  const heard: string[] = []
  other.engine.onChange((id) => heard.push(id))
  const turn = await one.engine.begin(beginning(of, TASK))
  const { runId } = turn as Turn & { kind: 'asking' }
  expect(await other.engine.cancel(runId, 'ann')).toBe(true)
  expect(heard).toEqual([runId])
})

test('what others have ended ends here soon, and what goes on here does not', async () => {
  const of = plan([tool('a'), tool('b', [0])])
  const { clock, one, other } = two(of)
  const ended = one.engine.begin({ ...beginning(of, TASK), id: 'ended' }).catch((error: EngineError) => error.kind)
  void one.engine.begin({ ...beginning(of, TASK), id: 'goes-on' })
  await settled()
  const calls = Object.fromEntries(one.made.map((call) => [call.runId, call]))
  expect(await other.engine.cancel('ended', 'ann')).toBe(true)
  expect(calls['ended']?.signal.cancelled).toBe(false)
  await clock.pass(2_000)
  expect(calls['ended']?.signal.cancelled).toBe(true)
  expect(await ended).toBe('lost')
  await clock.pass(120_000)
  expect(calls['goes-on']?.signal.cancelled).toBe(false)
  expect(one.engine.size).toBe(1)
})

test('a run that is being written while its lease is asked for is not given up', async () => {
  const of = plan([tool('a'), question('ok', [0])])
  const store = createMemoryStore(parseJson)
  const renewed = Promise.withResolvers<void>()
  const slow = {
    ...store,
    renew: async (holder: string, until: number) => {
      const held = await store.renew(holder, until)
      await renewed.promise
      // As if it had been asked before it was written: nothing is held.
      return held.slice(held.length)
    },
  }
  const { engine, clock, calls } = world({ plan: of, store: slow })
  const turn = engine.begin(beginning(of, TASK))
  await clock.pass(2_000)
  calls.get('a')?.give(1)
  await settled()
  renewed.resolve()
  expect(await turn).toMatchObject({ kind: 'asking' })
})
