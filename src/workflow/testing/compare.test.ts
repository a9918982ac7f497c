import { expect, test } from 'vitest'
import type { JsonValue } from '../../model/json.ts'
import { differences } from './compare.ts'

const big = JSON.rawJSON('12345678901234567890')

test.each<[JsonValue, JsonValue | undefined, string[], string[]]>([
  [1, 1, [], []],
  ['1', 1, [': expected "1", got 1'], [': expected "1", got 1']],
  [null, undefined, [': expected null, got nothing'], [': expected null, got nothing']],
  [{ a: 1 }, { a: 1, b: 2 }, [], [': unexpected b: 2']],
  [{ a: { b: 1 } }, { a: { b: 2 } }, ['a.b: expected 1, got 2'], ['a.b: expected 1, got 2']],
  [{ a: {} }, { a: { b: 2 } }, [], ['a: unexpected b: 2']],
  [{ a: {} }, { a: [] }, ['a: expected {}, got []'], ['a: expected {}, got []']],
  [[{ a: 1 }], [{ a: 1, b: 2 }], [], ['0: unexpected b: 2']],
  [[1], [1, 2], [': expected 1 items, got 2: [1,2]'], [': expected 1 items, got 2: [1,2]']],
  [{ toString: 1 }, {}, ['toString: expected 1, got nothing'], ['toString: expected 1, got nothing']],
  [{}, { constructor: 1 }, [], [': unexpected constructor: 1']],
  [big, big, [], []],
  [{}, big, [': expected {}, got 12345678901234567890'], [': expected {}, got 12345678901234567890']],
])('%j is expected of %j', (expected, actual, partly, exactly) => {
  const told = (isExact: boolean) =>
    differences(expected, actual, [], isExact).map(({ path, message }) => `${path.join('.')}: ${message}`)
  expect(told(false)).toEqual(partly)
  expect(told(true)).toEqual(exactly)
})
