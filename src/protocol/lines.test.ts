import { expect, test } from 'vitest'
import { LineReader } from './lines.ts'

function read(max: number, ...chunks: (string | Buffer)[]): string[] {
  const lines: string[] = []
  const reader = new LineReader(
    (line) => lines.push(line),
    () => lines.push('OVERFLOW'),
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

test('a line that is too long ends it', () => {
  expect(read(3, 'abc\nabcd\nx\n')).toEqual(['abc', 'OVERFLOW'])
  expect(read(3, 'ab', 'cd', '\nx\n')).toEqual(['OVERFLOW'])
})
