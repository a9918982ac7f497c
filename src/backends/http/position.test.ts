import { expect, test } from 'vitest'
import { positionHeader } from './position.ts'

test('ids travel as UTF-8 bytes', () => {
  expect([positionHeader('stream_1'), positionHeader('é')]).toEqual(['stream_1', 'Ã©'])
})

test('an id that no header can carry is none', () => {
  expect([undefined, 'a\u0001b', 'x'.repeat(9000)].map((id) => positionHeader(id))).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})
