import { expect, test } from 'vitest'
import { tool } from '../../test/support/aggregation.ts'
import { applyOverride, overrideOf } from './overrides.ts'

test('annotations merge field by field, the description is replaced, the rest stays', () => {
  const received = tool('x', {
    title: 'X',
    description: 'old',
    annotations: { title: 'T', readOnlyHint: true },
    _meta: { k: 1 },
  })
  const copy = structuredClone(received)
  expect(applyOverride(received, { description: 'new', annotations: { readOnlyHint: false } })).toEqual({
    ...copy,
    description: 'new',
    annotations: { title: 'T', readOnlyHint: false },
  })
  expect(received).toEqual(copy)
})

test('a rename alone changes no field here', () => {
  const received = tool('x')
  expect(applyOverride(received, { name: 'y' })).toBe(received)
  expect(applyOverride(received, undefined)).toBe(received)
})

test('tools named like members of every object have no override', () => {
  const own = { overrides: {}, excludeAll: false }
  expect(overrideOf(own, 'constructor')).toBeUndefined()
  expect(overrideOf(own, '__proto__')).toBeUndefined()
})
