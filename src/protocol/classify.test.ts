import { expect, test } from 'vitest'
import type { JsonObject } from '../model/json.ts'
import { classifyEra } from './classify.ts'
import { META } from './envelope.ts'

const MODERN = '2026-07-28'
const envelope = (version: string): JsonObject => ({ _meta: { [META.version]: version, [META.capabilities]: {} } })

test.each<[what: string, method: string, params: JsonObject, header: string | undefined, era: string]>([
  ['nothing at all', 'tools/list', {}, undefined, 'legacy'],
  ['a legacy header', 'tools/list', {}, '2025-06-18', 'legacy'],
  ['an unknown header', 'tools/list', {}, '2099-01-01', 'legacy'],
  ['initialize', 'initialize', {}, undefined, 'legacy'],
  ['an envelope', 'tools/list', envelope(MODERN), undefined, 'modern'],
  ['an envelope and its header', 'tools/list', envelope(MODERN), ` ${MODERN} `, 'modern'],
])('%s', (_what, method, params, header, era) => {
  expect(classifyEra(method, params, header).era).toBe(era)
})

test.each<[what: string, method: string, params: JsonObject, header: string | undefined, code: string]>([
  ['a modern header alone', 'tools/list', {}, MODERN, 'ENVELOPE_INVALID'],
  ['initialize under a modern header', 'initialize', {}, MODERN, 'HEADER_MISMATCH'],
  ['an envelope and another header', 'tools/list', envelope(MODERN), '2025-11-25', 'HEADER_MISMATCH'],
  ['half an envelope', 'tools/list', { _meta: { [META.version]: MODERN } }, MODERN, 'ENVELOPE_INVALID'],
  ['a revision to come', 'tools/list', envelope('2027-01-01'), undefined, 'VERSION_UNSUPPORTED'],
  ['a legacy revision in an envelope', 'tools/list', envelope('2025-11-25'), undefined, 'VERSION_UNSUPPORTED'],
])('%s is a fault', (_what, method, params, header, code) => {
  expect(() => classifyEra(method, params, header)).toThrow(expect.objectContaining({ code }))
})

test('an unsupported revision is told what is supported', () => {
  expect(() => classifyEra('m', envelope('x'.repeat(1e6)), undefined)).toThrow(
    expect.objectContaining({ data: { supported: [MODERN], requested: `${'x'.repeat(200)}...` } }),
  )
})
