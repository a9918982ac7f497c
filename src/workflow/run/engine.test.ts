import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import {
  beginning,
  caller,
  fakeClock,
  loop,
  plan,
  question,
  settled,
  tool,
  world,
} from '../../../test/support/workflow/engine.ts'
import { sealingWith } from '../../../test/support/workflow/sealing.ts'
import { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import { parseJson } from '../../../test/support/workflow/json.ts'
import { type AskedQuestion, EngineError, RefusedQuestion, StepError, type Turn } from './ports.ts'
import { openFileStore } from '../store/file-store.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import type { RunStore } from '../store/run-store.ts'

const YES = { action: 'accept', content: { ok: true } }
const NO = { action: 'decline' }

const asking = (turn: Turn): Turn & { kind: 'asking' } => {
  if (turn.kind !== 'asking') throw new Error(`${turn.kind} instead of asking`)
  return turn
}

const finished = (turn: Turn): string => (turn.kind === 'finished' ? turn.outcome.status : turn.kind)

/** Each question answered the same. */
const answering = (turn: Turn, answer: JsonObject = YES): Record<string, JsonObject> =>
  Object.fromEntries(asking(turn).questions.map(({ id }) => [id, answer]))

describe('a turn', () => {
  test('performs the steps with their caller, and gives the outcome and a report of each step', async () => {
    const of = plan([tool('a', [], { tool: 'git_log', arguments: () => ({ n: 1 }) }), tool('b', [0])])
    const { engine, calls, made, store } = world({ plan: of })
    const turn = engine.begin(beginning(of, caller()))
    await settled()
    expect(made[0]).toMatchObject({
      workflow: 'deploy',
      step: 'a',
      attempt: 1,
      tool: 'git_log',
      arguments: { n: 1 },
      context: 'ann with claims',
    })
    calls.get('a')?.give(1)
    await settled()
    calls.get('b')?.give({ sha: 'x' })
    expect(await turn).toMatchObject({
      kind: 'finished',
      outcome: { status: 'completed', output: { sha: 'x' } },
      reports: [
        { id: 'a', status: 'completed', ms: 0 },
        { id: 'b', status: 'completed', ms: 0 },
      ],
    })
    expect(engine.size).toBe(0)
    expect(await store.list({})).toMatchObject([{ status: 'completed', steps: [{ id: 'a' }, { id: 'b' }] }])
  })

  test('the start of a step lies in the store before it is sent', async () => {
    const of = plan([tool('a'), tool('b', [0])])
    const memory = createMemoryStore(parseJson)
    const events: string[] = []
    const tell = async (name: string, id: string) => {
      const { body } = (await memory.read(id)) ?? {}
      const steps = body?.run.body.steps.map((step) => step?.status ?? 'none').join(' ')
      events.push(`${name}: ${steps}`)
    }
    const { engine, calls, made } = world({ plan: of, store: memory })
    const turn = engine.begin(beginning(of))
    await settled()
    await tell('a was sent', made[0]?.runId ?? '')
    calls.get('a')?.give(1)
    await settled()
    await tell('b was sent', made[0]?.runId ?? '')
    calls.get('b')?.give(1)
    await turn
    expect(events).toEqual(['a was sent: running none', 'b was sent: completed running'])
  })

  test('a store that cannot be written ends it: nothing is sent, what is under way is cancelled', async () => {
    const of = plan([tool('a'), tool('slow'), tool('b', [0])])
    const memory = createMemoryStore(parseJson)
    const store: RunStore = { ...memory, update: () => Promise.reject(new Error('disk full')) }
    const { engine, calls, made } = world({ plan: of, store })
    const turn = engine.begin(beginning(of))
    await settled()
    calls.get('a')?.give(1)
    await expect(turn).rejects.toMatchObject({ kind: 'store', message: 'disk full' })
    expect(made.map(({ step }) => step)).toEqual(['a', 'slow'])
    expect(made[1]?.signal.cancelled).toBe(true)
    expect(engine.size).toBe(0)
  })

  test('progress grows with each step and each iteration, to the total at last', async () => {
    const of = plan([tool('a'), loop('all', [1, 2, 3], { after: [0], maxParallel: 1 })])
    const { engine, calls } = world({ plan: of })
    const told: unknown[] = []
    const turn = engine.begin(beginning(of, caller({ progress: (...progress) => told.push(progress) })))
    for (const step of ['a', 'all[0]', 'all[1]', 'all[2]']) {
      await settled()
      calls.get(step)?.give(1)
    }
    await turn
    expect(told).toEqual([
      [1, 2, 'a completed'],
      [1.25, 2, ''],
      [1.5, 2, ''],
      [2, 2, 'all completed'],
    ])
  })

  test.each<[string, Error, string]>([
    ['denied', new StepError('denied', 'You may not'), 'denied'],
    ['a credential', new StepError('credential', 'Sign in again'), 'credential'],
    ['anything else', new TypeError('oops'), 'error'],
  ])('a call that fails: %s', async (_, error, kind) => {
    const of = plan([tool('a')])
    const { engine, calls } = world({ plan: of })
    const turn = engine.begin(beginning(of))
    await settled()
    calls.get('a')?.fail(error)
    expect(await turn).toMatchObject({
      outcome: { status: 'failed', error: { kind, step: 'a', message: error.message } },
    })
  })
})

describe('time', () => {
  test('a call that takes too long is cancelled; what comes later is recorded and not acted on', async () => {
    const of = plan([
      tool('a', [], { timeoutMs: 1_000, onError: { action: 'continue', retries: 0, delayMs: 0 } }),
      tool('b'),
    ])
    const { engine, clock, calls, made, store } = world({ plan: of })
    const turn = engine.begin(beginning(of))
    await settled()
    const a = made[0]
    await clock.pass(999)
    expect(a?.signal.cancelled).toBe(false)
    await clock.pass(1)
    expect(a?.signal.cancelled).toBe(true)
    calls.get('b')?.give('b')
    expect(await turn).toMatchObject({
      outcome: { status: 'completed' },
      reports: [{ error: 'No result within 1000 ms' }, {}],
    })
    expect((await store.read(a?.runId ?? ''))?.body?.run.body.steps[0]).toMatchObject({
      status: 'failed',
      kind: 'timeout',
    })
  })

  test('a result that comes although nobody waits for it', async () => {
    const of = plan([tool('a', [], { timeoutMs: 1_000 })])
    const clock = fakeClock()
    const memory = createMemoryStore(parseJson)
    const { promise, resolve } = Promise.withResolvers<{ output: string }>()
    const { createEngine } = await import('./engine.ts')
    const engine = createEngine<string>({
      ...clock,
      store: memory,
      call: () => promise,
      plan: () => ({ plan: of }),
      check: () => undefined,
    })
    const turn = engine.begin(beginning(of))
    await clock.pass(1_000)
    expect(finished(await turn)).toBe('failed')
    resolve({ output: 'late' })
    await settled()
    const [run] = await memory.list({})
    const read = await memory.read(run?.id ?? '')
    expect(read?.body?.run.body.steps[0]).toMatchObject({ status: 'failed', late: { output: 'late' } })
    expect(read).toMatchObject({ status: 'failed', failure: { kind: 'timeout' } })
  })

  test('the run has a limit of its own', async () => {
    const of = plan([tool('a')], { timeoutMs: 5_000 })
    const { engine, clock, made } = world({ plan: of })
    const turn = engine.begin(beginning(of))
    await clock.pass(5_000)
    expect(finished(await turn)).toBe('timed_out')
    expect(made[0]?.signal.cancelled).toBe(true)
  })

  test('a limit of weeks is kept by timers that know days', async () => {
    const month = 31 * 24 * 3_600_000
    const of = plan([tool('a', [], { timeoutMs: 2 * month })], { timeoutMs: month })
    const { engine, clock } = world({ plan: of })
    const turn = engine.begin(beginning(of))
    await clock.pass(0)
    expect(engine.size).toBe(1)
    await engine.close()
    expect(finished(await turn)).toBe('interrupted')
  })

  test('a rate limit is waited for, as long as the time of the step allows', async () => {
    const of = plan([tool('a', [], { timeoutMs: 10_000 })])
    const { engine, clock, calls, made } = world({ plan: of })
    const turn = engine.begin(beginning(of))
    await settled()
    calls.get('a')?.fail(new StepError('limited', 'Slow down', 4_000))
    await clock.pass(3_999)
    expect(made).toHaveLength(1)
    await clock.pass(1)
    expect(made.map(({ attempt }) => attempt)).toEqual([1, 1])
    calls.get('a')?.fail(new StepError('limited', 'Slow down', 6_000))
    expect(await turn).toMatchObject({ outcome: { error: { kind: 'limited', message: 'Slow down' } } })
  })

  test('a retry waits, is made again with the same key, and a cancelled run forgets it', async () => {
    const of = plan([tool('a', [], { onError: { action: 'retry', retries: 5, delayMs: 1_000 } })])
    const { engine, clock, calls, made } = world({ plan: of })
    const signal = new Cancellation()
    const turn = engine.begin(beginning(of, caller({ signal })))
    await settled()
    calls.get('a')?.fail(new StepError('unavailable', 'down'))
    await clock.pass(1_500)
    expect(made.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(made[0]?.idempotencyKey).toBe(made[1]?.idempotencyKey)
    calls.get('a')?.fail(new StepError('unavailable', 'down'))
    await settled()
    signal.cancel(new Error('enough'))
    expect(finished(await turn)).toBe('cancelled')
    await clock.pass(60_000)
    expect(made).toHaveLength(2)
  })
})

describe('cancelling', () => {
  test('a caller who wants it no more cancels everything below', async () => {
    const of = plan([tool('a'), loop('all', [1, 2])])
    const { engine, made } = world({ plan: of })
    const signal = new Cancellation()
    const turn = engine.begin(beginning(of, caller({ signal })))
    await settled()
    signal.cancel(new Error('closed'))
    expect(finished(await turn)).toBe('cancelled')
    const why = { kind: 'withdrawn', message: 'The workflow has no use for it any more' }
    expect(made.map((call) => call.signal.reason)).toMatchObject([why, why, why])
  })

  test('before anything began: nothing is sent', async () => {
    const of = plan([tool('a')])
    const { engine, made } = world({ plan: of })
    const signal = new Cancellation()
    signal.cancel(new Error('closed'))
    expect(finished(await engine.begin(beginning(of, caller({ signal }))))).toBe('cancelled')
    expect(made).toEqual([])
  })

  test('by its owner, whoever performs it, and by nobody else', async () => {
    const of = plan([question('ok'), tool('a', [0])])
    const { engine, store } = world({ plan: of })
    const { runId } = asking(await engine.begin(beginning(of)))
    expect(await engine.cancel(runId, 'bob')).toBe(false)
    expect(await engine.cancel(runId, 'ann')).toBe(true)
    expect(await engine.cancel(runId, 'ann')).toBe(false)
    expect(await store.read(runId)).toMatchObject({ status: 'cancelled', steps: [{ status: 'cancelled' }, {}] })

    const long = plan([tool('a')])
    const one = world({ plan: long, store })
    const other = world({ plan: long, store, clock: one.clock })
    const turn = one.engine.begin(beginning(long))
    await settled()
    const id = one.made[0]?.runId ?? ''
    expect(await other.engine.cancel(id, 'ann')).toBe(true)
    one.calls.get('a')?.give(1)
    await expect(turn).rejects.toMatchObject({ kind: 'lost' })
    expect(await store.read(id)).toMatchObject({ status: 'cancelled', steps: [{ status: 'unknown' }] })
  })
})

describe('questions', () => {
  const of = plan([question('one'), tool('a'), question('two'), tool('b', [0]), tool('c', [2])])

  const asked = async (store?: RunStore) => {
    const of = plan([question('one'), question('two'), tool('b', [0]), tool('c', [1, 2])])
    const it = world({ plan: of, ...(store && { store }) })
    const turn = await it.engine.begin(beginning(of))
    return { ...it, turn: asking(turn) }
  }

  test('end the turn when all else has ended; the answers begin the next', async () => {
    const { engine, calls, store } = world({ plan: of })
    const first = engine.begin(beginning(of))
    await settled()
    calls.get('a')?.give(1)
    const turn = asking(await first)
    expect(turn.questions).toMatchObject([
      { step: 'one', mode: 'form', message: 'one?' },
      { step: 'two', mode: 'form' },
    ])
    expect(engine.size).toBe(0)
    expect(await store.read(turn.runId)).toMatchObject({ status: 'suspended', openUntil: 1_000_000 + 86_400_000 })
    expect((await store.read(turn.runId))?.lease).toBeUndefined()

    const second = engine.resume(turn.runId, 'ann', answering(turn), caller({ context: 'ann with new claims' }))
    await settled()
    expect(calls.get('b')?.context).toBe('ann with new claims')
    calls.get('b')?.give(1)
    calls.get('c')?.give('c')
    expect(await second).toMatchObject({ kind: 'finished', outcome: { status: 'completed', output: 'c' } })
  })

  test('an identical retry joins the turn while it runs, and gets what came of it afterwards', async () => {
    const { engine, calls, made, turn } = await asked()
    const again = () => engine.resume(turn.runId, 'ann', answering(turn), caller())
    const first = again()
    const joined = again()
    await settled()
    const later = again()
    expect(made.map(({ step }) => step)).toEqual(['b'])
    calls.get('b')?.give(1)
    await settled()
    calls.get('c')?.give('c')
    const outcomes = await Promise.all([first, joined, later, again()])
    for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0])
    await expect(first.then(() => again())).resolves.toEqual(outcomes[0])
    expect(finished(outcomes[0])).toBe('completed')
  })

  test('of two answers to a question the first counts, and the other is unknown', async () => {
    const { engine, calls, turn } = await asked()
    const yes = engine.resume(turn.runId, 'ann', answering(turn), caller())
    const no = engine.resume(turn.runId, 'ann', answering(turn, NO), caller())
    expect(await no).toEqual({ kind: 'unknown' })
    await settled()
    calls.get('b')?.give(1)
    await settled()
    calls.get('c')?.give(1)
    expect(finished(await yes)).toBe('completed')
    expect(await engine.resume(turn.runId, 'ann', answering(turn, NO), caller())).toEqual({ kind: 'unknown' })
  })

  test('in two processes as well: one compare-and-set', async () => {
    for (let round = 0; round < 20; round++) {
      const store = createMemoryStore(parseJson)
      const one = await asked(store)
      const other = world({ plan: plan([question('one'), question('two'), tool('b', [0]), tool('c', [1, 2])]), store })
      const turns = [one, other].map(({ engine }, by) =>
        engine.resume(one.turn.runId, 'ann', answering(one.turn, by === round % 2 ? YES : NO), caller()),
      )
      await settled()
      const made = [...one.made, ...other.made]
      for (const step of ['b', 'c']) {
        one.calls.get(step)?.give(1)
        other.calls.get(step)?.give(1)
        await settled()
      }
      const kinds = (await Promise.all(turns)).map(finished).toSorted()
      expect(kinds[1]).toBe('unknown')
      expect(kinds[0]).toMatch(/completed|failed/)
      expect(made.length).toBeLessThanOrEqual(1)
    }
  })

  test('one that came second to another that did not count is not refused for that', async () => {
    const of = plan([question('ok')])
    const { store, engine } = world({ plan: of })
    const { promise: written, resolve: write } = Promise.withResolvers<void>()
    const slowly: RunStore = { ...store, update: async (...given) => written.then(() => store.update(...given)) }
    const slow = world({ plan: of, store: slowly })
    const turn = asking(await engine.begin(beginning(of)))
    const no = slow.engine.resume(turn.runId, 'ann', answering(turn, NO), caller())
    await settled()
    const yes = slow.engine.resume(turn.runId, 'ann', answering(turn), caller())
    const won = await engine.resume(turn.runId, 'ann', answering(turn), caller())
    write()
    expect(finished(won)).toBe('completed')
    expect(await yes).toEqual(won)
    expect(await no).toEqual({ kind: 'unknown' })
  })

  test('those of the same answer in two processes get the same outcome', async () => {
    const store = createMemoryStore(parseJson)
    const one = await asked(store)
    const other = world({
      plan: plan([question('one'), question('two'), tool('b', [0]), tool('c', [1, 2])]),
      store,
      clock: one.clock,
    })
    const turns = [one, other].map(({ engine }) => engine.resume(one.turn.runId, 'ann', answering(one.turn), caller()))
    for (const step of ['b', 'c']) {
      await settled()
      one.calls.get(step)?.give(1)
      other.calls.get(step)?.give(1)
    }
    await settled()
    await one.clock.pass(1_000)
    const [first, second] = await Promise.all(turns)
    expect(second).toEqual(first)
    expect(one.made.length + other.made.length).toBe(2)
  })

  test('answers in parts: the rest is asked again, and what was answered is not', async () => {
    const { engine, calls, turn } = await asked()
    const [one, two] = turn.questions
    const part = engine.resume(turn.runId, 'ann', { [one?.id ?? '']: YES }, caller())
    await settled()
    calls.get('b')?.give(1)
    const next = asking(await part)
    expect(next.questions.map(({ id }) => id)).toEqual([two?.id])
    expect(next.revision).toBeGreaterThan(turn.revision)
    expect(await engine.resume(turn.runId, 'ann', { [one?.id ?? '']: YES }, caller())).toEqual(next)
    expect(await engine.resume(turn.runId, 'ann', { [one?.id ?? '']: NO }, caller())).toEqual({ kind: 'unknown' })
    expect(await engine.resume(turn.runId, 'ann', {}, caller())).toEqual(next)
  })

  test('another owner, another run, an answer to nothing: unknown', async () => {
    const { engine, turn, store } = await asked()
    const before = await store.read(turn.runId)
    const unknown = { kind: 'unknown' }
    expect(await engine.resume(turn.runId, 'bob', answering(turn), caller())).toEqual(unknown)
    expect(await engine.resume('none', 'ann', answering(turn), caller())).toEqual(unknown)
    expect(await engine.resume('\u0000__proto__', 'ann', answering(turn), caller())).toEqual(unknown)
    for (const id of ['0@9', '__proto__', 'constructor']) {
      const answers = JSON.parse(`{${JSON.stringify(id)}: {"action": "accept"}}`) as Record<string, JsonObject>
      expect(await engine.resume(turn.runId, 'ann', answers, caller())).toEqual(unknown)
    }
    expect(await engine.look(turn.runId, 'bob')).toBeUndefined()
    expect(await store.read(turn.runId)).toEqual(before)
  })

  test('an answer that does not fit changes nothing', async () => {
    const of = plan([question('one')])
    const check = (_: AskedQuestion, answer: JsonObject) => (answer['content'] ? undefined : 'needs a content')
    const { engine, store } = world({ plan: of, check })
    const turn = asking(await engine.begin(beginning(of)))
    const before = await store.read(turn.runId)
    for (const answer of [{ action: 'accept' }, { action: 'perhaps' }, {}]) {
      const refused = engine.resume(turn.runId, 'ann', answering(turn, answer), caller())
      await expect(refused).rejects.toMatchObject({ kind: 'invalid' })
    }
    expect(await store.read(turn.runId)).toEqual(before)
    expect(finished(await engine.resume(turn.runId, 'ann', answering(turn), caller()))).toBe('completed')
  })

  test('nobody to ask: the declining path, or an error that says so', async () => {
    const of = plan([question('one', [], { onDecline: 'continue' }), question('two', [0])])
    const { engine } = world({ plan: of })
    const turn = await engine.begin(beginning(of, caller({ takes: () => false })))
    expect(turn).toMatchObject({
      outcome: { error: { message: 'The client cannot be asked this question', kind: 'unanswered', step: 'two' } },
      reports: [{ status: 'completed' }, { status: 'failed' }],
    })
  })

  test('too late: the run goes on as if it had been cancelled, with whoever came', async () => {
    const of = plan([question('one', [], { onCancel: 'continue' }), tool('a', [0])])
    const { engine, clock, calls } = world({ plan: of, settings: { upkeepMs: 1e12 } })
    const turn = asking(await engine.begin(beginning(of)))
    await clock.pass(86_400_000)
    const late = engine.resume(turn.runId, 'ann', answering(turn), caller())
    await settled()
    calls.get('a')?.give('went on')
    expect(await late).toMatchObject({ outcome: { output: 'went on' } })
  })

  test('each within the time that its author gives it, and no other', async () => {
    const own = { ownTimeout: true, onCancel: 'continue' } as const
    const of = plan([
      question('brief', [], { ...own, timeoutMs: 60_000 }),
      question('other'),
      question('long', [], { ...own, timeoutMs: 200_000_000 }),
    ])
    const { engine, clock, store } = world({ plan: of })
    const turn = asking(await engine.begin(beginning(of)))
    expect(await store.list({})).toMatchObject([{ openUntil: 1_060_000 }])
    await clock.pass(3_600_000)
    // Who comes too late for the one is still heard on the others.
    const rest = asking(await engine.resume(turn.runId, 'ann', { [turn.questions[0]?.id ?? '']: YES }, caller()))
    expect(rest.questions.map(({ step }) => step)).toEqual(['other', 'long'])
    const half = await engine.resume(turn.runId, 'ann', { [rest.questions[0]?.id ?? '']: YES }, caller())
    expect(asking(half).questions).toMatchObject([{ step: 'long' }])
    await clock.pass(100_000_000)
    expect(await engine.resume(turn.runId, 'ann', answering(half), caller())).toMatchObject({
      outcome: { status: 'completed', output: YES },
    })
    const steps = (await store.read(turn.runId))?.body?.run.body.steps
    expect(steps).toMatchObject([{ output: { action: 'cancel' } }, { output: YES }, { output: YES }])
  })

  test('an answer that comes late to a run that goes on beside its question', async () => {
    const more = { ownTimeout: true, timeoutMs: 60_000 }
    const of = plan([question('brief', [], more), tool('a')])
    const { engine, clock, calls } = world({ plan: of })
    const turn = engine.begin(beginning(of))
    await settled()
    calls
      .get('a')
      ?.ask({ method: 'elicitation/create' })
      .catch(() => {})
    const { runId, questions } = asking(await turn)
    expect(questions).toHaveLength(2)
    await clock.pass(60_000)
    const late = engine.resume(runId, 'ann', { [questions[0]?.id ?? '']: YES }, caller())
    expect(await late).toMatchObject({ outcome: { status: 'failed', error: { message: 'Nobody answered in time' } } })
  })

  test('never: it ends as interrupted', async () => {
    const { engine, clock, turn, store } = await asked()
    await clock.pass(86_400_000 + 400_000)
    expect(await store.read(turn.runId)).toMatchObject({ status: 'interrupted', failure: { kind: 'unanswered' } })
    expect(await engine.resume(turn.runId, 'ann', answering(turn), caller())).toEqual({ kind: 'unknown' })
  })
})

describe('callers who answer at once', () => {
  const of = plan([question('one', [], { onCancel: 'continue' }), question('two'), tool('a', [0, 1])])

  test('are asked all that is open together, while the run keeps its lease', async () => {
    const { engine, calls, store } = world({ plan: of })
    const open = new Map<string, (answer: JsonObject) => void>()
    const ask = (asked: AskedQuestion) => new Promise<JsonObject>((resolve) => open.set(asked.step, resolve))
    const turn = engine.begin(beginning(of, caller({ ask })))
    await settled()
    expect([...open.keys()]).toEqual(['one', 'two'])
    expect(await store.list({})).toMatchObject([{ status: 'suspended', lease: {}, openUntil: 1_300_000 }])
    open.get('two')?.(YES)
    await settled()
    open.get('one')?.(YES)
    await settled()
    calls.get('a')?.give('done')
    expect(await turn).toMatchObject({ outcome: { output: 'done' } })
  })

  test('a question that takes too long is withdrawn', async () => {
    const { engine, clock, calls } = world({ plan: of })
    const signals = new Map<string, Cancellation>()
    const ask = (asked: AskedQuestion, signal: Cancellation) => {
      signals.set(asked.step, signal)
      return asked.step === 'two' ? Promise.resolve(YES) : new Promise<JsonObject>(() => {})
    }
    const turn = engine.begin(beginning(of, caller({ ask })))
    await clock.pass(300_000)
    expect(signals.get('one')?.cancelled).toBe(true)
    calls.get('a')?.give('done')
    expect(await turn).toMatchObject({ outcome: { output: 'done' } })
  })

  test.each([
    ['sooner than others', 1_000],
    ['later than others', 1_000_000],
  ])('a question has the time that its author gives it: %s', async (_, timeoutMs) => {
    const of = plan([question('one', [], { ownTimeout: true, timeoutMs })])
    const { engine, clock } = world({ plan: of })
    const { promise, resolve: answer } = Promise.withResolvers<JsonObject>()
    const turn = engine.begin(beginning(of, caller({ ask: () => promise })))
    await clock.pass(timeoutMs - 1)
    expect(engine.size).toBe(1)
    await clock.pass(1)
    answer(YES)
    expect(await turn).toMatchObject({ outcome: { error: { message: 'Nobody answered in time', kind: 'unanswered' } } })
  })

  test('a client that answers with an error cannot be asked, and says why', async () => {
    const of = plan([question('one', [], { onDecline: 'continue' }), question('two', [0])])
    const { engine } = world({ plan: of })
    const ask = () => Promise.reject(new RefusedQuestion('no window is open'))
    expect(await engine.begin(beginning(of, caller({ ask })))).toMatchObject({
      outcome: {
        status: 'failed',
        error: {
          message: 'The client cannot be asked this question: no window is open',
          kind: 'unanswered',
          step: 'two',
        },
      },
      reports: [{ status: 'completed' }, { status: 'failed' }],
    })
  })

  test('an answer that does not fit its form takes the cancelling path, and says why', async () => {
    const of = plan([question('one', [], { onDecline: 'continue' })])
    const { engine } = world({ plan: of, check: () => 'does not fit its form: ok must be boolean' })
    const turn = await engine.begin(beginning(of, caller({ ask: () => Promise.resolve(YES) })))
    const message = 'The answer to "one" does not fit its form: ok must be boolean'
    expect(turn).toMatchObject({ outcome: { status: 'failed', error: { message, kind: 'unanswered' } } })
  })

  test('a caller who is gone: interrupted; one who gives nonsense has cancelled the question', async () => {
    const { engine } = world({ plan: of })
    const gone = await engine.begin(beginning(of, caller({ ask: () => Promise.reject(new Error('disconnected')) })))
    expect(gone).toMatchObject({
      outcome: { status: 'interrupted', error: { message: 'Its caller is gone: disconnected' } },
    })
    const nonsense = await engine.begin(beginning(of, caller({ ask: () => Promise.resolve({ action: 7 }) })))
    expect(nonsense).toMatchObject({ outcome: { status: 'failed', error: { kind: 'unanswered', step: 'two' } } })
  })

  test('a run that ends withdraws what it asks', async () => {
    const { engine } = world({ plan: of })
    const signal = new Cancellation()
    const asked: Cancellation[] = []
    const ask = (_: AskedQuestion, asking: Cancellation) => {
      asked.push(asking)
      return new Promise<JsonObject>((_, reject) => asking.onCancel(reject))
    }
    const turn = engine.begin(beginning(of, caller({ ask, signal })))
    await settled()
    signal.cancel(new Error('closed'))
    expect(finished(await turn)).toBe('cancelled')
    expect(asked.map(({ cancelled }) => cancelled)).toEqual([true, true])
  })
})

describe('questions of backends', () => {
  const of = plan([tool('a', [], { timeoutMs: 60_000 }), tool('b'), tool('c', [0])])
  const FORM = { method: 'elicitation/create', params: { message: 'Sure?' } }

  test('a caller who comes back is asked when the rest has ended; no time runs; the same process goes on', async () => {
    const store = createMemoryStore(parseJson)
    const { engine, clock, calls } = world({ plan: of, store })
    const other = world({ plan: of, store, clock })
    const first = engine.begin(beginning(of))
    await settled()
    const answer = calls.get('a')?.ask(FORM)
    await clock.pass(50_000)
    calls.get('b')?.give(1)
    const turn = asking(await first)
    expect(turn.questions).toMatchObject([{ step: 'a', mode: 'backend', question: FORM }])
    expect(await engine.look(turn.runId, 'ann')).toMatchObject({ ...turn, open: turn.questions.map(({ id }) => id) })
    await clock.pass(200_000)
    expect(engine.size).toBe(1)
    expect(await other.engine.resume(turn.runId, 'ann', answering(turn), caller())).toEqual({ kind: 'unknown' })
    const second = engine.resume(turn.runId, 'ann', answering(turn), caller())
    const again = engine.resume(turn.runId, 'ann', answering(turn), caller())
    expect(await answer).toEqual(YES)
    await clock.pass(59_000)
    calls.get('a')?.give(1)
    await settled()
    calls.get('c')?.give('done')
    expect(await second).toMatchObject({ outcome: { output: 'done' } })
    expect(await again).toEqual(await second)
  })

  test('a caller who answers at once is asked at once', async () => {
    const { engine, calls } = world({ plan: of })
    const ask = (asked: AskedQuestion) => Promise.resolve({ echo: asked.mode })
    const turn = engine.begin(beginning(of, caller({ ask })))
    await settled()
    expect(await calls.get('a')?.ask(FORM)).toEqual({ echo: 'backend' })
    for (const step of ['a', 'b', 'c']) {
      calls.get(step)?.give(1)
      await settled()
    }
    expect(finished(await turn)).toBe('completed')
  })

  test('nobody answers: the call learns of it, and the run that has no caller ends when it would go on', async () => {
    const { engine, clock, calls, store } = world({ plan: of })
    const first = engine.begin(beginning(of))
    await settled()
    calls.get('b')?.give(1)
    const answer = calls
      .get('a')
      ?.ask(FORM)
      .catch((error: Error) => error.message)
    const turn = asking(await first)
    await clock.pass(300_000)
    expect(await answer).toBe('Nobody answered in time')
    calls.get('a')?.give(1)
    await settled()
    expect(engine.size).toBe(0)
    expect(await store.read(turn.runId)).toMatchObject({
      status: 'interrupted',
      steps: [{ status: 'completed' }, {}, {}],
    })
  })

  test('the backend wants it no more, or the call ends: the question is no more', async () => {
    const { engine, calls } = world({ plan: plan([tool('a')]) })
    const turn = engine.begin(beginning(plan([tool('a')])))
    await settled()
    const withdrawn = new Cancellation()
    const one = calls.get('a')?.ask(FORM, withdrawn)
    withdrawn.cancel(new Error('never mind'))
    await expect(one).rejects.toThrow('never mind')
    const two = calls.get('a')?.ask(FORM)
    calls.get('a')?.give('went on')
    expect(await turn).toMatchObject({ outcome: { output: 'went on' } })
    await expect(two).rejects.toThrow('The call has ended')
  })
})

describe('room', () => {
  test('too many at once are refused, for all and for one owner; an end makes room', async () => {
    const of = plan([tool('a')])
    const { engine, calls } = world({ plan: of, settings: { maxRunning: 3, maxRunningPerOwner: 2 } })
    const begin = (owner: string) => engine.begin({ ...beginning(of), owner })
    const first = begin('ann')
    await settled()
    const a = calls.get('a')
    void begin('ann')
    await expect(begin('ann')).rejects.toMatchObject({ kind: 'busy' })
    void begin('bob')
    await expect(begin('cid')).rejects.toThrow('too many workflow runs at once')
    a?.give(1)
    await first
    void begin('ann')
    await settled()
    expect(engine.size).toBe(3)
  })

  test('so are those that wait', async () => {
    const of = plan([question('ok')])
    const { engine } = world({ plan: of, settings: { maxOpen: 3, maxOpenPerOwner: 2 } })
    const begin = (owner: string) => engine.begin({ ...beginning(of), owner })
    const turn = asking(await begin('ann'))
    await begin('ann')
    await expect(begin('ann')).rejects.toBeInstanceOf(EngineError)
    await begin('bob')
    await expect(begin('cid')).rejects.toMatchObject({ kind: 'busy' })
    expect(engine.size).toBe(0)
    await engine.resume(turn.runId, 'ann', answering(turn), caller())
    expect(asking(await begin('ann')).questions).toHaveLength(1)
  })
})

describe('results that one run keeps', () => {
  const KB = 'x'.repeat(1_000)
  const settings = { resultBytes: 4_500 }
  const error = {
    kind: 'error',
    message: 'With the result of this call the run would keep results of more than 4500 bytes',
  }

  test('of a loop: the call that gives more than fits fails', async () => {
    const of = plan([loop('all', [1, 2, 3, 4, 5, 6], { maxParallel: 1 })])
    const { engine, calls, made } = world({ plan: of, settings })
    const turn = engine.begin(beginning(of))
    for (let index = 0; index < 5; index++) {
      await settled()
      calls.get(`all[${index}]`)?.give(index % 2 ? { data: KB } : KB)
    }
    const message = `iteration 4: ${error.message}`
    expect(await turn).toMatchObject({ outcome: { status: 'failed', error: { ...error, message, step: 'all' } } })
    expect(made).toHaveLength(5)
  })

  test('contents count, and so does what failed calls say', async () => {
    const goOn = { onError: { action: 'continue', retries: 0, delayMs: 0 } } as const
    const of = plan([tool('a'), tool('b', [0], goOn), tool('c', [1], goOn), tool('d', [2])])
    const { engine, calls } = world({ plan: of, settings })
    const turn = engine.begin(beginning(of))
    await settled()
    calls.get('a')?.give(KB, { text: KB })
    await settled()
    calls.get('b')?.fail(new StepError('error', KB.repeat(2)))
    await settled()
    calls.get('c')?.fail(new StepError('denied', KB))
    await settled()
    calls.get('d')?.give({ ok: true })
    const { message } = error
    expect(await turn).toMatchObject({ outcome: { output: { ok: true } }, reports: [{}, {}, { error: message }, {}] })
  })

  test('what it kept before it was taken over counts; what a new attempt lets go of does not', async () => {
    const retry = { action: 'retry', retries: 1, delayMs: 1 } as const
    const nested = { kind: 'workflow', arguments: () => ({}), timeoutMs: 1e6, onError: retry } as const
    const of = plan([
      tool('a'),
      question('ok', [0]),
      { ...nested, id: 'in', after: [1], plan: plan([tool('b', [], { repeatable: true }), tool('c', [0])]) },
      tool('d', [2]),
    ])
    const store = createMemoryStore(parseJson)
    const before = world({ plan: of, store, settings })
    const first = before.engine.begin(beginning(of))
    await settled()
    before.calls.get('a')?.give(KB)
    const asked = asking(await first)
    const { engine, calls, clock } = world({ plan: of, store, settings })
    const turn = engine.resume(asked.runId, 'ann', answering(asked), caller())
    for (const end of ['fail', 'give'] as const) {
      await settled()
      calls.get('in.b')?.give(KB.repeat(2))
      await settled()
      if (end === 'fail') calls.get('in.c')?.fail(new StepError('error', 'no'))
      else calls.get('in.c')?.give('c')
      await clock.pass(10)
    }
    calls.get('d')?.give(KB.repeat(2))
    expect(await turn).toMatchObject({ outcome: { status: 'failed', error: { ...error, step: 'd' } } })
  })
})

describe('a reload', () => {
  test('what remains is checked again; a mismatch names what has ended', async () => {
    const of = plan([tool('a'), tool('b', [0])])
    let faults: string[] = []
    const seen: (readonly string[])[] = []
    const { engine, calls, made } = world({
      plan: (ended) => {
        seen.push(ended)
        return faults.length > 0 ? { faults } : { plan: plan([tool('a'), tool('b', [0], { tool: 'renamed' })]) }
      },
    })
    const turn = engine.begin(beginning(of))
    await settled()
    calls.get('a')?.give(1)
    await settled()
    engine.replan()
    faults = ['there is no tool "b"']
    engine.replan()
    expect(await turn).toMatchObject({
      outcome: {
        status: 'failed',
        error: { message: expect.stringMatching(/no tool "b".*Ended before: a\./s) as string },
      },
    })
    // The second time without what is under way.
    expect(seen).toEqual([['a'], ['a'], ['a', 'b']])
    expect(made[1]?.signal.cancelled).toBe(true)
  })

  test('a call that is under way ends where it is, whatever has become of its tool', async () => {
    const of = plan([tool('a'), tool('b', [0])])
    const { engine, calls, made } = world({
      plan: (ended) => (ended.includes('a') ? { plan: of } : { faults: ['there is no tool "a"'] }),
    })
    const turn = engine.begin(beginning(of))
    await settled()
    engine.replan()
    expect(made[0]?.signal.cancelled).toBe(false)
    calls.get('a')?.give(1)
    await settled()
    calls.get('b')?.give(2)
    expect(await turn).toMatchObject({ outcome: { status: 'completed', output: 2 } })
  })

  test('while it waited for its user', async () => {
    const of = plan([tool('a'), question('ok', [0]), tool('b', [1])])
    let next: { plan: typeof of } | { faults: string[] } = { plan: of }
    const it = world({ plan: () => next })
    const begin = async () => {
      const turn = it.engine.begin(beginning(of))
      await settled()
      it.calls.get('a')?.give(1)
      return asking(await turn)
    }
    const [one, other] = [await begin(), await begin()]
    next = { faults: ['there is no tool "b"'] }
    const failed = await it.engine.resume(one.runId, 'ann', answering(one), caller())
    expect(failed).toMatchObject({
      outcome: { status: 'failed' },
      reports: [{ status: 'completed' }, { status: 'cancelled' }, { status: 'cancelled' }],
    })
    next = { plan: plan([tool('b'), question('ok', [0]), tool('a', [1])]) }
    expect(await it.engine.resume(other.runId, 'ann', answering(other), caller())).toMatchObject({
      outcome: { error: { message: expect.stringContaining('another order') as string } },
    })
  })
})

describe('processes that are no more', () => {
  const dead = async (steps: Parameters<typeof plan>[0], returns: boolean) => {
    const of = plan(steps)
    const store = createMemoryStore(parseJson)
    const clock = fakeClock()
    const one = world({ plan: of, store, clock: { ...clock, setTimer: () => () => {} } })
    one.engine.begin(beginning(of, caller({ returns }))).catch(() => {})
    await settled()
    const other = world({ plan: of, store, clock, settings: { upkeepMs: 1e12 } })
    return { one, other, clock, store, id: one.made[0]?.runId ?? '' }
  }

  test('a run whose caller is gone ends as interrupted, what was under way as unknown', async () => {
    const { other, clock, store, id } = await dead([tool('a'), tool('b', [0])], false)
    await clock.pass(30_001)
    await other.engine.recover()
    expect(await store.read(id)).toMatchObject({ status: 'running' })
    await clock.pass(300_000)
    await other.engine.recover()
    expect(await store.read(id)).toMatchObject({
      status: 'interrupted',
      steps: [{ status: 'unknown' }, { status: 'cancelled' }],
    })
  })

  test('a task goes on when its owner asks, where another may not', async () => {
    const { one, other, clock, store, id } = await dead([tool('a', [], { repeatable: true }), tool('b', [0])], true)
    expect(await other.engine.look(id, 'ann')).toMatchObject({ kind: 'running', runId: id, isDue: false })
    await clock.pass(400_000)
    await other.engine.recover()
    expect(await other.engine.look(id, 'ann')).toMatchObject({ kind: 'running', runId: id, isDue: true })
    expect(await other.engine.resume(id, 'bob', {}, caller({ returns: true }))).toEqual({ kind: 'unknown' })
    const turn = other.engine.resume(id, 'ann', {}, caller({ returns: true }))
    await settled()
    expect(other.made).toMatchObject([{ step: 'a', attempt: 2, idempotencyKey: one.made[0]?.idempotencyKey }])
    // It was not dead after all, and learns that it has lost the run.
    one.calls.get('a')?.give('too late')
    await settled()
    expect(one.engine.size).toBe(0)
    other.calls.get('a')?.give(1)
    await settled()
    other.calls.get('b')?.give('b')
    expect(await turn).toMatchObject({ outcome: { output: 'b' } })
    expect(await store.read(id)).toMatchObject({ status: 'completed' })
    expect(await other.engine.resume(id, 'ann', {}, caller())).toEqual(await turn)
  })

  test('a task whose owner never asks ends at last', async () => {
    const { other, clock, store, id } = await dead([tool('a')], true)
    await clock.pass(86_400_000 + 60_000)
    await other.engine.recover()
    expect(await store.read(id)).toMatchObject({ status: 'interrupted' })
  })

  test('leases are kept while the process lives', async () => {
    const of = plan([tool('a', [], { timeoutMs: 3_600_000 })])
    const one = world({ plan: of })
    const turn = one.engine.begin(beginning(of))
    await one.clock.pass(1_000_000)
    const other = world({ plan: of, store: one.store, clock: one.clock })
    await other.engine.recover()
    one.calls.get('a')?.give(1)
    expect(finished(await turn)).toBe('completed')
  })

  test('one that stops in order leaves tasks, ends the rest, and begins nothing', async () => {
    const of = plan([tool('a', [], { repeatable: true })])
    const one = world({ plan: of })
    const task = one.engine.begin(beginning(of, caller({ returns: true }))).catch((error: EngineError) => error.kind)
    const call = one.engine.begin(beginning(of))
    await settled()
    const id = one.made[0]?.runId ?? ''
    await one.engine.close()
    expect(await task).toBe('stopping')
    expect(finished(await call)).toBe('interrupted')
    await expect(one.engine.begin(beginning(of))).rejects.toMatchObject({ kind: 'stopping' })
    expect(one.made.map(({ signal }) => signal.cancelled)).toEqual([true, true])
    const other = world({ plan: of, store: one.store, clock: one.clock })
    const turn = other.engine.resume(id, 'ann', {}, caller({ returns: true }))
    await settled()
    other.calls.get('a')?.give('again')
    expect(await turn).toMatchObject({ outcome: { output: 'again' } })
  })

  test('a run that nobody can read any more ends, and says so to whoever asks for it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcp-run-'))
    const open = (key: number) =>
      openFileStore({ folder, sealing: sealingWith(Buffer.alloc(32, key)), parse: parseJson })
    const of = plan([question('ok')])
    const before = await open(1)
    const one = world({ plan: of, store: before })
    const turn = asking(await one.engine.begin(beginning(of)))
    await before.close()
    const store = await open(2)
    const { engine, clock } = world({ plan: of, store })
    const resumed = engine.resume(turn.runId, 'ann', answering(turn), caller())
    await expect(resumed).rejects.toMatchObject({
      kind: 'store',
      message: expect.stringMatching(/another key/) as string,
    })
    await clock.pass(86_400_000 + 400_000)
    await engine.recover()
    expect(await store.list({})).toMatchObject([{ status: 'interrupted', steps: [] }])
    await store.close()
    rmSync(folder, { recursive: true })
  })

  test('values are erased a day after the end, the run itself a week after', async () => {
    const of = plan([question('ok')])
    const { engine, clock, store } = world({ plan: of })
    const turn = asking(await engine.begin(beginning(of)))
    await engine.resume(turn.runId, 'ann', answering(turn), caller())
    await clock.pass(23 * 3_600_000)
    expect((await store.read(turn.runId))?.body).toBeDefined()
    await clock.pass(2 * 3_600_000)
    expect(await store.read(turn.runId)).toMatchObject({ steps: [{ id: 'ok', status: 'completed' }] })
    expect((await store.read(turn.runId))?.body).toBeUndefined()
    expect(await engine.resume(turn.runId, 'ann', answering(turn), caller())).toEqual({ kind: 'unknown' })
    await clock.pass(7 * 86_400_000)
    expect(await store.read(turn.runId)).toBeUndefined()
  })
})
