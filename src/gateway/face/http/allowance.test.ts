import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { principalOf } from '../../../auth/policy/explain.ts'
import { ANONYMOUS } from '../../../model/principal.ts'
import { Allowance } from './allowance.ts'

const ALICE = principalOf({ iss: 'i', sub: 'alice' })
const BOB = principalOf({ iss: 'i', sub: 'bob' })
const MI = 1024 * 1024
const response = () => new EventEmitter() as ServerResponse
const settings = { maxOpenPerUser: 2, maxRequestBytes: 8 * MI }
const refused = expect.objectContaining({ code: 'TOO_MANY_OPEN' })

test('each user has only so many requests open, whatever others have', () => {
  const allowance = new Allowance(settings)
  const [first, second] = [response(), response()]
  allowance.enter(ALICE, first)
  allowance.enter(ALICE, second)
  expect(() => allowance.enter(ALICE, response())).toThrow(refused)
  allowance.enter(BOB, response())
  for (let n = 0; n < 10; n++) allowance.enter(ANONYMOUS, response())
  first.emit('close')
  allowance.enter(ALICE, response())
  expect(() => allowance.enter(ALICE, response())).toThrow(refused)
})

test('nothing is remembered of those who have nothing open', () => {
  const allowance = new Allowance(settings)
  const res = response()
  allowance.enter(ALICE, res)
  expect(allowance.size).toBe(1)
  res.emit('close')
  expect(allowance.size).toBe(0)
})

test('the bodies of one user are bounded together', () => {
  const allowance = new Allowance(settings)
  allowance.enter(ALICE, response())
  allowance.enter(ALICE, response())
  const [one, two] = [allowance.body(ALICE), allowance.body(ALICE)]
  one?.grow(40 * MI)
  two?.grow(24 * MI)
  expect(() => two?.grow(1)).toThrow(refused)
  one?.release()
  one?.release()
  two?.grow(40 * MI)
  expect(() => two?.grow(1)).toThrow(refused)
  expect(allowance.body(ANONYMOUS)).toBeUndefined()
})
