import { expect, test } from 'vitest'
import { LineReader } from './lines.ts'

function read(max: number, ...chunks: (string | Buffer)[]): string[] {
  const lines: string[] = []
  const reader = new LineReader(
    (line) => lines.push(line),
    ({ head, tail }) => lines.push(`OVERFLOW ${head.length} ${tail.slice(-2)}`),
    max,
  )
  for (const chunk of chunks) reader.push(Buffer.from(chunk))
  reader.end()
  return lines
}

test('lines over chunks, blank ones left out, the last one without its end', () => {
  expect(read(100, 'a\nb', 'c\r', '\n\n\r\n', 'd')).toEqual(['a', 'bc', 'd'])
})

test('a character that is split', () => {
  const bytes = Buffer.from('😀\n')
  expect(read(100, bytes.subarray(0, 2), bytes.subarray(2))).toEqual(['😀'])
})

test('a line that is too long is passed over, its ends are kept', () => {
  expect(read(3, 'abc\nabcd\nx\n')).toEqual(['abc', 'OVERFLOW 4 cd', 'x'])
  expect(read(3, 'ab', 'cd', 'e', '\n', 'x\n')).toEqual(['OVERFLOW 4 de', 'x'])
  expect(read(3, 'ab', 'cd', 'e')).toEqual(['OVERFLOW 4 de'])
  expect(read(3, 'a'.repeat(1000), 'b'.repeat(1000), '\nx\n')).toEqual(['OVERFLOW 256 bb', 'x'])
})
