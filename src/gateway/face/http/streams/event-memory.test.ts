import { expect, test } from 'vitest'
import { EventMemory } from './event-memory.ts'
import { EventStore } from './event-store.ts'

const LIMITS = { maxEvents: 100, maxBytes: 1e6 }
const KB = 'x'.repeat(1000)
/** Room for four events of that size. */
const shared = () => {
  const memory = new EventMemory(5000)
  return { memory, stores: [1, 2, 3].map(() => new EventStore(LIMITS, memory)) as [EventStore, EventStore, EventStore] }
}
const counts = (stores: EventStore[]) => stores.map(({ events }) => events)

test('who has sent nothing for longest forgets first', () => {
  const { memory, stores } = shared()
  const [a, b, c] = stores
  for (const store of [a, b, c, a]) store.append('s', KB)
  b.append('s', KB)
  expect(counts(stores)).toEqual([2, 2, 0])
  expect(memory.bytes).toBeLessThanOrEqual(5000)
  b.append('s', KB)
  expect(counts(stores)).toEqual([1, 3, 0])
})

test('streams that have ended go before all others', () => {
  const { stores } = shared()
  const [a, b, c] = stores
  a.append('live', KB)
  b.append('ended', KB)
  b.append('ended', KB)
  b.end('ended')
  for (let turn = 0; turn < 3; turn++) c.append('live', KB)
  expect(counts(stores)).toEqual([1, 0, 3])
  c.append('live', KB)
  expect(counts(stores)).toEqual([0, 0, 4])
})

test('an event that fits nowhere is forgotten, and a store that is gone gives everything back', () => {
  const { memory, stores } = shared()
  const [a, b] = stores
  a.append('s', KB)
  b.append('s', KB)
  b.end('s')
  a.append('s', 'x'.repeat(10_000))
  expect(counts(stores)).toEqual([0, 0, 0])
  expect(memory.bytes).toBe(0)
  a.append('s', KB)
  b.append('t', KB)
  b.end('t')
  a.close()
  b.close()
  expect(memory.bytes).toBe(0)
  expect(a.after('s_1')).toBeUndefined()
})
