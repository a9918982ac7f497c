import { expect, test } from 'vitest'
import { CLIENTS } from '../clients.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Entry } from './entry.ts'
import { merge } from './merge.ts'

function entry(id: string, name: string, definition: JsonObject): Entry {
  const client = CLIENTS.find((one) => one.id === id)
  if (!client) throw new Error(id)
  return { name, client, definition }
}
const short = (entries: Entry[], existing: Record<string, JsonObject> = {}) =>
  merge(entries, new Map(Object.entries(existing))).map(({ name, definition, clients }) => ({
    name,
    definition,
    clients: clients.map(({ id }) => id),
  }))

test('equal entries of several clients appear once', () => {
  const entries = [entry('cursor', 'a', { command: 'x' }), entry('vscode', 'a', { type: 'stdio', command: 'x' })]
  expect(short(entries)).toEqual([{ name: 'a', definition: { command: 'x' }, clients: ['cursor', 'vscode'] }])
})

test('different entries of one name get the suffix of their client', () => {
  const entries = [entry('cursor', 'a', { command: 'x' }), entry('zed', 'a', { command: 'y' })]
  expect(short(entries).map(({ name }) => name)).toEqual(['a-cursor', 'a-zed'])
})

test('a suffix that makes a name of another server gets a number', () => {
  const entries = [
    entry('cursor', 'a', { command: 'x' }),
    entry('zed', 'a', { command: 'y' }),
    entry('zed', 'a-cursor', { command: 'z' }),
  ]
  expect(short(entries).map(({ name }) => name)).toEqual(['a-cursor-2', 'a-zed', 'a-cursor'])
})

test('what the existing file holds under a name keeps it', () => {
  const entries = [entry('cursor', 'a', { command: 'x' }), entry('zed', 'a', { command: 'y' })]
  expect(short(entries, { a: { command: 'y' } }).map(({ name }) => name)).toEqual(['a-cursor', 'a'])
})

test('a server is switched off only when every client has it off', () => {
  const off = { command: 'x', disabled: true }
  expect(short([entry('cursor', 'a', off), entry('zed', 'a', { command: 'x' })])[0]?.definition).toEqual({
    command: 'x',
  })
  expect(short([entry('cursor', 'a', off), entry('zed', 'a', off)])[0]?.definition).toEqual(off)
})

test('names that JavaScript knows are names like others', () => {
  const entries = [entry('cursor', 'constructor', { command: 'x' }), entry('zed', 'toString', { command: 'y' })]
  expect(short(entries).map(({ name }) => name)).toEqual(['constructor', 'toString'])
})
