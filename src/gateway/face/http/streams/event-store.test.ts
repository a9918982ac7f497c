import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventMemory } from './event-memory.ts'
import { EventStore } from './event-store.ts'

const limited = (maxEvents: number, maxBytes: number) => new EventStore({ maxEvents, maxBytes }, new EventMemory(1e9))
const ample = () => limited(1000, 1e6)
const texts = (store: EventStore, id: string) => store.after(id)?.events.map(({ json }) => json)

test('a stream can be continued after any of its events, and only with its own', () => {
  const store = ample()
  const ids = ['a1', 'a2', 'a3'].map((json) => {
    store.append('get_1', `other ${json}`)
    return store.append('post_7', json)
  })
  expect(ids).toEqual(['post_7_1', 'post_7_2', 'post_7_3'])
  expect(store.after('post_7_1')).toEqual({
    stream: 'post_7',
    events: [
      { id: 'post_7_2', json: 'a2' },
      { id: 'post_7_3', json: 'a3' },
    ],
    ended: false,
  })
  expect(texts(store, 'post_7_3')).toEqual([])
})

test('a stream that has ended can still be continued to its end', () => {
  const store = ample()
  store.append('s', '')
  store.append('s', 'answer')
  store.end('s')
  store.end('s')
  store.end('never begun')
  expect(store.after('s_1')).toEqual({ stream: 's', events: [{ id: 's_2', json: 'answer' }], ended: true })
})

test.each([
  '',
  '_',
  's',
  's_',
  '_1',
  's_0',
  's_3',
  's_-1',
  's_1.0',
  's_01e3',
  't_1',
  '__proto___1',
  `s_${'9'.repeat(400)}`,
])('%s was never sent', (id) => {
  const store = ample()
  store.append('s', 'a')
  store.append('s', 'b')
  expect(store.after(id)).toBeUndefined()
})

test('the oldest events are forgotten first, and what is left is still had', () => {
  const store = limited(3, 1e6)
  for (const json of ['a', 'b', 'c', 'd']) store.append('s', json)
  store.append('t', 'e')
  expect(texts(store, 's_1')).toEqual(['c', 'd'])
  expect(texts(store, 's_2')).toEqual(['c', 'd'])
  expect(texts(store, 's_3')).toEqual(['d'])
})

test('streams that have ended go before streams that go on', () => {
  const store = limited(3, 1e6)
  store.append('live', 'a')
  store.append('early', 'b')
  store.append('late', 'c')
  store.end('early')
  store.end('late')
  store.append('live', 'd')
  store.append('live', 'e')
  expect(store.after('early_1')).toBeUndefined()
  expect(store.after('late_1')).toBeUndefined()
  expect(texts(store, 'live_1')).toEqual(['d', 'e'])
})

test('streams that ended long ago are not known any more', () => {
  const store = ample()
  for (const name of ['early', 'late', 'live']) store.append(name, 'a')
  store.end('early', 1000)
  store.end('late', 2000)
  store.forgetEndedBefore(2000)
  expect(['early_1', 'late_1', 'live_1'].map((id) => store.after(id)?.ended)).toEqual([undefined, true, false])
  expect([store.events, store.bytes]).toEqual([2, 2])
})

test('numbers do not start over when a stream that goes on is forgotten', () => {
  const store = limited(10, 10)
  store.append('s', 'a')
  expect(store.append('s', 'x'.repeat(11))).toBe('s_2')
  expect(store.after('s_1')).toEqual({ stream: 's', events: [], ended: false })
  expect([store.events, store.bytes]).toEqual([0, 0])
  expect(store.append('s', 'b')).toBe('s_3')
  expect(texts(store, 's_2')).toEqual(['b'])
})

test('bytes are counted, not characters', () => {
  const store = ample()
  store.append('s', '世界')
  expect(store.bytes).toBe(6)
})

test('whatever is sent: within bounds, ids once only, and what is replayed is what was sent', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ stream: fc.constantFrom('a', 'b', 'c_1'), size: fc.nat(20) }) },
    fc.record({ stream: fc.constantFrom('a', 'b', 'c_1'), size: fc.constant(undefined) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(8), fc.nat(60), (steps, maxEvents, maxBytes) => {
      const store = limited(maxEvents, maxBytes)
      const sent = new Map<string, { stream: string; json: string }>()
      const generation = new Map<string, number>()
      for (const { stream, size } of steps) {
        const name = `${stream}.${generation.get(stream) ?? 0}`
        if (size === undefined) {
          store.end(name)
          generation.set(stream, (generation.get(stream) ?? 0) + 1)
          continue
        }
        const json = `${sent.size}`.padEnd(size, '.')
        const id = store.append(name, json)
        expect(sent.has(id)).toBe(false)
        sent.set(id, { stream: name, json })
        expect(store.events).toBeLessThanOrEqual(maxEvents)
        expect(store.bytes).toBeLessThanOrEqual(maxBytes)
      }
      const all = [...sent]
      for (const [index, [id, { stream }]] of all.entries()) {
        const replay = store.after(id)
        if (!replay) continue
        const later = all.slice(index + 1).filter(([, event]) => event.stream === stream)
        const known = later.slice(later.length - replay.events.length)
        expect(replay.events).toEqual(known.map(([id, { json }]) => ({ id, json })))
      }
    }),
  )
})
