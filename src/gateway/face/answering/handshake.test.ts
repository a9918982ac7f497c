import { expect, test } from 'vitest'
import { handshakeOf } from './handshake.ts'

test.each([
  [{ protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'me' } }, '2025-06-18', 'me'],
  [{ protocolVersion: '2026-07-28', capabilities: {}, clientInfo: { name: 5 } }, '2025-11-25', 'unknown'],
  [{ protocolVersion: 'x', capabilities: {} }, '2025-11-25', 'unknown'],
])('%j', (params, revision, client) => {
  expect(handshakeOf(params)).toMatchObject({ revision, client })
})

test.each([
  {},
  { capabilities: {} },
  { protocolVersion: 5, capabilities: {} },
  { protocolVersion: 'x', capabilities: [] },
])('%j is refused', (params) => {
  expect(() => handshakeOf(params)).toThrow(expect.objectContaining({ code: 'PARAMS_INVALID' }))
})
