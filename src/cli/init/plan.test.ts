import { expect, test } from 'vitest'
import type { JsonObject } from '../../model/json.ts'
import { plan } from './plan.ts'

const planned = (found: Record<string, JsonObject>, existing: Record<string, JsonObject>) =>
  plan(
    Object.entries(found).map(([name, definition]) => ({ name, definition, clients: [] })),
    new Map(Object.entries(existing)),
  ).map(({ name, definition, change, keys }) => ({ name, definition, change, keys }))

test('new servers follow the existing ones, and nothing is removed', () => {
  expect(planned({ b: { command: 'y' } }, { a: { command: 'x' } })).toEqual([
    { name: 'a', definition: { command: 'x' }, change: 'kept', keys: [] },
    { name: 'b', definition: { command: 'y' }, change: 'added', keys: [] },
  ])
})

test('a server that is the same stays as the file writes it', () => {
  const held = { command: 'x', note: 'mine' }
  expect(planned({ a: { type: 'stdio', command: 'x' } }, { a: held })).toEqual([
    { name: 'a', definition: held, change: 'same', keys: [] },
  ])
})

test('a server that is another is replaced, and the keys that differ are named', () => {
  expect(planned({ a: { command: 'x', args: ['2'] } }, { a: { command: 'x', args: ['1'] } })).toEqual([
    { name: 'a', definition: { command: 'x', args: ['2'] }, change: 'changed', keys: ['args'] },
  ])
})

test('what is switched off on either side stays off', () => {
  const off = { command: 'x', disabled: true }
  expect(planned({ a: { command: 'x' } }, { a: off })[0]).toMatchObject({ definition: off, change: 'same' })
  expect(planned({ a: { command: 'y' } }, { a: off })[0]?.definition).toEqual({ command: 'y', disabled: true })
  expect(planned({ a: off }, { a: { command: 'x' } })[0]).toMatchObject({ definition: off, change: 'changed' })
})
