import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expand, expandTexts, literal } from './expand.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmcp-expand-'))
writeFileSync(join(folder, 'token'), 's3cr3t\n')
const read: string[] = []
const around = { env: { HOST: 'example', EMPTY: '' }, folder, onRead: (file: string) => void read.push(file) }

test.each([
  ['plain', 'plain'],
  ['${HOST}', 'example'],
  ['http://${HOST}:${PORT:-80}/${env:HOST}', 'http://example:80/example'],
  ['${EMPTY:-default}', 'default'],
  ['${EMPTY}', ''],
  ['${NONE:-}', ''],
  ['${file:token}', 's3cr3t'],
  ['$${HOST} $HOST $$', '${HOST} $HOST $$'],
  ['$$${HOST}', '$${HOST}'],
])('%s becomes %s', (text, expected) => {
  expect(expand(text, around)).toEqual({ value: expected, problems: [] })
})

test.each([
  ['${NONE}', 'the variable NONE is not set'],
  ['${env:NONE}', 'the variable NONE is not set'],
  ['${file:absent}', 'cannot be read (ENOENT)'],
  ['${input:key}', 'only an editor can ask'],
  ['${a b}', 'is not a reference'],
  ['${__proto__}', 'not set'],
  ['${HOST', 'never closed'],
])('%s is a problem', (text, message) => {
  const { problems } = expand(text, around)
  expect(problems.map((problem) => problem.message)).toEqual([expect.stringContaining(message)])
})

test('all problems of a text are found, and every file that was tried is told', () => {
  expect(expand('${A}${B}', around).problems).toHaveLength(2)
  expect(read).toContain(join(folder, 'absent'))
})

test('a literal text expands to itself', () => {
  for (const text of ['${HOST}', '$${HOST}', '$', '${', 'a${b}c$$'])
    expect(expand(literal(text), around).value).toBe(text)
})

test('every text of a value is expanded; what cannot be stays as it is written', () => {
  const told: unknown[] = []
  const value = { a: '${HOST}', b: ['$${HOST}', '${NONE}'], c: { d: '${EMPTY}', e: '' }, f: 1, g: true }
  expect(expandTexts(value, around, (steps, { message }) => void told.push([steps.join('.'), message]))).toEqual({
    a: 'example',
    b: ['${HOST}', '${NONE}'],
    c: { d: '${EMPTY}', e: '' },
    f: 1,
    g: true,
  })
  expect(told).toEqual([
    ['b.1', 'the variable NONE is not set'],
    ['c.d', 'the value is empty once its references are replaced'],
  ])
})
