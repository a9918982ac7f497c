import { expect, test } from 'vitest'
import { GatewayError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import { profileOf } from '../protocol/capabilities.ts'
import { errorFor } from './backend-error.ts'

const LINKS = { elicitation: { form: {}, url: {} } }

function shown(era: 'legacy' | 'modern', jsonrpc: number, data: JsonObject = {}, declared: JsonObject = {}): string {
  const profile = profileOf(declared, era === 'legacy' ? '2025-11-25' : '2026-07-28')
  const error = new GatewayError('BACKEND_ERROR', 'said', { jsonrpc, data })
  const result = errorFor(error, { era, profile }) as GatewayError
  return result === error ? 'as it is' : `${result.code}: ${result.message}`
}

test.each(['legacy', 'modern'] as const)('what a %s client gets of errors between gateway and backend', (era) => {
  expect(shown(era, -32020)).toBe("BACKEND_PROTOCOL: the backend refused the gateway's request: said")
  expect(shown(era, -32022)).toBe("BACKEND_PROTOCOL: the backend refused the gateway's request: said")
  expect(shown(era, -32602)).toBe('as it is')
})

test('a missing capability is passed on only when it is missing', () => {
  const needs = { requiredCapabilities: { elicitation: { url: {} } } }
  expect(shown('modern', -32021, needs)).toBe('as it is')
  expect(shown('modern', -32021, needs, { elicitation: {} })).toBe('as it is')
  expect(shown('legacy', -32021, needs)).toContain('the client has not declared what this needs')
  for (const era of ['legacy', 'modern'] as const) {
    expect(shown(era, -32021, needs, LINKS)).toContain('that it was told of')
  }
})

test('links that must be visited are an error of legacy clients that can visit them', () => {
  expect(shown('legacy', -32042, {}, LINKS)).toBe('as it is')
  expect(shown('legacy', -32042)).toBe('BACKEND_PROTOCOL: said')
  expect(shown('modern', -32042, {}, LINKS)).toBe('BACKEND_PROTOCOL: said')
})
