import { expect, test } from 'vitest'
import { nearest, suggest } from './nearest.ts'

test.each([
  ['conflictResolutoin', 'conflictResolution'],
  ['conflict_resolution', 'conflictResolution'],
  ['prefxi', 'prefix'],
  ['agregation', 'aggregation'],
  ['url', undefined],
  ['x'.repeat(1000), undefined],
])('%s is near %s', (name, expected) => {
  expect(nearest(name, ['conflictResolution', 'aggregation', 'prefix'])).toBe(expected)
})

test('without a near name the names there are', () => {
  expect(suggest('zzz', ['alpha', 'beta'])).toBe('there is "alpha", "beta"')
  expect(suggest('zzz', [])).toBeUndefined()
})
