import { expect, test } from 'vitest'

import type { PlannedTool } from '../plan.ts'
import type { FailureKind, StepState } from '../run-state.ts'
import { backoff, mayRetry } from './retry.ts'

const onError = { action: 'retry', retries: 3, delayMs: 1_000 } as const

test('waits half as long again each time, give or take half, and never longer than 60 times the first', () => {
  for (let retry = 0; retry < 30; retry++) {
    const plain = Math.min(60_000, 1_000 * 1.5 ** retry)
    const waits = Array.from({ length: 300 }, (_, run) => backoff(onError, retry, `run-${run}`))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(Math.floor(plain * 0.5))
    expect(Math.max(...waits)).toBeLessThanOrEqual(Math.min(60_000, Math.ceil(plain * 1.5)))
    // Runs that fail together do not come back together.
    expect(new Set(waits).size).toBeGreaterThan(100)
    expect(Math.min(...waits)).toBeLessThan(plain * 0.6)
  }
  expect(backoff(onError, 2, 'same')).toBe(backoff(onError, 2, 'same'))
})

const tool = (repeatable: boolean): PlannedTool => ({
  id: 'a',
  kind: 'tool',
  tool: 'a',
  after: [],
  timeoutMs: 1,
  onError,
  repeatable,
  arguments: () => ({}),
})

const KINDS: [FailureKind, boolean, boolean][] = [
  ['error', true, true],
  ['limited', true, true],
  ['unavailable', true, true],
  ['timeout', false, true],
  ['lost', false, true],
  ['denied', false, false],
  ['credential', false, false],
  ['template', false, false],
]

test.each(KINDS)('%s: tried again %s, and when it may be repeated %s', (kind, once, often) => {
  const unconfirmed = kind === 'timeout' || kind === 'lost'
  const step: StepState = { status: 'running', attempt: 1, startedAt: 0, ...(unconfirmed && { unconfirmed }) }
  expect(mayRetry(tool(false), step, kind)).toBe(once)
  expect(mayRetry(tool(true), step, kind)).toBe(often)
  expect(mayRetry(tool(true), { ...step, retried: 3 }, kind)).toBe(false)
})
