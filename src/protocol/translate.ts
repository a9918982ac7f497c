import type { Era } from '../model/backend.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { META, VENDOR_META, metaOf, withoutHopKeys } from './envelope.ts'
import { LATEST_MODERN } from './revisions.ts'

/** Who the gateway is, on either leg. */
export interface Identity {
  name: string
  version: string
  [key: string]: JsonValue
}

/**
 * `params` for a legacy backend: hop keys of `_meta` leave, the progress token is replaced by ours, everything else stays.
 * `patch` overrides top-level fields (the native name); a `_meta` of its own goes as it is.
 */
export function legacyParams(params: JsonObject, patch: JsonObject, progressToken?: number): JsonObject {
  const received = metaOf(params)
  if (!received || patch['_meta'] !== undefined) return { ...params, ...patch }
  const meta = passedMeta(received, progressToken)
  if (Object.keys(meta).length > 0) return { ...params, ...patch, _meta: meta }
  const { _meta: _, ...rest } = params
  return { ...rest, ...patch }
}

/** What the envelope of one request to a modern backend says. */
export interface ModernHop {
  identity: Identity
  /** What the caller can do. */
  capabilities: JsonObject
  /** What the caller calls itself, unless `params` say it. */
  client?: JsonObject | undefined
  logLevel?: string | undefined
  progressToken?: number | undefined
}

/** The same for a modern backend: our own envelope takes the place of the caller's. */
export function modernParams(
  params: JsonObject,
  patch: JsonObject,
  { identity, capabilities, client: caller, logLevel, progressToken }: ModernHop,
): JsonObject {
  const received = metaOf(params)
  const meta = passedMeta(received, progressToken)
  meta[META.version] = LATEST_MODERN
  meta[META.capabilities] = capabilities
  meta[META.client] = identity
  if (logLevel !== undefined) meta[META.logLevel] = logLevel
  const client = received?.[META.client] ?? caller
  if (client !== undefined) meta[VENDOR_META.client] = client
  return { ...params, ...patch, _meta: meta }
}

function passedMeta(received: JsonObject | undefined, progressToken: number | undefined): JsonObject {
  const meta = { ...(received && withoutHopKeys(received)) }
  delete meta['progressToken']
  if (progressToken !== undefined) meta['progressToken'] = progressToken
  return meta
}

/** Questions of a backend, or of the gateway for one: as they are, said by us. */
export function questionsResult(result: JsonObject, identity: Identity): JsonObject {
  return { ...result, _meta: asServer(metaOf(result), identity) }
}

function asServer(received: JsonObject | undefined, identity: Identity): JsonObject {
  const meta: JsonObject = { ...received, [META.server]: identity }
  const backend = received?.[META.server]
  if (backend !== undefined) meta[VENDOR_META.server] = backend
  return meta
}

/** Kinds of calls whose results say for how long they are good. */
const CACHED: ReadonlySet<string> = new Set(['resource', 'skills', 'skill', 'directory'])

/** A backend's result for a modern client (2026-07-28: `resultType`, cache hints on reads, our `serverInfo`). */
export function modernResult(kind: string, result: JsonObject, era: Era, identity: Identity): JsonObject {
  const meta = asServer(metaOf(result), identity)
  const resultType = (era === 'modern' ? result['resultType'] : undefined) ?? 'complete'
  const out: JsonObject = { ...result, resultType, _meta: meta }
  if (CACHED.has(kind)) {
    out['ttlMs'] = result['ttlMs'] ?? 0
    out['cacheScope'] = result['cacheScope'] ?? 'private'
  }
  return out
}

/** A modern backend's result for a legacy client, as far as `_meta` goes: keys of one hop leave. */
export function withoutHop(result: JsonObject): JsonObject {
  const received = metaOf(result)
  if (!received) return result
  const { _meta: _, ...out } = result
  const meta = withoutHopKeys(received) ?? {}
  const backend = received[META.server]
  if (backend !== undefined) meta[VENDOR_META.server] = backend
  if (Object.keys(meta).length > 0) out['_meta'] = meta
  return out
}
