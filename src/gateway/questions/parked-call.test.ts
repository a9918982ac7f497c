import { expect, test } from 'vitest'
import type { Flow } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import type { Visitor } from './parked-call.ts'
import { ParkedCall } from './parked-call.ts'

/** A caller that does not read, until it does. */
function deaf(): { visitor: Visitor; read: () => void; waiting: Set<() => void> } {
  const waiting = new Set<() => void>()
  const state = { full: true }
  const flow: Flow = {
    get full() {
      return state.full
    },
    onDrain: (listener) => {
      waiting.add(listener)
      return () => waiting.delete(listener)
    },
  }
  const read = (): void => {
    state.full = false
    for (const listener of waiting) listener()
  }
  return {
    visitor: { signal: new Cancellation(), deadline: undefined, onNotification: undefined, flow },
    read,
    waiting,
  }
}

test('the backend waits while none of the callers reads', () => {
  const call = new ParkedCall<string>()
  expect(call.full).toBe(false)
  const [one, two] = [deaf(), deaf()]
  void call.attach(one.visitor)
  void call.attach(two.visitor)
  let told = 0
  call.onDrain(() => told++)
  expect([call.full, told]).toEqual([true, 0])
  two.read()
  one.read()
  expect([call.full, told, one.waiting.size, two.waiting.size]).toEqual([false, 1, 0, 0])
})

test('a caller that comes meanwhile ends the wait when it reads', () => {
  const call = new ParkedCall<string>()
  const { visitor, waiting } = deaf()
  void call.attach(visitor)
  let told = 0
  const listen = (): void => {
    call.onDrain(() => {
      told++
      if (call.full) listen()
    })
  }
  listen()
  void call.attach(deaf().visitor)
  expect([call.full, told]).toEqual([true, 1])
  void call.attach({ ...visitor, flow: undefined })
  expect([call.full, told, waiting.size]).toEqual([false, 2, 0])
})
