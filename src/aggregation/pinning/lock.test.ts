import { expect, test } from 'vitest'
import { backendId } from '../../model/ids.ts'
import { diffLocks, lockOf, parseLock, renderLock, updatedLock } from './lock.ts'
import type { Pin, PinKind } from './pins.ts'

const pin = (backend: string, kind: PinKind, name: string, digit = 'a'): Pin => ({
  backend: backendId(backend),
  kind,
  name,
  hash: digit.repeat(64),
})
const said = (lines: string) => parseLock(`version 1\n${lines}`).fault

test('one sorted line for each hash, names in quotes that could be mistaken', () => {
  const names = ['echo', 'Echo', '#x', 'two words', 'ze\u200bro', 'line\nbreak', '\ud800', '"', '']
  const lock = lockOf([
    ...names.map((name) => pin('b', 'tool', name)),
    pin('b', 'tool', 'echo', 'f'),
    pin('a', 'template', 'file:///{path}'),
    pin('a', 'instructions', ''),
    pin('My Server', 'prompt', 'p'),
  ])
  const text = renderLock(lock)
  expect(text.split('\n').slice(2)).toEqual([
    'version 1',
    `"My Server" prompt p sha256:${'a'.repeat(64)}`,
    `a instructions sha256:${'a'.repeat(64)}`,
    `a template file:///{path} sha256:${'a'.repeat(64)}`,
    `b tool "" sha256:${'a'.repeat(64)}`,
    `b tool "\\"" sha256:${'a'.repeat(64)}`,
    `b tool "#x" sha256:${'a'.repeat(64)}`,
    `b tool Echo sha256:${'a'.repeat(64)}`,
    `b tool echo sha256:${'a'.repeat(64)}`,
    `b tool echo sha256:${'f'.repeat(64)}`,
    `b tool "line\\nbreak" sha256:${'a'.repeat(64)}`,
    `b tool "two words" sha256:${'a'.repeat(64)}`,
    `b tool "ze\\u200bro" sha256:${'a'.repeat(64)}`,
    `b tool "\\ud800" sha256:${'a'.repeat(64)}`,
    '',
  ])
  const read = parseLock(text.replaceAll('\n', '\r\n')).lock
  expect(renderLock(read!)).toBe(text)
})

test.each([
  ['', 'it has no "version 1"'],
  ['{"version":1}', 'line 1: expected "version 1"'],
  ['version 2\n', 'line 1: expected "version 1"'],
  ['# a\n\nversion 1\nnonsense', 'line 4: expected BACKEND KIND NAME sha256:HEX'],
  ['\u0000\u0001', 'line 1: expected "version 1"'],
])('%j is refused with its line', (text, fault) => {
  expect(parseLock(text)).toEqual({ fault })
})

const HASH = `sha256:${'0'.repeat(64)}`

test.each([
  '<<<<<<< HEAD',
  `b tool t sha256:${'0'.repeat(63)}`,
  `b tool t sha256:${'A'.repeat(64)}`,
  `b tool t md5:${'0'.repeat(64)}`,
  `b tool t ${HASH} `,
  `b  tool t ${HASH}`,
  `b tools t ${HASH}`,
  `b tool ${HASH}`,
  `b instructions x ${HASH}`,
  `b tool "\\u0065cho" ${HASH}`,
  `b tool "echo" ${HASH}`,
  `b tool "two\u200b words" ${HASH}`,
  `b tool "open ${HASH}`,
  `b tool "a" b" ${HASH}`,
  `tool t ${HASH}`,
])('the line %j is refused: it is not as vmcp lock writes it', (line) => {
  expect(said(line)).toBe('line 2: expected BACKEND KIND NAME sha256:HEX')
})

test('an entry that stands there twice is refused', () => {
  expect(said(`b tool t ${HASH}\nb tool t ${HASH}`)).toBe('line 3: it stands there twice')
})

test('differences, and entries of those who were not seen', () => {
  const before = lockOf([pin('a', 'tool', 'x'), pin('a', 'tool', 'y'), pin('b', 'tool', 'z'), pin('c', 'tool', 'w')])
  const found = [pin('a', 'tool', 'x', 'b'), pin('a', 'prompt', 'n')]
  const after = updatedLock(before, found, new Set([backendId('b')]))
  expect(diffLocks(before, after)).toEqual({
    added: [{ backend: 'a', kind: 'prompt', name: 'n' }],
    changed: [{ backend: 'a', kind: 'tool', name: 'x' }],
    gone: [
      { backend: 'a', kind: 'tool', name: 'y' },
      { backend: 'c', kind: 'tool', name: 'w' },
    ],
  })
  expect(diffLocks(after, updatedLock(after, found, new Set([backendId('b')])))).toEqual({
    added: [],
    changed: [],
    gone: [],
  })
})
