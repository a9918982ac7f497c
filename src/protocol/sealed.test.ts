import { expect, test } from 'vitest'
import { Sealer } from './sealed.ts'

test('a token opens under its binding, in the process that sealed it', () => {
  const sealer = new Sealer()
  const token = sealer.seal({ after: 'x', index: 1000 }, 'tools me')
  expect(sealer.open(token, 'tools me')).toEqual({ after: 'x', index: 1000 })
  expect(sealer.open(token, 'tools you')).toBeUndefined()
  expect(new Sealer().open(token, 'tools me')).toBeUndefined()
})

test('equal values give different tokens', () => {
  const sealer = new Sealer()
  expect(sealer.seal(1, 'b')).not.toBe(sealer.seal(1, 'b'))
})

test('a token has one spelling', () => {
  const sealer = new Sealer()
  const token = sealer.seal('x', 'b')
  expect(sealer.open(`${token}=`, 'b')).toBeUndefined()
  expect(sealer.open(` ${token}`, 'b')).toBeUndefined()
  expect(sealer.open('', 'b')).toBeUndefined()
})

test('a steady token is the same each time, and opens like any other', () => {
  const sealer = new Sealer()
  const token = sealer.sealSteadily({ b: 'x', i: 'task' }, 'task me')
  expect(sealer.sealSteadily({ b: 'x', i: 'task' }, 'task me')).toBe(token)
  expect(sealer.open(token, 'task me')).toEqual({ b: 'x', i: 'task' })
  expect(sealer.open(token, 'task you')).toBeUndefined()
  expect(sealer.sealSteadily({ b: 'x', i: 'task' }, 'task you')).not.toBe(token)
  expect(new Sealer().sealSteadily({ b: 'x', i: 'task' }, 'task me')).not.toBe(token)
})
