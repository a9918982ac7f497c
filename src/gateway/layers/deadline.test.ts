import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Call, Context, Core, Outcome, ResultStream } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { backendId, type OwnerKey } from '../../model/ids.ts'
import type { TimeoutSettings } from '../../model/settings.ts'
import { deadlineLayer } from './deadline.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const SETTINGS: TimeoutSettings = {
  defaultMs: 1000,
  maxMs: 5000,
  perTool: new Map([['slow', 3000]]),
  perWorkload: new Map([['other', 2000]]),
}

interface Running {
  context: Context
  outcome: Promise<Outcome>
  answer: (outcome: Outcome) => void
  /** Why it was cancelled. */
  reason: () => string | undefined
}

function start(call: Call, backend = 'one', settings = SETTINGS): Running {
  const context: Context = {
    ...GATEWAY_CALLER,
    owner: 'o' as OwnerKey,
    era: 'legacy',
    signal: new Cancellation(),
    deadline: undefined,
    streaming: true,
    emit: undefined,
    ask: undefined,
    header: undefined,
  }
  let answer!: (outcome: Outcome) => void
  let inside = context
  const core: Core = {
    catalogue: async () => expect.unreachable(),
    watch: () => () => {},
    follow: async () => () => {},
    watchTasks: async () => ({ ids: [], end: () => {} }),
    invoke: (_call, context) => {
      inside = context
      return new Promise((resolve, reject) => {
        answer = resolve
        context.signal.onCancel(reject)
      })
    },
  }
  const outcome = deadlineLayer(
    settings,
    () => backendId(backend),
    () => false,
  )(core).invoke(call, context)
  outcome.catch(() => {})
  return { context: inside, outcome, answer, reason: () => inside.signal.reason?.message }
}

const tool = (name: string): Call => ({ kind: 'tool', name, params: {} })
const RESULT: Outcome = { kind: 'result', value: {}, era: 'legacy' }

test('silence ends a call and names the key', async () => {
  const { outcome, reason } = start(tool('quick'))
  await vi.advanceTimersByTimeAsync(990)
  expect(reason()).toBeUndefined()
  await vi.advanceTimersByTimeAsync(20)
  expect(reason()).toBe('timed out: no sign of life for 1 s (key: operational.timeouts.default)')
  await expect(outcome).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  expect(vi.getTimerCount()).toBe(0)
})

test.each<[what: string, call: Call, backend: string, ms: number, key: string]>([
  ['of the tool', tool('slow'), 'other', 3000, 'operational.timeouts.perTool.slow'],
  ['of the backend', tool('quick'), 'other', 2000, 'operational.timeouts.perWorkload.other'],
  [
    'of the backend, for a prompt',
    { kind: 'prompt', name: 'slow', params: {} },
    'other',
    2000,
    'operational.timeouts.perWorkload.other',
  ],
])('the limit %s', async (_what, call, backend, ms, key) => {
  const { reason } = start(call, backend)
  await vi.advanceTimersByTimeAsync(ms - 10)
  expect(reason()).toBeUndefined()
  await vi.advanceTimersByTimeAsync(20)
  expect(reason()).toContain(key)
})

test('signs of life put it off, up to the cap', async () => {
  const { context, reason } = start(tool('quick'))
  for (let ms = 0; ms < 4900; ms += 700) {
    await vi.advanceTimersByTimeAsync(700)
    expect(reason()).toBeUndefined()
    context.deadline?.touch()
  }
  await vi.advanceTimersByTimeAsync(200)
  expect(reason()).toBe('timed out: it took longer than 5 s (key: operational.timeouts.max)')
})

test('an answer in time leaves no timer', async () => {
  const { outcome, answer } = start(tool('quick'))
  answer(RESULT)
  await expect(outcome).resolves.toBe(RESULT)
  expect(vi.getTimerCount()).toBe(0)
})

test('a stream is watched until its end', async () => {
  let finish!: () => void
  const stream = { onFinish: (listener: () => void) => (finish = listener) } as unknown as ResultStream
  const { outcome, answer, reason } = start(tool('quick'))
  answer({ kind: 'stream', stream })
  await outcome
  expect(vi.getTimerCount()).toBe(1)
  finish()
  expect(vi.getTimerCount()).toBe(0)
  const other = start(tool('quick'))
  other.answer({ kind: 'stream', stream })
  await vi.advanceTimersByTimeAsync(1010)
  expect(other.reason()).toContain('no sign of life')
  expect(reason()).toBeUndefined()
})

test('a limit of months is no busy loop', async () => {
  const months = 90 * 86_400_000
  const { reason } = start(tool('quick'), 'one', { ...SETTINGS, defaultMs: months, maxMs: months })
  const set = vi.spyOn(globalThis, 'setTimeout')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(set).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(months)
  expect(reason()).toContain('timed out')
})
