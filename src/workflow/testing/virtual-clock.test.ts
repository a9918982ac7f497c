import { expect, test } from 'vitest'
import { Cancellation } from '../../model/cancellation.ts'
import { wait } from '../run/ports.ts'
import { virtualClock } from './virtual-clock.ts'

const HOUR = 3_600_000

test('time jumps to what happens next, in order', async () => {
  const clock = virtualClock(5)
  const told: string[] = []
  const later = async (name: string, ms: number) => {
    await wait(clock, ms, new Cancellation())
    told.push(`${name} at ${clock.now()}`)
  }
  const dropped = clock.setTimer(HOUR, () => told.push('never'))
  dropped()
  await clock.until(Promise.all([later('b', 2 * HOUR), later('a', HOUR).then(() => later('c', 3 * HOUR))]))
  expect(told).toEqual([`a at ${HOUR + 5}`, `b at ${2 * HOUR + 5}`, `c at ${4 * HOUR + 5}`])
})

test('while something real is under way it passes as it does outside', async () => {
  const clock = virtualClock(0)
  const real = clock.real(new Promise((resolve) => setTimeout(resolve, 40)), new Cancellation())
  let fired = false
  clock.setTimer(HOUR, () => (fired = true))
  let soon = -1
  clock.setTimer(10, () => (soon = clock.now()))
  await clock.until(real)
  expect(fired).toBe(false)
  expect(soon).toBeGreaterThanOrEqual(10)
  expect(clock.now()).toBeGreaterThanOrEqual(39)
  expect(clock.now()).toBeLessThan(1_000)
  await clock.until(wait(clock, HOUR, new Cancellation()))
  expect(fired).toBe(true)
})

test('what nobody waits for any more does not hold it', async () => {
  const clock = virtualClock(0)
  const signal = new Cancellation()
  void clock.real(new Promise(() => {}), signal)
  clock.setTimer(10, () => signal.cancel(new Error('too late')))
  await clock.until(wait(clock, HOUR, new Cancellation()))
  expect(clock.now()).toBeGreaterThanOrEqual(HOUR)
})

test('what never happens is not waited for, and failures come through', async () => {
  const clock = virtualClock(0)
  clock.setTimer(Infinity, () => {})
  await expect(clock.until(new Promise(() => {}))).rejects.toThrow('never happens')
  await expect(clock.until(Promise.reject(new Error('no')))).rejects.toThrow('no')
  await expect(clock.until(clock.real(Promise.reject(new Error('not there')), new Cancellation()))).rejects.toThrow(
    'not there',
  )
})
