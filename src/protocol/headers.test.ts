import { expect, test } from 'vitest'
import { decodeHeaderValue, encodeHeaderValue, headerMismatch, nameSource } from './headers.ts'

test('plain text travels as it is, everything else in base64', () => {
  expect(encodeHeaderValue('tool_name')).toBe('tool_name')
  expect(encodeHeaderValue('ä')).toBe('=?base64?w6Q=?=')
  expect(encodeHeaderValue('=?base64?YQ==?=')).toBe('=?base64?PT9iYXNlNjQ/WVE9PT89?=')
  expect(decodeHeaderValue('=?base64?w6Q=?=')).toBe('ä')
})

test('a sentinel in another case is plain text', () => {
  expect(encodeHeaderValue('=?BASE64?YQ==?=')).toBe('=?BASE64?YQ==?=')
  expect(decodeHeaderValue('=?BASE64?YQ==?=')).toBe('=?BASE64?YQ==?=')
})

test.each(['=?base64?w6Q?=', '=?base64?w6Q==?=', '=?base64?@?=', '=?base64?/w==?='])('%s is broken', (value) => {
  expect(decodeHeaderValue(value)).toBeUndefined()
})

test('what Mcp-Name mirrors', () => {
  expect(nameSource('tools/call', { name: 'a' })).toBe('a')
  expect(nameSource('resources/read', { uri: 'u', name: 'a' })).toBe('u')
  expect(nameSource('tools/list', { name: 'a' })).toBeUndefined()
  expect(nameSource('tools/call', { name: 5 })).toBeUndefined()
  expect(nameSource('constructor', { name: 'a' })).toBeUndefined()
})

const GOOD = { version: '2026-07-28', method: 'tools/call', name: 'a' }
const mismatch = (headers: Partial<Record<keyof typeof GOOD, string | undefined>>, method = 'tools/call') =>
  headerMismatch({ ...GOOD, ...headers }, '2026-07-28', method, { name: 'a' })

test('headers that agree with the body', () => {
  expect(mismatch({})).toBeUndefined()
  expect(mismatch({ version: ' 2026-07-28 ', name: '=?base64?YQ==?=' })).toBeUndefined()
  expect(mismatch({ method: 'tools/list', name: undefined }, 'tools/list')).toBeUndefined()
  expect(mismatch({ method: 'tools/list' }, 'tools/list')).toBeUndefined()
})

test.each([
  [{ version: undefined }, 'MCP-Protocol-Version is required'],
  [{ version: '2025-11-25' }, 'MCP-Protocol-Version says 2025-11-25'],
  [{ method: undefined }, 'Mcp-Method is required'],
  [{ method: 'tools/list' }, 'Mcp-Method says tools/list'],
  [{ name: undefined }, 'Mcp-Name is required'],
  [{ name: 'b' }, 'Mcp-Name says b, the body a'],
  [{ name: '=?base64?Y?=' }, 'broken base64'],
])('%j: %s', (headers, problem) => {
  expect(mismatch(headers)).toContain(problem)
})

test('a message does not grow with what was sent', () => {
  expect(mismatch({ name: 'b'.repeat(1e6) })?.length).toBeLessThan(500)
})
