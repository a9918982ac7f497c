import { expect, test } from 'vitest'
import { offers, tool } from '../../../test/support/aggregation.ts'
import type { JsonObject } from '../../model/json.ts'
import { backendId } from '../../model/ids.ts'
import { canonicalJson } from '../../model/canonical-json.ts'
import { hashOf, pinsOf } from './pins.ts'

const resource = (more: JsonObject) => hashOf('resources', { uri: 'x:y', name: 'n', ...more })

test('keys in any order, numbers and surrogates as they are', () => {
  const value: JsonObject = { b: [1, { d: null, c: '\ud800' }], a: JSON.rawJSON('18446744073709551615'), x: undefined }
  expect(canonicalJson(value)).toBe('{"a":18446744073709551615,"b":[1,{"c":"\\ud800","d":null}]}')
  expect(canonicalJson(JSON.parse('{"__proto__":{"b":1},"a":2}'))).toBe('{"__proto__":{"b":1},"a":2}')
})

test('what is volatile is not pinned, whatever else there is is', () => {
  const plain = hashOf('tools', tool('t'))
  expect(hashOf('tools', tool('t', { _meta: { build: 7 }, icons: [{ src: 'x' }] }))).toBe(plain)
  for (const more of [
    { title: 'T' },
    { description: '' },
    { annotations: {} },
    { outputSchema: {} },
    { execution: {} },
    { size: 1 },
    { inputSchema: { type: 'object', _meta: {} } },
  ] satisfies JsonObject[]) {
    expect(hashOf('tools', tool('t', more)), JSON.stringify(more)).not.toBe(plain)
  }
  expect(resource({ size: 3, annotations: { lastModified: 'now' } })).toBe(resource({}))
  expect(resource({ annotations: { lastModified: 'now', priority: 1 } })).toBe(
    resource({ annotations: { priority: 1 } }),
  )
  expect(resource({ annotations: { priority: 2 } })).not.toBe(resource({ annotations: { priority: 1 } }))
})

test('one pin for each entry that clients could be shown, the first of two', () => {
  const { lists } = offers('b', {
    tools: [tool('t'), tool('t', { title: 'second' }), { name: 'broken' }],
    prompts: [{ name: 'p' }],
    resources: [{ uri: 'x:r', name: 'r' }],
    templates: [{ uriTemplate: 'x:{t}', name: 't' }],
    instructions: 'Be kind',
  })
  const pins = pinsOf(backendId('b'), lists!)
  expect(pins.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'instructions ',
    'tool t',
    'prompt p',
    'resource x:r',
    'template x:{t}',
  ])
  expect(pins[1]?.hash).toBe(hashOf('tools', tool('t')))
  expect(pins.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true)
  expect(pinsOf(backendId('b'), { ...lists!, instructions: ' \n' })).toHaveLength(4)
})
