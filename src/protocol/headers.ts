import type { JsonObject } from '../model/json.ts'
import { clip } from './clip.ts'

/**
 * Methods whose `Mcp-Name` header mirrors a field of `params` (2026-07-28, transports, "Standard headers"; tasks
 * extension, "Routing Headers").
 */
const NAME_SOURCE: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
}

/** The value that `Mcp-Name` mirrors, `undefined` when the method has none. */
export function nameSource(method: string, params: JsonObject): string | undefined {
  const field = Object.hasOwn(NAME_SOURCE, method) ? NAME_SOURCE[method] : undefined
  const value = field === undefined ? undefined : params[field]
  return typeof value === 'string' ? value : undefined
}

const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/
/** Lower case alone (2026-07-28, transports, "Value Encoding"): a name that is written otherwise is meant as it stands. */
const SENTINEL = /^=\?base64\?(.*)\?=$/

/** A header value; text that a header cannot carry, or that looks encoded, goes as `=?base64?...?=`. */
export function encodeHeaderValue(value: string): string {
  if (PLAIN.test(value) && !SENTINEL.test(value)) return value
  return `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`
}

/** `undefined`: the base64 form is broken. */
export function decodeHeaderValue(value: string): string | undefined {
  const trimmed = value.trim()
  const encoded = SENTINEL.exec(trimmed)?.[1]
  if (encoded === undefined) return trimmed
  if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return undefined
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined
}

export interface StandardHeaders {
  version: string | undefined
  method: string | undefined
  name: string | undefined
}

/**
 * What is wrong with the standard headers of a modern request against its body, which is the source of truth;
 * `undefined`: nothing.
 */
export function headerMismatch(
  headers: StandardHeaders,
  version: string,
  method: string,
  params: JsonObject,
): string | undefined {
  if (headers.version === undefined) return 'the header MCP-Protocol-Version is required'
  if (headers.version.trim() !== version)
    return `the header MCP-Protocol-Version says ${clip(headers.version)}, the body ${clip(version)}`
  if (headers.method === undefined) return 'the header Mcp-Method is required'
  if (headers.method.trim() !== method)
    return `the header Mcp-Method says ${clip(headers.method)}, the body ${clip(method)}`
  const expected = nameSource(method, params)
  if (headers.name === undefined) {
    return expected === undefined ? undefined : `the header Mcp-Name is required for ${clip(method)}`
  }
  if (expected === undefined) return undefined
  const name = decodeHeaderValue(headers.name)
  if (name === undefined) return 'the header Mcp-Name has a broken base64 form'
  return name === expected ? undefined : `the header Mcp-Name says ${clip(name)}, the body ${clip(expected)}`
}
