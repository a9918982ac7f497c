import type { JsonObject, JsonValue } from '../../../src/model/json.ts'
import type { RawRequest } from '../../support/raw-http.ts'
import { LEGACY, META, MODERN } from '../../support/script.ts'
import { NAMED } from '../../support/wire.ts'

export const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

const ENVELOPE: JsonObject = {
  [META.version]: MODERN,
  [META.capabilities]: { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } },
}

/** A request of the modern era as a good client sends it, and headers over it. */
export function modern(
  token: string | undefined,
  method: string,
  params: JsonObject = {},
  headers: Record<string, string | undefined> = {},
): RawRequest {
  const name = params[NAMED[method] ?? '']
  return {
    headers: {
      'mcp-protocol-version': MODERN,
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': encoded(name) }),
      ...bearer(token),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: ENVELOPE } }),
  }
}

const encoded = (name: string): string =>
  /^[\x21-\x7e]*$/u.test(name) ? name : `=?base64?${Buffer.from(name).toString('base64')}?=`

/** A call of a tool whose arguments are this text, which need not be what a serialiser writes. */
export function callWith(token: string | undefined, name: string, args: string | Buffer): RawRequest {
  const { headers } = modern(token, 'tools/call', { name })
  const [before = '', after = ''] = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name, arguments: '@', _meta: ENVELOPE },
  }).split('"@"')
  return {
    headers: headers ?? {},
    body: Buffer.concat([Buffer.from(before), Buffer.from(args as string), Buffer.from(after)]),
  }
}

/** A message of the legacy era in a session. */
export function legacy(
  token: string | undefined,
  session: string | undefined,
  message: JsonValue,
  headers: Record<string, string | undefined> = {},
): RawRequest {
  return {
    headers: {
      'mcp-protocol-version': LEGACY[0],
      ...(session !== undefined && { 'mcp-session-id': session }),
      ...bearer(token),
      ...headers,
    },
    body: JSON.stringify(message),
  }
}

export const request = (method: string, params: JsonObject = {}): JsonObject => ({
  jsonrpc: '2.0',
  id: 1,
  method,
  params,
})

export const HELLO = request('initialize', {
  protocolVersion: LEGACY[0]!,
  capabilities: {},
  clientInfo: { name: 'c', version: '1' },
})
