import { expect, test } from 'vitest'
import { estimateTokens } from './tokens.ts'

test('a quarter of the bytes of the JSON, rounded up', () => {
  expect(estimateTokens({})).toBe(1)
  expect(estimateTokens({ name: 'abc' })).toBe(4)
  expect(estimateTokens({ name: 'äöü' })).toBe(5)
})
