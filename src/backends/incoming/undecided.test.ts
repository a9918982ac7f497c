import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Undecided } from './undecided.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function held(...candidates: string[]) {
  const undecided = new Undecided<string>()
  const decided: (string | undefined)[] = []
  undecided.hold('1', candidates, (chosen) => decided.push(chosen))
  return { undecided, decided }
}

test('the last call that is left has asked', () => {
  const { undecided, decided } = held('a', 'b', 'c')
  undecided.settled('stranger')
  undecided.settled('a')
  expect([decided, undecided.has('1')]).toEqual([[], true])
  undecided.settled('c')
  undecided.settled('b')
  vi.advanceTimersByTime(10_000)
  expect([decided, undecided.has('1')]).toEqual([['b'], false])
})

test('after 300 ms nobody has', () => {
  const { undecided, decided } = held('a', 'b')
  vi.advanceTimersByTime(299)
  expect(decided).toEqual([])
  vi.advanceTimersByTime(1)
  undecided.settled('a')
  expect(decided).toEqual([undefined])
})

test('what is dropped is never decided', () => {
  const { undecided, decided } = held('a', 'b')
  undecided.drop('1')
  undecided.settled('a')
  vi.advanceTimersByTime(10_000)
  expect(decided).toEqual([])
})

test('a flood of questions is refused', () => {
  const { undecided, decided } = held('a', 'b')
  for (let id = 2; id <= 100; id++) undecided.hold(String(id), ['a', 'b'], () => {})
  undecided.hold('101', ['a', 'b'], (chosen) => decided.push(chosen))
  expect(decided).toEqual([undefined])
})
