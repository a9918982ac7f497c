import { expect, test } from 'vitest'
import type { JsonObject } from '../model/json.ts'
import { META, metaOf, readEnvelope, withoutHopKeys } from './envelope.ts'
import { parseJson } from './json.ts'

const FULL = { [META.version]: '2026-07-28', [META.capabilities]: {}, [META.client]: { name: 'c' } }

test('an envelope', () => {
  expect(readEnvelope({ _meta: FULL })).toEqual({ version: '2026-07-28', capabilities: {}, client: { name: 'c' } })
})

test.each([{}, { _meta: {} }, { _meta: null }, { _meta: [] }, { _meta: 'x' }, { _meta: { [META.capabilities]: {} } }])(
  '%j carries none',
  (params) => {
    expect(readEnvelope(params as JsonObject)).toBeUndefined()
  },
)

test.each([
  [META.version, 5],
  [META.version, null],
  [META.capabilities, undefined],
  [META.capabilities, []],
  [META.capabilities, null],
  [META.capabilities, parseJson('1e400')],
  [META.client, 'me'],
  [META.client, null],
] as const)('%s: %j is a fault that names the key', (key, value) => {
  expect(readEnvelope({ _meta: { ...FULL, [key]: value } })).toContain(key)
})

test('a number is no _meta', () => {
  expect(metaOf({ _meta: parseJson('12345678901234567890') })).toBeUndefined()
})

test('keys of the hop are taken out, all others stay', () => {
  expect(withoutHopKeys(FULL)).toBeUndefined()
  const meta = JSON.parse('{"__proto__":1,"traceparent":"t","x/y":{}}') as JsonObject
  expect(JSON.stringify(withoutHopKeys({ ...FULL, ...meta }))).toBe('{"__proto__":1,"traceparent":"t","x/y":{}}')
})
