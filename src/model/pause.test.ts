import { expect, test, vi } from 'vitest'
import { Cancellation } from './cancellation.ts'
import { pause } from './pause.ts'

test('a pause ends in time, or with the signal, and leaves nothing behind', async () => {
  vi.useFakeTimers()
  const signal = new Cancellation()
  const off = vi.spyOn(signal, 'offCancel')
  const waited = pause(1000, signal)
  await vi.advanceTimersByTimeAsync(1000)
  await waited
  expect([off.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0])
  const cut = pause(1000, signal)
  signal.cancel(new Error('enough'))
  await cut
  await pause(1000, signal)
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})
