import { expect, test } from 'vitest'
import type { JsonObject } from '../model/json.ts'
import { META, VENDOR_META } from './envelope.ts'
import { legacyParams, modernParams, modernResult, withoutHop } from './translate.ts'

const IDENTITY = { name: 'vmcp', version: '1' }
const received = {
  name: 'shown',
  arguments: { a: 1 },
  _meta: {
    [META.version]: '2026-07-28',
    [META.capabilities]: { sampling: {} },
    [META.client]: { name: 'client' },
    progressToken: 'theirs',
    traceparent: 't',
  },
}

test('to a legacy backend: native name, no envelope, our own progress token', () => {
  expect(legacyParams(received, { name: 'native' }, 7)).toEqual({
    name: 'native',
    arguments: { a: 1 },
    _meta: { traceparent: 't', progressToken: 7 },
  })
  const { traceparent: _, ...meta } = received._meta
  expect(legacyParams({ _meta: meta }, {})).toEqual({})
  expect(legacyParams({ a: 1 }, {})).toEqual({ a: 1 })
})

const HOP = { identity: IDENTITY, capabilities: {} }

test('to a modern backend: an envelope of ours, the client under a vendor key', () => {
  expect(modernParams(received, {}, HOP)).toEqual({
    ...received,
    _meta: {
      traceparent: 't',
      [META.version]: '2026-07-28',
      [META.capabilities]: {},
      [META.client]: IDENTITY,
      [VENDOR_META.client]: { name: 'client' },
    },
  })
})

test('what was received is not changed, and keys of Object.prototype are data', () => {
  const params = JSON.parse('{"__proto__":{"x":1},"_meta":{"__proto__":{"y":1}}}') as JsonObject
  const before = JSON.stringify(params)
  const sent = legacyParams(params, {}, 1)
  expect(JSON.stringify(params)).toBe(before)
  expect(JSON.stringify(sent)).toBe('{"__proto__":{"x":1},"_meta":{"__proto__":{"y":1},"progressToken":1}}')
})

test('a result for a modern client', () => {
  const backend = { content: [], _meta: { k: 1, [META.server]: { name: 'b' } } }
  expect(modernResult('tool', backend, 'legacy', IDENTITY)).toEqual({
    content: [],
    resultType: 'complete',
    _meta: { k: 1, [META.server]: IDENTITY, [VENDOR_META.server]: { name: 'b' } },
  })
  expect(modernResult('tool', { resultType: 'task' }, 'modern', IDENTITY)['resultType']).toBe('task')
  expect(modernResult('tool', { resultType: 'task' }, 'legacy', IDENTITY)['resultType']).toBe('complete')
  expect(modernResult('resource', { contents: [] }, 'modern', IDENTITY)).toMatchObject({
    ttlMs: 0,
    cacheScope: 'private',
  })
  expect(modernResult('resource', { ttlMs: 5, cacheScope: 'public' }, 'modern', IDENTITY)).toMatchObject({
    ttlMs: 5,
    cacheScope: 'public',
  })
})

test('a modern result for a legacy client', () => {
  const meta = { [META.server]: { name: 'b' }, k: 1 }
  const modern = { content: [], resultType: 'complete', ttlMs: 0, cacheScope: 'private', vendor: true, _meta: meta }
  expect(withoutHop(modern)).toEqual({
    ...modern,
    _meta: { k: 1, [VENDOR_META.server]: { name: 'b' } },
  })
  expect(withoutHop({ content: [] })).toEqual({ content: [] })
})
