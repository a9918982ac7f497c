import { expect, test } from 'vitest'
import { isExact } from './exact-number.ts'

test.each([
  ['0', true],
  ['-0', true],
  ['0.00', true],
  ['0e5', true],
  ['12.50', true],
  ['1e1', true],
  ['-1.5E+3', true],
  ['0.1', true],
  ['123456789012345.6', true],
  ['1234567890123456.7', false],
  ['9007199254740993', false],
  ['1e21', true],
  ['1000000000000000000000', false],
  ['2.2250738585072014e-308', true],
  ['5e-324', true],
  ['4e-324', false],
  ['1e-400', false],
  ['1e400', false],
  ['1.5.5', false],
  ['-', false],
])('%s: %s', (token, exact) => {
  expect(isExact(token, Number(token))).toBe(exact)
})
