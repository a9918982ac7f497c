import { GatewayError, JSONRPC } from '../model/errors.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { isDeep, isObject } from '../model/json.ts'
import { isRawNumber, parseJson } from './json.ts'

/**
 * A received JSON-RPC 2.0 message. Ids are kept as their JSON text: exact for every number,
 * different for `1` and `"1"`, and ready to be written back.
 */
export type Message =
  | { kind: 'request'; id: string; method: string; params: JsonObject }
  | { kind: 'notification'; method: string; params: JsonObject }
  | { kind: 'response'; id: JsonValue; result: JsonObject }
  /** `malformed`: neither a result nor an error could be read in it. Whoever waits for it must not wait for ever. */
  | { kind: 'error'; id: JsonValue; error: WireError; malformed?: true }
  | { kind: 'batch'; items: JsonValue[] }
  /** `id` is the JSON text of the id as far as there was one. */
  | { kind: 'invalid'; id: string; problem: string }

/** Deeper than anybody means it, far from where `JSON.stringify` runs out of stack. */
const MAX_DEPTH = 1000
const TOO_DEEP = `the message is nested deeper than ${MAX_DEPTH} levels`

export interface WireError {
  code: number
  message: string
  data?: JsonValue
}

export function classifyMessage(value: JsonValue): Message {
  if (Array.isArray(value)) return { kind: 'batch', items: value }
  if (!isObject(value)) return invalid(undefined, 'a JSON-RPC message must be an object')
  const { id, method, params } = value
  if (value['jsonrpc'] !== '2.0') return invalid(id, 'the member "jsonrpc" must be "2.0"')
  if (method === undefined) return classifyResponse(value, id)
  if (typeof method !== 'string') return invalid(id, 'the member "method" must be a string')
  if (params !== undefined && (!isObject(params) || isRawNumber(params))) {
    return invalid(id, 'the member "params" must be an object')
  }
  if (id === undefined) return { kind: 'notification', method, params: params ?? {} }
  if (!isId(id)) return invalid(undefined, 'the member "id" must be a string or a number')
  return { kind: 'request', id: idText(id), method, params: params ?? {} }
}

function classifyResponse(value: JsonObject, id: JsonValue | undefined): Message {
  const { result, error } = value
  if (isObject(result) && !isRawNumber(result) && id !== undefined) return { kind: 'response', id, result }
  if (isObject(error) && typeof error['code'] === 'number') {
    const { code, message, data } = error
    const text = typeof message === 'string' ? message : ''
    return {
      kind: 'error',
      id: id ?? null,
      error: data === undefined ? { code, message: text } : { code, message: text, data },
    }
  }
  if (isId(id) && (result !== undefined || error !== undefined)) {
    const message = 'the response has neither an object as "result" nor an "error" with a code'
    return { kind: 'error', id, error: { code: JSONRPC.invalidRequest, message }, malformed: true }
  }
  return invalid(id, 'a JSON-RPC message needs a method, a result or an error')
}

function invalid(id: JsonValue | undefined, problem: string): Message {
  return { kind: 'invalid', id: isId(id) ? idText(id) : 'null', problem }
}

/** Strings, numbers, and numbers too long for JavaScript (JSON.rawJSON objects). */
function isId(id: JsonValue | undefined): id is JsonValue {
  return typeof id === 'string' || typeof id === 'number' || isRawNumber(id)
}

function idText(id: JsonValue): string {
  return typeof id === 'number' ? String(id) : JSON.stringify(id)
}

/** The text of a message in one object. Throws `PARSE_ERROR`. */
export function parseMessage(text: string): Message {
  let value: JsonValue
  try {
    value = parseJson(text)
  } catch (error) {
    if (error instanceof RangeError) return invalid(undefined, TOO_DEEP)
    throw new GatewayError('PARSE_ERROR', 'Parse error: the body is not valid JSON')
  }
  if (text.length > 2 * MAX_DEPTH && isDeep(value, MAX_DEPTH)) {
    return invalid(isObject(value) ? value['id'] : undefined, TOO_DEEP)
  }
  return classifyMessage(value)
}

export function resultText(id: string, result: JsonObject): string {
  return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`
}

export function errorText(id: string, error: WireError): string {
  return `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(error)}}`
}

export function notificationText(method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params })
}

/** The error that a peer of ours gets for a request that this path does not carry. */
export function methodNotFound(method: string): WireError {
  return { code: JSONRPC.methodNotFound, message: `Method not found: ${method.slice(0, 100)}` }
}

let previousId = 0

/**
 * An id for a request of ours: 15 digits, so that its text can be found and replaced in a byte stream,
 * and unpredictable, so that no client can plant it in a payload.
 */
export function upstreamId(): number {
  let id = 0
  do id = 1e14 + Math.floor(Math.random() * 9e14)
  while (id === previousId)
  previousId = id
  return id
}
