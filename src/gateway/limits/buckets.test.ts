import { expect, test } from 'vitest'
import { MemoryBuckets } from './buckets.ts'

const two = { maxTokens: 2, refillMs: 1000 }

test('a bucket empties and fills evenly', () => {
  const buckets = new MemoryBuckets()
  const take = (now: number) => buckets.take([{ key: 'a', settings: two }], now)
  expect([take(0), take(0), take(0)]).toEqual([undefined, undefined, 500])
  expect([take(250), take(500), take(500)]).toEqual([250, undefined, 500])
  expect([take(60_000), take(60_000), take(60_000)]).toEqual([undefined, undefined, 500])
})

test('one empty bucket keeps all others as they are, and the longest wait counts', () => {
  const buckets = new MemoryBuckets()
  const one = { key: 'one', settings: { maxTokens: 1, refillMs: 4000 } }
  const other = { key: 'other', settings: two }
  expect(buckets.take([one, other], 0)).toBe(undefined)
  expect(buckets.take([other, one], 0)).toBe(4000)
  expect(buckets.take([other], 0)).toBe(undefined)
  expect(buckets.take([other, one], 0)).toBe(4000)
  expect(buckets.take([other], 0)).toBe(500)
})

test('a flood of callers does not fill the memory', () => {
  const buckets = new MemoryBuckets()
  for (let caller = 0; caller < 20_000; caller++) buckets.take([{ key: String(caller), settings: two }], caller)
  expect(buckets.size).toBe(10_000)
})
