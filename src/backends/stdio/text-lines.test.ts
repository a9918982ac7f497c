import { expect, test } from 'vitest'
import { TextLines } from './text-lines.ts'

function linesOf(...chunks: string[]): string[] {
  const lines: string[] = []
  const reader = new TextLines((line) => lines.push(line))
  for (const chunk of chunks) reader.push(Buffer.from(chunk))
  return lines
}

test.each([
  ['one line', ['one\n'], ['one']],
  ['any line break, empty lines left out', ['one\r\ntwo\rthree\n\n'], ['one', 'two', 'three']],
  ['a line in pieces', ['o', 'n', 'e\ntw', 'o\n'], ['one', 'two']],
  ['nothing before its end', ['one'], []],
])('%s', (_name, chunks, lines) => {
  expect(linesOf(...chunks)).toEqual(lines)
})

test('a line without end is cut and costs no memory', () => {
  const spinner = Array.from({ length: 1000 }, () => 'x'.repeat(10_000))
  expect(linesOf(...spinner, '\nnext\n')).toEqual(['x'.repeat(4096), 'next'])
})

test('a character that is split between chunks stays whole', () => {
  const lines: string[] = []
  const reader = new TextLines((line) => lines.push(line))
  for (const byte of Buffer.from('grüße\n')) reader.push(Buffer.of(byte))
  expect(lines).toEqual(['grüße'])
})
