import { expect, test } from 'vitest'
import { putYoungest } from './bounded.ts'

test('the oldest gives way, and what is put again is the youngest', () => {
  const map = new Map<string, number>()
  const given = (['a', 'b', 'a', 'c', 'd'] as const).map((key, at) => putYoungest(map, key, at, 2))
  expect(given).toEqual([undefined, undefined, undefined, 1, 2])
  expect([...map]).toEqual([
    ['c', 3],
    ['d', 4],
  ])
})
