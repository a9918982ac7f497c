import { expect, test } from 'vitest'
import { down, offers } from '../../test/support/aggregation.ts'
import { mergeInstructions } from './instructions.ts'

const says = (backend: string, instructions: string) => offers(backend, { instructions })

test('headings when there are several backends, nothing added to a single one', () => {
  expect(mergeInstructions([says('a', 'Be kind.\n')])).toBe('Be kind.\n')
  expect(mergeInstructions([says('a', 'Be kind.'), offers('b', []), says('c', 'Be quick.')])).toBe(
    '## a\n\nBe kind.\n\n## c\n\nBe quick.',
  )
  expect(mergeInstructions([offers('a', []), says('b', 'Only b.')])).toBe('## b\n\nOnly b.')
})

test('silence and absence are no instructions', () => {
  expect(mergeInstructions([])).toBeUndefined()
  expect(mergeInstructions([says('a', '  \n'), down(says('b', 'Away.'))])).toBeUndefined()
})

test('what does not fit is cut from the longest, and marked', () => {
  const merged = mergeInstructions([says('a', 'é'.repeat(1_000_000)), says('b', 'short')]) ?? ''
  expect(Buffer.byteLength(merged)).toBeLessThanOrEqual(16 * 1024)
  expect(Buffer.byteLength(merged)).toBeGreaterThan(16 * 1024 - 8)
  expect(merged).toMatch(/^## a\n\né+\n\[cut\]\n\n## b\n\nshort$/)
})
