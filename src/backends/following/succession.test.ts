import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Told } from './succession.ts'
import { Succession } from './succession.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function scene() {
  const succession = new Succession()
  const closed: string[] = []
  const settled: string[] = []
  const told = new Map<string, Told>()
  const open = (name: string): void => {
    succession
      .replace((teller) => {
        told.set(name, teller)
        return { close: () => closed.push(name) }
      })
      .then(
        () => settled.push(name),
        () => {},
      )
  }
  return { succession, closed, settled, open, tell: (name: string) => told.get(name) as Told }
}

test('the old one ends when the new one is acknowledged', async () => {
  const { closed, settled, open, tell } = scene()
  open('a')
  tell('a').acknowledged()
  open('b')
  expect(closed).toEqual([])
  tell('b').acknowledged()
  await vi.advanceTimersByTimeAsync(0)
  expect([closed, settled]).toEqual([['a'], ['a', 'b']])
})

test('a refused one leaves the old one in its place', async () => {
  const { closed, open, tell } = scene()
  open('a')
  tell('a').acknowledged()
  open('b')
  tell('b').refused()
  tell('b').acknowledged()
  expect(closed).toEqual(['b'])
  open('c')
  tell('c').acknowledged()
  expect(closed).toEqual(['b', 'a'])
})

test('one that is not acknowledged is given up for the next, and waited for no longer than 3 s', async () => {
  const { succession, closed, settled, open, tell } = scene()
  open('a')
  tell('a').acknowledged()
  open('b')
  open('c')
  tell('b').acknowledged()
  expect(closed).toEqual(['b'])
  await vi.advanceTimersByTimeAsync(2999)
  expect(settled).toEqual(['a', 'b'])
  await vi.advanceTimersByTimeAsync(1)
  expect(settled).toEqual(['a', 'b', 'c'])
  succession.close()
  expect(closed).toEqual(['b', 'a', 'c'])
})

test('the first one is kept until the second is acknowledged, even when nobody acknowledged it', () => {
  const { closed, open, tell } = scene()
  open('a')
  open('b')
  expect(closed).toEqual([])
  tell('a').acknowledged()
  tell('b').acknowledged()
  expect(closed).toEqual(['a'])
})

test('it stands from its acknowledgement until it is refused, also while another one is asked for', () => {
  const { succession, open, tell } = scene()
  open('a')
  expect(succession.stands).toBe(false)
  tell('a').acknowledged()
  expect(succession.stands).toBe(true)
  open('b')
  tell('b').refused()
  expect(succession.stands).toBe(true)
  tell('a').refused()
  expect(succession.stands).toBe(false)
  open('c')
  tell('c').acknowledged()
  expect(succession.stands).toBe(true)
  succession.close()
  expect(succession.stands).toBe(false)
})
