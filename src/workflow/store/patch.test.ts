import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { JsonValue } from '../../model/json.ts'
import { apply, diff, type Patch } from './patch.ts'

const copy = (value: unknown): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue

/** Few names and small values, so that much is equal. */
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<JsonValue>(null, 0, 1, 'a', true),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', '0'), tie('value'), { maxKeys: 4 }),
  ),
}))

test('what has changed, applied to what was, is what is, to the last byte', () => {
  fc.assert(
    fc.property(value, value, (before, after) => {
      const patch = copy(diff(copy(before), copy(after))) as unknown as Patch
      expect(JSON.stringify(apply(copy(before), patch))).toBe(JSON.stringify(after))
    }),
    { numRuns: 2_000 },
  )
})

test('what is shared is not looked into, and not written', () => {
  const big = { text: 'x' }
  expect(diff({ a: big, b: [big, null], c: 1 }, { a: big, b: [big, big], c: 1 })).toEqual([[['b', 1], big]])
  expect(diff({ a: big }, { a: big })).toEqual([])
})

test('members that are undefined are not there', () => {
  expect(diff({ a: undefined, b: 1 }, { a: undefined, b: undefined, c: undefined })).toEqual([[['b']]])
})

test('a number that kept its spelling is one value', () => {
  const [one, other] = [JSON.rawJSON('10000000000000000001'), JSON.rawJSON('10000000000000000002')]
  expect(diff({ a: one }, { a: other })).toEqual([[['a'], other]])
})

test.each<[string, unknown]>([
  ['a place that is not there', [[['x', 'y'], 1]]],
  ['a place beyond the end of a list', [[['list', 5], 1]]],
  ['a member of a text', [[['text', 'length'], 1]]],
  ['a place behind a prototype', [[['__proto__', 'polluted'], 1]]],
  ['nothing left', [[[]]]],
])('a patch of something else is refused: %s', (_, patch) => {
  expect(() => apply({ list: [], text: 'a' }, patch as Patch)).toThrow()
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})
