import { expect, test } from 'vitest'
import { parseBytes } from './bytes.ts'
import { parseDuration } from '../model/duration.ts'

test.each([
  ['30s', 30_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1500],
  ['250ms', 250],
  ['1000us', 1],
  ['1000µs', 1],
  ['1000000ns', 1],
  ['0s', 0],
  ['30', undefined],
  ['', undefined],
  ['-5s', undefined],
  ['5 s', undefined],
  ['1s'.repeat(100), undefined],
])('duration %s is %s ms', (text, expected) => {
  expect(parseDuration(text)).toBe(expected)
})

test.each([
  ['64Mi', 64 * 2 ** 20],
  ['8MiB', 8 * 2 ** 20],
  ['10MB', 10_000_000],
  ['10M', 10_000_000],
  ['1.5Ki', 1536],
  ['1kB', 1000],
  ['512', 512],
  [4096, 4096],
  ['64Q', undefined],
  ['-1', undefined],
  [1.5, undefined],
  ['9'.repeat(30), undefined],
])('%s is %s bytes', (text, expected) => {
  expect(parseBytes(text)).toBe(expected)
})
