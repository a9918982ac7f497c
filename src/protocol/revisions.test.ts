import { expect, test } from 'vitest'
import { eraOf, isBefore, negotiateLegacy } from './revisions.ts'

test('the era of a revision', () => {
  expect(eraOf('2025-11-25')).toBe('legacy')
  expect(eraOf('2026-07-28')).toBe('modern')
  for (const unknown of ['', '2027-01-01', '__proto__', 'constructor']) expect(eraOf(unknown)).toBeUndefined()
})

test('a handshake gets the revision that it asks for, else our latest legacy one, never a modern one', () => {
  expect(negotiateLegacy('2025-03-26')).toBe('2025-03-26')
  for (const other of ['2026-07-28', '1999-01-01', undefined, 5, '__proto__']) {
    expect(negotiateLegacy(other)).toBe('2025-11-25')
  }
})

test('revisions sort by date', () => {
  expect(isBefore('2025-03-26', '2025-06-18')).toBe(true)
  expect(isBefore('2025-06-18', '2025-06-18')).toBe(false)
})
