import type { JsonObject } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { isRawNumber } from './json.ts'
import { isLogLevel } from './log-level.ts'

/** `_meta` keys that belong to one hop and are never passed on (2026-07-28, basic/index, "_meta"). */
export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  client: 'io.modelcontextprotocol/clientInfo',
  logLevel: 'io.modelcontextprotocol/logLevel',
  server: 'io.modelcontextprotocol/serverInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
} as const

/** `_meta` keys of our own. */
export const VENDOR_META = {
  /** The identities of the hop behind us. */
  client: 'vmcp/clientInfo',
  server: 'vmcp/serverInfo',
  /** In the result of a composite tool: its steps. */
  workflow: 'vmcp/workflow',
  /** There, too: under which its run is found in the history. */
  run: 'vmcp/runId',
  /** In a question of a composite tool: which step asks. */
  step: 'vmcp/step',
  /** The same for all attempts of one step, so that a server can tell a repetition from a second wish. */
  idempotencyKey: 'vmcp/idempotencyKey',
} as const

const HOP_KEYS: ReadonlySet<string> = new Set(Object.values(META))
const PLAIN = { enumerable: true, configurable: true, writable: true }

export function metaOf(params: JsonObject): JsonObject | undefined {
  const meta = params['_meta']
  return isObject(meta) && !isRawNumber(meta) ? meta : undefined
}

export interface Envelope {
  version: string
  capabilities: JsonObject
  client: JsonObject | undefined
  logLevel: string | undefined
}

/**
 * The modern per-request envelope. `undefined`: the request carries none.
 * A string: what is wrong with it.
 */
export function readEnvelope(params: JsonObject): Envelope | string | undefined {
  const meta = metaOf(params)
  if (!meta || meta[META.version] === undefined) return undefined
  const version = meta[META.version]
  const capabilities = meta[META.capabilities]
  const client = meta[META.client]
  if (typeof version !== 'string') return `${META.version} must be a string`
  if (!isObject(capabilities) || isRawNumber(capabilities))
    return `${META.capabilities} is required and must be an object`
  if (client !== undefined && (!isObject(client) || isRawNumber(client))) return `${META.client} must be an object`
  const logLevel = meta[META.logLevel]
  if (logLevel !== undefined && !isLogLevel(logLevel)) return `${META.logLevel} must be a log level`
  return { version, capabilities, client, logLevel }
}

/** `meta` without the keys of one hop; `undefined` when nothing is left. */
export function withoutHopKeys(meta: JsonObject): JsonObject | undefined {
  let left: JsonObject | undefined
  for (const key in meta) {
    if (HOP_KEYS.has(key)) continue
    left ??= {}
    // An assignment to this name would set a prototype.
    if (key === '__proto__') Object.defineProperty(left, key, { ...PLAIN, value: meta[key] })
    else left[key] = meta[key]
  }
  return left
}
