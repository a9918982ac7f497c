import { expect, test } from 'vitest'
import { down, offers } from '../../test/support/aggregation.ts'
import type { Contribution } from './contribution.ts'
import { instructionParts, mergeInstructions } from './instructions.ts'

const merged = (contributions: readonly Contribution[]) => mergeInstructions(instructionParts(contributions))
const says = (backend: string, instructions: string) => offers(backend, { instructions })

test('headings when there are several backends, nothing added to a single one', () => {
  expect(merged([says('a', 'Be kind.\n')])).toBe('Be kind.\n')
  expect(merged([says('a', 'Be kind.'), offers('b', []), says('c', 'Be quick.')])).toBe(
    '## a\n\nBe kind.\n\n## c\n\nBe quick.',
  )
  expect(merged([offers('a', []), says('b', 'Only b.')])).toBe('## b\n\nOnly b.')
})

test('silence and absence are no instructions', () => {
  expect(merged([])).toBeUndefined()
  expect(merged([says('a', '  \n'), down(says('b', 'Away.'))])).toBeUndefined()
})

test('what does not fit is cut from the longest, and marked', () => {
  const text = merged([says('a', 'é'.repeat(1_000_000)), says('b', 'short')]) ?? ''
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16 * 1024)
  expect(Buffer.byteLength(text)).toBeGreaterThan(16 * 1024 - 8)
  expect(text).toMatch(/^## a\n\né+\n\[cut\]\n\n## b\n\nshort$/)
})

test('some of the parts keep their headings, and what is left grows into the room of the others', () => {
  const parts = instructionParts([says('a', 'x'.repeat(16_000)), says('b', 'x'.repeat(16_000)), offers('c', [])])
  expect(mergeInstructions(parts.slice(1))).toBe(`## b\n\n${'x'.repeat(16_000)}`)
  expect(mergeInstructions([])).toBeUndefined()
})

test('a part tells whether its backend has skills', () => {
  const silent = says('a', 'Hm.')
  const able = { 'io.modelcontextprotocol/skills': {} }
  const skilled = { ...silent, lists: { ...silent.lists!, extensions: able } }
  expect(instructionParts([silent, skilled]).map(({ skills }) => skills)).toEqual([false, true])
})
