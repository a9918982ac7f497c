import { expect, test } from 'vitest'
import { lineAndColumn, MAX_DEPTH, MAX_LENGTH, MAX_NESTING, scan, utf16Offset } from './scan.ts'

const pieces = (text: string): string[] => {
  const found = scan(text)
  return found.kind === 'pieces'
    ? found.pieces.map((piece) => text.slice(piece.offset, piece.offset + piece.text.length))
    : []
}
const fault = (text: string): string | undefined => {
  const found = scan(text)
  return found.kind === 'fault' ? found.message : undefined
}
const when = (body: string): string => `permit(principal, action, resource) when { ${body} };`

test('policies are split at their ends, and not within quotes and comments', () => {
  const first = '@id("a;b") permit(principal, action, resource); '
  const second = '// x;\nforbid(principal, action, resource) when { context.arg_a == "\\";\\"" };'
  expect(pieces(first + second).map((one) => one.trim())).toEqual([first.trim(), second])
  expect(pieces(' \n// nothing\n')).toEqual([])
  expect(pieces('permit(principal')).toEqual(['permit(principal'])
})

test('brackets are counted, and not those in quotes and comments', () => {
  const nested = (deep: number): string => when('('.repeat(deep) + 'true' + ')'.repeat(deep))
  expect(fault(nested(MAX_NESTING - 1))).toBeUndefined()
  expect(fault(nested(MAX_NESTING))).toBe('nested more than 50 deep')
  expect(fault(when(`"${'('.repeat(1000)}" == "" // ${'{'.repeat(1000)}\n`))).toBeUndefined()
  expect(fault(when(Array.from({ length: 500 }, () => '(true)').join(' == ')))).toBeUndefined()
})

test.each([
  ['||', (n: number) => when(Array.from({ length: n }, () => 'context.arg_a == 1').join(' || '))],
  ['else if', (n: number) => when(`${'if true then true else '.repeat(n)}true`)],
  ['.', (n: number) => when(`context${'.a'.repeat(n)} == 1`)],
  ['when', (n: number) => `permit(principal, action, resource)${' when { true }'.repeat(n)};`],
  ['( within ||', (n: number) => when(`${'(true || '.repeat(n / 2)}true${')'.repeat(n / 2)}`)],
])('a long chain of %s is refused', (_, chain) => {
  expect(fault(chain(60))).toBeUndefined()
  expect(fault(chain(400))).toMatch(new RegExp(`more than ${MAX_DEPTH} operators|nested more than`))
})

test('sets may be long, policies may not', () => {
  expect(fault(when(`[${Array.from({ length: 5000 }, (_, i) => `-${i}`).join(', ')}].contains(1)`))).toBeUndefined()
  expect(fault(when(`"${'x'.repeat(MAX_LENGTH)}" == ""`))).toMatch('characters')
})

test('positions of the engine are bytes', () => {
  expect([utf16Offset('é😀x', 0), utf16Offset('é😀x', 2), utf16Offset('é😀x', 6), utf16Offset('é', 99)]).toEqual([
    0, 1, 3, 1,
  ])
  expect(lineAndColumn('a\nbc\n', 3)).toEqual({ line: 2, column: 2 })
})
