import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEFAULT_LOG_LEVEL, LOG_LEVELS, isLogLevel, passes } from './log-level.ts'

test('the eight levels, and nothing else', () => {
  expect(LOG_LEVELS).toHaveLength(8)
  for (const level of LOG_LEVELS) expect(isLogLevel(level)).toBe(true)
  for (const other of ['warn', 'INFO', '', 'constructor', 3, null, undefined, {}]) expect(isLogLevel(other)).toBe(false)
})

test('a message passes when it is at least as severe as what was asked for', () => {
  for (const [severity, level] of LOG_LEVELS.entries()) {
    for (const [limit, threshold] of LOG_LEVELS.entries()) expect(passes(level, threshold)).toBe(severity >= limit)
  }
})

test('a level that nobody knows counts as info', () => {
  fc.assert(
    fc.property(fc.anything(), fc.constantFrom(...LOG_LEVELS), (level, threshold) => {
      if (!isLogLevel(level)) expect(passes(level, threshold)).toBe(passes(DEFAULT_LOG_LEVEL, threshold))
    }),
  )
})
