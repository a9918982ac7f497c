import { expect, test } from 'vitest'
import { clip } from './clip.ts'

test('what is short stays, what is long is cut and says so', () => {
  expect(clip('a'.repeat(200))).toBe('a'.repeat(200))
  expect(clip('a'.repeat(201))).toBe(`${'a'.repeat(200)}...`)
})
