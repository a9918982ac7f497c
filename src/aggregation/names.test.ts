import { expect, test } from 'vitest'
import { guardName } from './names.ts'

test.each([
  ['create_issue', 'create_issue'],
  ['a'.repeat(64), 'a'.repeat(64)],
  ['repos.list/all', 'repos_list_all'],
  ['naïve tool', 'na_ve_tool'],
  ['🦊', '_'],
  ['line\nbreak\0', 'line_break_'],
  ['\ud800', '_'],
  ['', '_'],
  ['__proto__', '__proto__'],
  ['🦊'.repeat(64), '_'.repeat(64)],
])('%j becomes %s', (name, guarded) => expect(guardName(name)).toBe(guarded))

test('a long name is cut and hashed, the same way on every machine', () => {
  expect(guardName('a'.repeat(65))).toBe(`${'a'.repeat(55)}_abe7e9fe`)
  expect(guardName('🦊'.repeat(65))).toMatch(/^_{55}_[0-9a-f]{8}$/)
})

test('long names that differ only where the cut is still differ', () => {
  const names = ['b', 'c', '\ud800', '\udbff', ' '].map((tail) => guardName('a'.repeat(100) + tail))
  expect(new Set(names).size).toBe(names.length)
})

test('ten megabytes are no trouble', () => {
  expect(guardName('é'.repeat(10_000_000))).toHaveLength(64)
})
