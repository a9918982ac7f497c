import { expect, test } from 'vitest'
import { plain } from '../positions.ts'
import { parseDocument } from './document.ts'

const values = (text: string, file = 'a.yaml') => parseDocument(file, text).documents.map(plain)
const faults = (text: string | Buffer, file = 'a.yaml') =>
  parseDocument(file, text).faults.map(({ line, column, path, message, hint }) =>
    [`${line}:${column}`, path, message, hint].filter((part) => part !== '' && part !== undefined).join(' | '),
  )

test('comments, trailing commas, a byte-order mark and CRLF are read', () => {
  expect(values('\uFEFF{\r\n // one\r\n "a": [1, 2,], /* two */ "b": null,\r\n}', 'a.json')).toEqual([
    { a: [1, 2], b: null },
  ])
  expect(values('\uFEFFa: 1\r\nb:\r\n  - x\r\n')).toEqual([{ a: 1, b: ['x'] }])
})

test('documents, anchors, merge keys and flow style are read', () => {
  expect(values('a: &x {b: 1}\nc: {<<: *x, d: *x}\n---\n# nothing\n---\ne: 2')).toEqual([
    { a: { b: 1 }, c: { b: 1, d: { b: 1 } } },
    { e: 2 },
  ])
  expect(values('{a: b}')).toEqual([{ a: 'b' }])
})

test('numbers keep their spelling beside their value', () => {
  const [root] = parseDocument('a.yaml', 'a: 0123').documents
  expect(root?.kind === 'map' && root.entries.get('a')?.value).toMatchObject({ value: 123, text: '0123' })
})

test.each([
  ['a: b: c', ['1:4 | broken YAML: nested mappings are not allowed in compact mappings']],
  ['a: "x', ['1:6 | broken YAML: missing closing "quote']],
  ['a:\n\tb: 1', ['2:1 | broken YAML: tabs are not allowed as indentation']],
  ['a: *nowhere', ['1:4 | a | the alias *nowhere has no anchor']],
  ['a: 1\nb: 2\na: 3', ['3:1 | a | duplicate key "a" | it stands at 1:1 already']],
  ['__proto__: {x: 1}', ['1:1 | __proto__ | the key "__proto__" is not allowed']],
  ['? [a]\n: b', ['1:3 | expected a key that is a plain text']],
  ['a: {{ b }}', ['1:5 | a | expected a key that is a plain text | put a template in quotes: "{{ ... }}"']],
  ['a: &a [*a]', [expect.stringContaining('nested more than 100 levels deep')]],
  ['['.repeat(5000), [expect.stringContaining('nested more than 100 levels deep')]],
  ['- '.repeat(5000), [expect.stringContaining('nested more than 100 levels deep')]],
])('%.40s is refused with its place', (text, expected) => {
  expect(faults(text)).toEqual(expected)
})

test.each([
  ['{"a": 1 "b": 2}', ['1:9 | broken JSON: expected "," or the end of the list or object']],
  ['{"a": tru}', [expect.stringContaining('1:7 | broken JSON: expected a value')]],
  ['{"a" 1}', ['1:6 | broken JSON: expected ":" after the key']],
  ['{"a": [1', [expect.stringContaining('broken JSON: expected "]"')]],
  ['{"a": 1,\n "a": 2}', ['2:2 | a | duplicate key "a" | it stands at 1:2 already']],
  ['{"b": {"__proto__": {"x": 1}}}', ['1:8 | b.__proto__ | the key "__proto__" is not allowed']],
  ['{"a":'.repeat(200), ['1:501 | nested more than 100 levels deep']],
])('%.40s is refused with its place', (text, expected) => {
  expect(faults(text, 'a.json')).toEqual(expected)
})

test('an alias bomb is refused once', () => {
  const levels = Array.from(
    { length: 20 },
    (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(', ')}]`,
  )
  expect(faults(`a0: &a0 [x]\n${levels.join('\n')}`)).toEqual([
    expect.stringContaining('expand to more than 10000 values'),
  ])
})

test('binary and huge files are refused', () => {
  expect(faults(Buffer.from([0xff, 0xfe, 0x00]))).toEqual(['1:1 | not a text file in UTF-8'])
  expect(faults('a: \0')).toEqual(['1:1 | not a text file in UTF-8'])
  expect(faults(Buffer.alloc(10 * 1024 * 1024 + 1, 32))).toEqual(['1:1 | larger than 10 MiB'])
})

test('keys such as "constructor" are ordinary and pollute nothing', () => {
  expect(values('constructor: {prototype: {polluted: 1}}')).toEqual([{ constructor: { prototype: { polluted: 1 } } }])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})
