import type { JsonObject } from '../../../src/model/json.ts'
import type { RawRequest } from '../../support/raw-http.ts'
import type { World } from './world.ts'

/** What is sent: a request in parts, or bytes as they are. */
export type Shot = RawRequest | { bytes: string }

export interface Expected {
  /** `cut`: the connection ends without an answer. */
  status: number | readonly number[] | 'cut'
  /** Of the JSON-RPC error. */
  code?: number
  /** `WWW-Authenticate`; null: there is none. */
  challenge?: RegExp | null
  /** In the body. */
  text?: RegExp
  /** Header that the answer must not have. */
  lacks?: string
  /** The connection is closed after the answer, whatever else was sent on it. */
  closes?: true
  /** The arguments that the backend gets; absent: nothing reaches it. */
  received?: JsonObject | 'anything'
  /** The answer is, byte for byte, that to this one. */
  like?: (world: World) => Shot
}

export interface Attack {
  name: string
  send: (world: World) => Shot | readonly Shot[] | Promise<Shot | readonly Shot[]>
  expect: Expected
  /** For each shot; default: 2,000. */
  withinMs?: number
  /** What is not so yet, and why: the row fails, and tells when it does not any more. */
  owed?: string
}

/** The refusal of a token that proves nothing. */
export const INVALID: Expected = { status: 401, challenge: /^Bearer error="invalid_token", / }
/** The refusal of a request that shows no token. */
export const MISSING: Expected = { status: 401, challenge: /^Bearer resource_metadata="[^"]+", scope="mcp"$/ }
/** What is hidden from the caller, and what nobody has. */
export const UNKNOWN: Expected = { status: 200, code: -32602, challenge: null }
/** What the caller may see and not use like this. */
export const DENIED: Expected = { status: 403, code: 403, challenge: null }
export const NO_SESSION: Expected = { status: 404, code: -32001, challenge: null }
