import { expect, test } from 'vitest'
import { isRawNumber, parseJson } from './json.ts'

test.each(['12345678901234567890', '1e400', '-1e400', '1e-400', '0.1234567890123456789', '9007199254740993'])(
  '%s keeps its spelling',
  (number) => {
    expect(isRawNumber(parseJson(number))).toBe(true)
    expect(JSON.stringify(parseJson(`{"a":[${number}]}`))).toBe(`{"a":[${number}]}`)
  },
)

test.each([
  ['9007199254740992', 9_007_199_254_740_992],
  ['1e5', 100_000],
  ['1.50000000000000000000', 1.5],
  ['0e999999999', 0],
  ['100000000000000000000', 1e20],
  ['-0.0', -0],
])('%s is a plain number', (text, number) => {
  expect(parseJson(text)).toBe(number)
})

test('objects and strings are not numbers that kept their spelling', () => {
  for (const value of [{}, [], '1e400', null, { rawJSON: '1' }]) expect(isRawNumber(value)).toBe(false)
})
