import { expect, test } from 'vitest'
import { Tally } from './observe.ts'

test('everybody who waits hears of the end of the last call, or of the end of their patience', async () => {
  const tally = new Tally()
  expect(await tally.idleWithin(10_000)).toBe(true)
  tally.running = 2
  const patient = [tally.idleWithin(10_000), tally.idleWithin(10_000)]
  expect(await tally.idleWithin(5)).toBe(false)
  tally.ended()
  tally.ended()
  expect(await Promise.all(patient)).toEqual([true, true])
})
