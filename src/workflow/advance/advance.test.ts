import { describe, expect, test } from 'vitest'

import type { JsonValue } from '../../model/json.ts'
import {
  EvaluationError,
  type Plan,
  type PlannedLoop,
  type PlannedNested,
  type PlannedQuestion,
  type PlannedStep,
  type PlannedTool,
  type Scope,
} from '../plan.ts'
import { type Answer, type CallFailure, createRun, type RunState, stepReports } from '../run-state.ts'
import { advance } from './advance.ts'
import type { CallCommand, Command, Event } from './event.ts'

const ABORT = { action: 'abort', retries: 0, delayMs: 0 } as const
const CONTINUE = { action: 'continue', retries: 0, delayMs: 0 } as const
const retry = (retries: number) => ({ action: 'retry', retries, delayMs: 1_000 }) as const

const tool = (id: string, after: number[] = [], more: Partial<PlannedTool> = {}): PlannedTool => ({
  kind: 'tool',
  id,
  after,
  tool: id,
  timeoutMs: 300_000,
  onError: ABORT,
  repeatable: false,
  arguments: () => ({}),
  ...more,
})

const question = (id: string, after: number[] = [], more: Partial<PlannedQuestion> = {}): PlannedQuestion => ({
  kind: 'question',
  id,
  after,
  timeoutMs: 300_000,
  onError: ABORT,
  onDecline: 'abort',
  onCancel: 'abort',
  ask: () => ({ mode: 'form', message: `${id}?`, schema: {} }),
  ...more,
})

const loop = (id: string, items: JsonValue[], more: Partial<PlannedLoop> = {}): PlannedLoop => ({
  kind: 'forEach',
  id,
  after: [],
  timeoutMs: 1_800_000,
  onError: ABORT,
  collection: () => items,
  itemVar: 'file',
  maxParallel: 2,
  maxIterations: 100,
  step: tool('each', [], { arguments: ({ forEach = {} }) => ({ file: forEach['file'], index: forEach['index'] }) }),
  ...more,
})

const nested = (id: string, inner: Plan, more: Partial<PlannedNested> = {}): PlannedNested => ({
  kind: 'workflow',
  id,
  after: [],
  timeoutMs: 1_800_000,
  onError: ABORT,
  plan: inner,
  arguments: () => ({ from: 'outside' }),
  ...more,
})

const plan = (steps: PlannedStep[], more: Partial<Plan> = {}): Plan => ({
  name: 'deploy',
  steps,
  timeoutMs: 1_800_000,
  failureMode: 'abort',
  maxParallel: 10,
  ...more,
})

/** A run that is told, in words, what happens. */
function start(of: Plan, at = 1_000) {
  let run: RunState = createRun(of, { id: 'run-1', params: { x: 1 }, at })
  const calls = new Map<string, CallCommand>()
  const feed = (event: Event) => {
    const before = run
    const { run: next, commands } = advance(of, run, event)
    run = next
    for (const command of commands) if (command.type === 'call') calls.set(command.step, command)
    return [...commands.map(said), ...standing(before, run)]
  }
  const attemptOf = (step: string) => {
    const call = calls.get(step)
    if (!call) throw new Error(`${step} was not called`)
    return { path: call.path, attempt: call.attempt }
  }
  return {
    first: feed({ type: 'start', at }),
    feed,
    calls,
    run: () => run,
    done: (step: string, output: JsonValue = `${step} done`, now = at) =>
      feed({ type: 'ended', at: now, ...attemptOf(step), result: { output } }),
    fails: (step: string, kind: CallFailure['kind'] = 'error', now = at) =>
      feed({ type: 'ended', at: now, ...attemptOf(step), failure: { message: `${step} broke`, kind } }),
    parks: (type: 'parked' | 'resumed', step: string, now = at) => feed({ type, at: now, ...attemptOf(step) }),
    answers: (replies: Record<string, Answer>, now = at) =>
      feed({
        type: 'answered',
        at: now,
        answers: Object.entries(replies).map(([step, action]) => ({
          question: run.questions.find((open) => open.step === step)?.id ?? step,
          action,
          ...(action === 'accept' && { content: { yes: true } }),
        })),
      }),
    wakes: (now: number) => feed({ type: 'woken', at: now }),
    reports: () => stepReports(of, run).map(({ id, status }) => `${id} ${status}`),
    output: (place: number) => run.body.steps[place]?.output,
  }
}

function said(command: Command): string {
  switch (command.type) {
    case 'call':
      return `call ${command.step}`
    case 'cancel':
      return `cancel ${command.question ?? command.path.join('.')}`
    case 'wake':
      return `wake ${command.at}`
  }
}

/** What a run that has changed is about from now on, unless it goes on. */
function standing(before: RunState, { status, questions, outcome }: RunState): string[] {
  if (outcome) return before.outcome ? [] : [`finish ${outcome.status}`]
  if (status !== 'suspended' || before.questions === questions) return []
  expect(questions.every(({ askedAt }) => askedAt !== undefined)).toBe(true)
  return [`ask ${questions.map(({ step }) => step).join(' ')}`.trimEnd()]
}

const LIMIT = 'wake 1801000'

describe('order', () => {
  test('a step starts as soon as those that it depends on have ended, whatever its neighbours do', () => {
    const run = start(plan([tool('a'), tool('slow'), tool('b', [0]), tool('c', [1, 2])]))
    expect(run.first).toEqual(['call a', 'call slow', LIMIT])
    expect(run.done('a')).toEqual(['call b'])
    expect(run.done('b')).toEqual([])
    expect(run.done('slow')).toEqual(['call c'])
    expect(run.done('c', { ok: true })).toEqual(['finish completed'])
    expect(run.run().outcome).toEqual({ status: 'completed', output: { ok: true } })
  })

  test('no more calls at once than the plan says, in the order of the definition, iterations counted', () => {
    const run = start(plan([tool('a'), loop('each', [1, 2, 3]), tool('b')], { maxParallel: 2 }))
    expect(run.first).toEqual(['call a', 'call each[0]', LIMIT])
    expect(run.done('a')).toEqual(['call each[1]'])
    expect(run.done('each[0]')).toEqual(['call each[2]'])
    expect(run.done('each[1]')).toEqual(['call b'])
  })

  test('a step sees those that it depends on, its parameters and its run', () => {
    let seen: Scope | undefined
    const look = tool('b', [0], {
      arguments: (scope) => {
        seen = scope
        return {}
      },
    })
    const run = start(plan([tool('a'), look]))
    const { path, attempt } = run.calls.get('a') ?? { path: [], attempt: 0 }
    run.feed({ type: 'ended', at: 1_500, path, attempt, result: { output: 1, content: { text: 'one' } } })
    expect(seen).toEqual({
      params: { x: 1 },
      steps: { a: { status: 'completed', output: 1, content: { text: 'one' } } },
      workflow: {
        id: 'run-1',
        name: 'deploy',
        duration_ms: 500,
        step_count: 2,
        status: 'running',
        start_time: '1970-01-01T00:00:01.000Z',
      },
    })
  })
})

describe('conditions', () => {
  const no = () => false

  test('a step that is skipped has its defaults as output, and those after it run', () => {
    const run = start(plan([tool('a', [], { condition: no, defaults: 7 }), tool('b', [0])]))
    expect(run.first).toEqual(['call b', LIMIT])
    expect(run.run().body.steps[0]).toMatchObject({ status: 'skipped', output: 7 })
  })

  test('over the output of a skipped step without defaults: false', () => {
    const asks = ({ steps }: Scope) => {
      if (steps['a']?.output === undefined) throw new EvaluationError('a has no output')
      return true
    }
    expect(start(plan([tool('a', [], { condition: no }), tool('b', [0], { condition: asks })])).reports()).toEqual([
      'a skipped',
      'b skipped',
    ])
  })

  test('one that cannot be evaluated is a failure of its step, and is not tried again', () => {
    const broken = () => {
      throw new EvaluationError('no boolean')
    }
    const run = start(plan([tool('a', [], { condition: broken, onError: retry(3) })]))
    expect(run.run().outcome).toEqual({
      status: 'failed',
      error: { message: 'no boolean', kind: 'template', step: 'a' },
    })
  })
})

describe('failures', () => {
  test('abort: what is under way is cancelled, what has not begun never does, the error names the step', () => {
    const run = start(plan([tool('a'), tool('b'), tool('c', [0, 1])]))
    expect(run.fails('b')).toEqual(['cancel 0', 'finish failed'])
    expect(run.run().outcome).toEqual({ status: 'failed', error: { message: 'b broke', kind: 'error', step: 'b' } })
    expect(run.reports()).toEqual(['a cancelled', 'b failed', 'c cancelled'])
  })

  test('a call that began in the very turn in which the run fails is never made', () => {
    const broken = tool('c', [0], {
      arguments: () => {
        throw new EvaluationError('nothing there')
      },
    })
    const run = start(plan([tool('a'), tool('b', [0]), broken]))
    expect(run.done('a')).toEqual(['finish failed'])
    expect(run.reports()).toEqual(['a completed', 'b cancelled', 'c failed'])
  })

  test('continue: failed with its defaults, and those after it run and see so', () => {
    const run = start(plan([tool('a', [], { onError: CONTINUE, defaults: 'none' }), tool('b', [0])]))
    expect(run.fails('a')).toEqual(['call b'])
    expect(run.run().body.steps[0]).toMatchObject({ status: 'failed', output: 'none', error: 'a broke' })
    run.done('b')
    expect(stepReports(plan([tool('a'), tool('b')]), run.run())).toEqual([
      { id: 'a', status: 'failed', ms: 0, error: 'a broke' },
      { id: 'b', status: 'completed', ms: 0 },
    ])
  })

  test('failure mode continue: only what depends on the failed step is skipped, however far behind it', () => {
    const of = plan([tool('a'), tool('b', [0]), tool('c', [1]), tool('d')], { failureMode: 'continue' })
    const run = start(of)
    expect(run.fails('a')).toEqual([])
    expect(run.done('d', 'd')).toEqual(['finish completed'])
    expect(run.reports()).toEqual(['a failed', 'b skipped', 'c skipped', 'd completed'])
  })

  test('retry: after a wait that grows, then abort; the key stays', () => {
    const run = start(plan([tool('a', [], { onError: retry(2) })]))
    const keys = new Set<string | undefined>()
    for (const [attempt, least, most] of [
      [1, 500, 1_500],
      [2, 750, 2_250],
    ] as const) {
      keys.add(run.calls.get('a')?.idempotencyKey)
      const now = run.run().activeSince ?? 0
      run.fails('a', 'error', now)
      const due = run.run().wakeAt ?? 0
      expect(due - now).toBeGreaterThanOrEqual(least)
      expect(due - now).toBeLessThanOrEqual(most)
      expect(run.wakes(due - 1)).toEqual([`wake ${due}`])
      expect(run.wakes(due)).toEqual(['call a', LIMIT])
      expect(run.calls.get('a')?.attempt).toBe(attempt + 1)
    }
    keys.add(run.calls.get('a')?.idempotencyKey)
    expect(keys.size).toBe(1)
    expect(run.fails('a')).toEqual(['finish failed'])
  })

  test('a timeout is tried again only where it does no harm', () => {
    expect(start(plan([tool('a', [], { onError: retry(2) })])).fails('a', 'timeout')).toEqual(['finish failed'])
    const run = start(plan([tool('a', [], { onError: retry(2), repeatable: true })]))
    run.fails('a', 'timeout')
    expect(run.run().status).toBe('running')
  })
})

describe('restart', () => {
  test('what was under way and may be repeated is called again, with the same key', () => {
    const run = start(plan([tool('a', [], { repeatable: true })]))
    const key = run.calls.get('a')?.idempotencyKey
    expect(run.feed({ type: 'restart', at: 5_000 })).toEqual(['call a', 'wake 1805000'])
    expect(run.calls.get('a')).toMatchObject({ attempt: 2, idempotencyKey: key })
  })

  test('what may not is unknown, and retry does not apply to it', () => {
    const run = start(plan([tool('a', [], { onError: retry(3) })]))
    expect(run.feed({ type: 'restart', at: 5_000 })).toEqual(['finish failed'])
    expect(run.reports()).toEqual(['a unknown'])
    const other = start(plan([tool('a', [], { onError: CONTINUE, defaults: 1 }), tool('b', [0])]))
    expect(other.feed({ type: 'restart', at: 5_000 })).toEqual(['call b', 'wake 1805000'])
    expect(other.reports()).toEqual(['a unknown', 'b running'])
  })

  test('a run that waits for the user stays as it is', () => {
    const run = start(plan([question('ok')]))
    const before = run.run()
    expect(run.feed({ type: 'restart', at: 5_000 })).toEqual([])
    expect(run.run()).toBe(before)
  })
})

describe('questions', () => {
  test('are asked together, when all else has ended', () => {
    const run = start(plan([question('one'), tool('a'), question('two', [1]), tool('b', [0])]))
    expect(run.first).toEqual(['call a', LIMIT])
    expect(run.done('a')).toEqual(['ask one two'])
    expect(run.run()).toMatchObject({ status: 'suspended', wakeAt: null, activeSince: null })
    expect(run.answers({ one: 'accept', two: 'accept' })).toEqual(['call b', LIMIT])
    expect(run.output(0)).toEqual({ action: 'accept', content: { yes: true } })
  })

  test('the first answer counts', () => {
    const run = start(plan([question('one'), question('two')]))
    const [one] = run.run().questions
    expect(run.answers({ one: 'accept' })).toEqual(['ask two'])
    const before = run.run()
    run.feed({ type: 'answered', at: 2_000, answers: [{ question: one?.id ?? '', action: 'decline' }] })
    expect(run.run()).toBe(before)
  })

  test('of answers that come together, the first that ends the run names it', () => {
    const run = start(plan([question('one'), question('two')]))
    expect(run.answers({ one: 'decline', two: 'decline' })).toEqual(['cancel 1@1', 'finish failed'])
    expect(run.run().outcome).toMatchObject({ error: { step: 'one' } })
    expect(run.reports()).toEqual(['one failed', 'two cancelled'])
  })

  test.each<[Answer, 'onDecline' | 'onCancel', string]>([
    ['decline', 'onDecline', 'The user declined to answer'],
    ['cancel', 'onCancel', 'The user cancelled the question'],
    ['expired', 'onCancel', 'Nobody answered in time'],
    ['unaskable', 'onDecline', 'The client cannot be asked this question'],
  ])('%s follows %s', (action, path, message) => {
    const run = start(plan([question('ok', [], { onError: CONTINUE })]))
    expect(run.answers({ ok: action })).toEqual(['finish failed'])
    expect(run.run().outcome).toEqual({ status: 'failed', error: { message, kind: 'unanswered', step: 'ok' } })

    const other = start(plan([question('ok', [], { [path]: 'continue' }), tool('a', [0])]))
    expect(other.answers({ ok: action })).toEqual(['call a', LIMIT])
    expect(other.output(0)).toEqual({ action: path === 'onDecline' ? 'decline' : 'cancel' })
  })

  test('skip_remaining: what is under way ends, nothing begins, other questions are withdrawn, the run completes', () => {
    const stop = question('stop', [], { onDecline: 'skip_remaining' })
    const run = start(plan([stop, question('go'), question('other'), tool('a', [1]), tool('b', [3]), tool('c', [0])]))
    expect(run.answers({ go: 'accept' })).toEqual(['call a', LIMIT])
    expect(run.answers({ stop: 'decline' })).toEqual(['cancel 2@1'])
    expect(run.done('a', 'a')).toEqual(['finish completed'])
    expect(run.reports()).toEqual([
      'stop completed',
      'go completed',
      'other skipped',
      'a completed',
      'b skipped',
      'c skipped',
    ])
    expect(run.run().outcome).toEqual({ status: 'completed', output: 'a' })
  })

  test('a call that waits for the user is as a question: the rest ends first, then time stands still', () => {
    const run = start(plan([tool('a'), question('ok')]))
    expect(run.parks('parked', 'a')).toEqual(['ask ok'])
    expect(run.run()).toMatchObject({ status: 'suspended', body: { steps: [{ parked: true }, {}] } })
    expect(run.parks('resumed', 'a', 900_000)).toEqual(['wake 2700000'])
    expect(run.done('a', 1, 900_000)).toEqual(['ask ok'])
  })
})

describe('loops', () => {
  test('give their results in order, whatever the order in which they came', () => {
    const run = start(plan([loop('all', ['x', 'y', 'z'])]))
    expect(run.first).toEqual(['call all[0]', 'call all[1]', LIMIT])
    expect(run.calls.get('all[1]')?.arguments).toEqual({ file: 'y', index: 1 })
    expect(run.done('all[1]', 'Y')).toEqual(['call all[2]'])
    run.done('all[2]', 'Z')
    expect(run.done('all[0]', 'X')).toEqual(['finish completed'])
    expect(run.output(0)).toEqual({
      iterations: [
        { index: 0, item: 'x', status: 'completed', output: 'X' },
        { index: 1, item: 'y', status: 'completed', output: 'Y' },
        { index: 2, item: 'z', status: 'completed', output: 'Z' },
      ],
      count: 3,
      completed: 3,
      failed: 0,
    })
  })

  test('an iteration that fails ends the loop and cancels the others, with what there is as output', () => {
    const run = start(plan([loop('all', ['x', 'y', 'z'])]))
    expect(run.fails('all[1]')).toEqual(['cancel 0.0', 'finish failed'])
    expect(run.run().outcome).toMatchObject({ error: { message: 'iteration 1: all[1] broke', step: 'all' } })
    expect(run.output(0)).toMatchObject({ iterations: [{ status: 'cancelled' }, { status: 'failed' }], count: 3 })
  })

  test.each(['loop', 'step'])('continue at the %s: it goes on over a failure', (where) => {
    const onError = { onError: CONTINUE }
    const run = start(plan([loop('all', ['x', 'y'], where === 'loop' ? onError : { step: tool('each', [], onError) })]))
    run.fails('all[0]')
    expect(run.done('all[1]')).toEqual(['finish completed'])
    expect(run.output(0)).toMatchObject({ count: 2, completed: 1, failed: 1 })
    expect(run.reports()).toEqual(['all completed'])
  })

  test('a condition is asked for each item, none is fine, and too many are not', () => {
    const odd = tool('each', [], { condition: ({ forEach }) => forEach?.['item'] === 1 })
    expect(start(plan([loop('all', [0, 1, 2], { step: odd })])).first).toEqual(['call all[1]', LIMIT])
    expect(start(plan([loop('all', [])])).first).toEqual(['finish completed'])
    const many = start(plan([loop('all', [1, 2, 3], { maxIterations: 2 })]))
    expect(many.run().outcome).toMatchObject({ error: { message: 'The collection has 3 items, more than 2' } })
  })
})

describe('nested runs', () => {
  test('have parameters of their own, and their output is that of their step', () => {
    const inner = plan([tool('in', [], { arguments: ({ params }) => params })], {
      output: ({ steps }) => ({ of: steps['in']?.output }),
    })
    const run = start(plan([nested('sub', inner), tool('after', [0])]))
    expect(run.calls.get('sub.in')?.arguments).toEqual({ from: 'outside' })
    expect(run.done('sub.in', 5)).toEqual(['call after'])
    expect(run.output(0)).toEqual({ of: 5 })
  })

  test('a failure inside is a failure of the step', () => {
    const run = start(plan([nested('sub', plan([tool('in'), tool('by')]), { onError: CONTINUE, defaults: 0 })]))
    expect(run.fails('sub.in')).toEqual(['cancel 0.1', 'finish completed'])
    expect(run.run().body.steps[0]).toMatchObject({ status: 'failed', error: 'in: sub.in broke' })
  })

  test('skip_remaining ends the nested run, not the one around it', () => {
    const inner = plan([question('ok', [], { onDecline: 'skip_remaining' }), tool('in', [0])])
    const run = start(plan([nested('sub', inner), tool('after', [0])]))
    expect(run.answers({ 'sub.ok': 'decline' })).toEqual(['call after', LIMIT])
    expect(run.output(0)).toEqual({ action: 'decline', skipped: true })
  })

  test('is tried again as a whole only if nothing in it has happened that may not happen twice', () => {
    const of = (repeatable: boolean) =>
      plan([nested('sub', plan([tool('in', [], { repeatable }), tool('then', [0])]), { onError: retry(1) })])
    const once = start(of(false))
    once.done('sub.in')
    expect(once.fails('sub.then')).toEqual(['finish failed'])
    const often = start(of(true))
    often.done('sub.in')
    often.fails('sub.then')
    expect(often.wakes(often.run().wakeAt ?? 0)).toContain('call sub.in')
  })

  test('is not tried again when a question has skipped what remains', () => {
    const inner = plan([tool('in', [], { repeatable: true }), tool('then', [0])])
    const stop = question('stop', [], { onDecline: 'skip_remaining' })
    const run = start(plan([stop, question('go'), nested('sub', inner, { after: [1], onError: retry(1) })]))
    run.answers({ go: 'accept' })
    run.answers({ stop: 'decline' })
    expect(run.fails('sub.in')).toEqual(['finish failed'])

    const other = start(plan([stop, question('go'), nested('sub', inner, { after: [1], onError: retry(1) })]))
    other.answers({ go: 'accept' })
    other.fails('sub.in')
    expect(other.answers({ stop: 'decline' })).toEqual(['finish failed'])
  })

  test('while it waits to be tried again, its time limit does not run', () => {
    const inner = plan([tool('in')], { timeoutMs: 100 })
    const run = start(plan([nested('sub', inner, { onError: retry(1) })]))
    run.fails('sub.in')
    expect(run.wakes(1_400)).toEqual([`wake ${run.run().wakeAt}`])
    expect(run.reports()).toEqual(['sub waiting'])
  })

  test('has its own time limit, and then all in it is cancelled', () => {
    const run = start(plan([nested('sub', plan([tool('in')], { timeoutMs: 500 }), { onError: CONTINUE }), tool('a')]))
    expect(run.first).toEqual(['call sub.in', 'call a', 'wake 1500'])
    expect(run.wakes(1_500)).toEqual(['cancel 0.0', LIMIT])
    expect(run.reports()).toEqual(['sub failed', 'a running'])
  })
})

describe('the end', () => {
  test('the run has a time limit, in which waiting for the user does not count', () => {
    const of = plan([tool('a'), question('ok', [0]), tool('b', [1])], { timeoutMs: 1_000 })
    const run = start(of)
    run.done('a', 1, 1_600)
    expect(run.wakes(9_999_999)).toEqual([])
    expect(run.answers({ ok: 'accept' }, 10_000_000)).toEqual(['call b', 'wake 10000400'])
    expect(run.wakes(10_000_400)).toEqual(['cancel 2', 'finish timed_out'])
  })

  test.each(['cancelled', 'interrupted', 'failed'] as const)('stopped from outside: %s', (as) => {
    const run = start(plan([tool('a'), question('ok')]))
    expect(run.feed({ type: 'stop', at: 2_000, as, message: 'Enough' })).toEqual(['cancel 0', `finish ${as}`])
    expect(run.run().outcome).toEqual({ status: as, error: { message: 'Enough', kind: 'ended' } })
    expect(run.feed({ type: 'stop', at: 2_000, as: 'cancelled', message: 'Again' })).toEqual([])
  })

  test('a call that ends later is recorded once, and nothing follows from it', () => {
    const run = start(plan([tool('a'), tool('b')]))
    run.fails('b')
    const { outcome, revision } = run.run()
    expect(run.done('a', 'late', 9_000)).toEqual([])
    expect(run.run()).toMatchObject({ outcome, revision: revision + 1 })
    expect(run.run().body.steps[0]).toMatchObject({ status: 'cancelled', late: { at: 9_000, output: 'late' } })
    const after = run.run()
    run.done('a', 'again', 9_001)
    run.fails('b', 'error', 9_002)
    expect(run.run()).toBe(after)
  })

  test('an output that cannot be made fails the run', () => {
    const output = () => {
      throw new EvaluationError('no steps.a.output.sha')
    }
    const run = start(plan([tool('a')], { output }))
    expect(run.done('a')).toEqual(['finish failed'])
    expect(run.run().outcome).toMatchObject({ error: { message: 'Output: no steps.a.output.sha', kind: 'template' } })
  })

  test('an event that means nothing changes nothing', () => {
    const run = start(plan([tool('a', [], { onError: retry(1) })]))
    const before = run.run()
    const none: Event[] = [
      { type: 'start', at: 2_000 },
      { type: 'ended', at: 2_000, path: [], attempt: 1, result: { output: 1 } },
      { type: 'ended', at: 2_000, path: [9, 9], attempt: 1, result: { output: 1 } },
      { type: 'ended', at: 2_000, path: [0, 0], attempt: 1, result: { output: 1 } },
      { type: 'ended', at: 2_000, path: [0], attempt: 2, result: { output: 1 } },
      { type: 'resumed', at: 2_000, path: [0], attempt: 1 },
      { type: 'answered', at: 2_000, answers: [{ question: '0@1', action: 'accept' }] },
      { type: 'woken', at: 2_000 },
    ]
    for (const event of none) {
      run.feed(event)
      expect(run.run()).toBe(before)
    }
  })
})
