import { expect, test } from 'vitest'
import { Breaker } from './breaker.ts'

function breaker(enabled = true) {
  const clock = { now: 0 }
  return { clock, breaker: new Breaker({ enabled, failureThreshold: 3, timeoutMs: 100 }, () => clock.now) }
}

test('opens after failures in a row, not before', () => {
  const { breaker: one } = breaker()
  one.failed()
  one.failed()
  one.succeeded()
  one.failed()
  one.failed()
  expect(one.state).toBe('closed')
  expect(one.admit()).toBe(true)
  one.failed()
  expect(one.state).toBe('open')
  expect(one.admit()).toBe(false)
})

test('lets one call try, and closes or opens by its result', () => {
  const { breaker: one, clock } = breaker()
  for (let i = 0; i < 3; i++) one.failed()
  clock.now = 99
  expect(one.admit()).toBe(false)
  clock.now = 100
  expect(one.state).toBe('half-open')
  expect([one.admit(), one.admit()]).toEqual([true, false])
  one.failed()
  expect(one.state).toBe('open')
  clock.now = 200
  expect(one.admit()).toBe(true)
  one.succeeded()
  expect(one.state).toBe('closed')
  one.failed()
  expect(one.state).toBe('closed')
})

test('a try that tells nothing makes room for another', () => {
  const { breaker: one, clock } = breaker()
  for (let i = 0; i < 3; i++) one.failed()
  clock.now = 100
  expect(one.admit()).toBe(true)
  one.undecided()
  expect(one.state).toBe('half-open')
  expect(one.admit()).toBe(true)
})

test('switched off it never opens', () => {
  const { breaker: one } = breaker(false)
  for (let i = 0; i < 100; i++) one.failed()
  expect(one.admit()).toBe(true)
})
