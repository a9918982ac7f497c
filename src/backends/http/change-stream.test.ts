import type { Dispatcher } from 'undici'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ChangeStream } from './change-stream.ts'

const CONTROLLER = { abort: () => {} } as unknown as Dispatcher.DispatchController

/** A server whose every stream lives for so long, milliseconds. */
function scene(lifeMs: () => number): { opened: number[]; gaps: number[]; stream: ChangeStream } {
  const opened: number[] = []
  const gaps: number[] = []
  const stream = new ChangeStream({
    open: (handler) => {
      opened.push(Date.now())
      handler.onRequestStart?.(CONTROLLER, undefined)
      handler.onResponseStart?.(CONTROLLER, 200, { 'content-type': 'text/event-stream' })
      setTimeout(() => handler.onResponseEnd?.(CONTROLLER, {}), lifeMs())
    },
    onMessage: () => {},
    onGap: () => gaps.push(Date.now()),
    resumable: false,
    maxMessageBytes: 1000,
  })
  return { opened, gaps, stream }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
})

afterEach(() => {
  vi.useRealTimers()
})

test('streams that end at once are retried ever more slowly, with one gap a retry', () => {
  const { opened, gaps, stream } = scene(() => 1)
  vi.advanceTimersByTime(200_000)
  stream.close()
  const waits = opened.slice(1).map((at, index) => at - (opened[index] ?? 0))
  expect(waits.slice(0, 8)).toEqual([501, 1001, 2001, 4001, 8001, 16_001, 30_001, 30_001])
  expect(gaps).toEqual(opened.slice(1))
})

test('a stream that has lived for a while is opened again soon after its end', () => {
  let life = 1
  const { opened, stream } = scene(() => life)
  vi.advanceTimersByTime(3000)
  life = 10_000
  vi.advanceTimersByTime(12_000)
  stream.close()
  const good = 501 + 1001 + 2001
  expect(opened).toEqual([0, 501, 501 + 1001, good, good + 10_000 + 500])
})

test('a closed stream stays closed', () => {
  const { opened, stream } = scene(() => 1)
  stream.close()
  vi.advanceTimersByTime(100_000)
  expect(opened).toHaveLength(1)
})
