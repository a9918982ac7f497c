import { expect, test } from 'vitest'
import { isDeep } from './json.ts'

test('depth counts arrays and objects, not what they hold', () => {
  expect(isDeep(1, 0)).toBe(false)
  expect(isDeep([], 0)).toBe(true)
  expect(isDeep([{ a: [] }], 2)).toBe(true)
  expect(isDeep([{ a: [] }], 3)).toBe(false)
})
