import type { CacheHint, Catalogue, ListKind } from '../../../model/catalogue.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { isObject } from '../../../model/json.ts'
import { lowerDefinition } from '../../../protocol/downgrade.ts'
import { META } from '../../../protocol/envelope.ts'
import { eraOf } from '../../../protocol/revisions.ts'
import type { Sealer } from '../../../protocol/sealed.ts'
import type { Identity } from '../../../protocol/translate.ts'

const PAGE_SIZE = 1000
/** Resources may have URIs that do not fit into a token; behind those only the place counts. */
const MAX_CURSOR_NAME = 300
/** Of the last of them one or the other may be gone by the next page. */
const CURSOR_NAMES = 4

/** Member of the result that holds each list. */
const MEMBERS: Readonly<Record<ListKind, string>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resourceTemplates',
}

export interface ListRequest {
  kind: ListKind
  /** Of the caller: what it does not know is left out. */
  revision: string
  cursor: unknown
  /** Whose cursor it is: a cursor of somebody else does not open. */
  principal: string
  /** For modern callers. */
  hint: CacheHint
}

/** Serialised pages of one catalogue without their hints, which change with time: made once, not per request. */
const pages = new WeakMap<Catalogue, Map<string, string>>()

/** JSON text of the result of a list request. Throws `PARAMS_INVALID` for a cursor that is not ours. */
export function listPage(catalogue: Catalogue, request: ListRequest, sealer: Sealer, identity: Identity): string {
  const start = startOf(catalogue, request, sealer)
  const { kind, revision, principal, hint } = request
  let cache = pages.get(catalogue)
  if (!cache) pages.set(catalogue, (cache = new Map()))
  const key = `${kind} ${revision} ${start} ${principal}`
  let text = cache.get(key)
  if (text === undefined) {
    text = JSON.stringify(makePage(catalogue, request, start, sealer, identity))
    cache.set(key, text)
  }
  return eraOf(revision) === 'modern' ? hinted(text, hint) : text
}

/** The text of an object that has members, with two more. */
function hinted(text: string, { ttlMs, cacheScope }: CacheHint): string {
  return `${text.slice(0, -1)},"ttlMs":${ttlMs},"cacheScope":"${cacheScope}"}`
}

function makePage(
  catalogue: Catalogue,
  { kind, revision, principal }: ListRequest,
  start: number,
  sealer: Sealer,
  identity: Identity,
): JsonObject {
  const era = eraOf(revision)
  const listed = [...catalogue[kind].values()].filter((entry) => entry.visibility === 'listed')
  const page = listed.slice(start, start + PAGE_SIZE)
  const definitions = page.map(({ definition }) =>
    era === 'legacy' ? lowerDefinition(revision, kind, definition) : withoutExecution(definition),
  )
  const result: JsonObject = { [MEMBERS[kind]]: definitions }
  const last = page.at(-1)
  if (last && start + PAGE_SIZE < listed.length) {
    const latest = page.slice(-CURSOR_NAMES).map(({ shown }) => shown)
    const after = latest.slice(latest.findLastIndex((shown) => shown.length > MAX_CURSOR_NAME) + 1)
    result['nextCursor'] = sealer.seal({ after, index: start + PAGE_SIZE }, binding(kind, principal))
  }
  if (era === 'modern') {
    result['resultType'] = 'complete'
    result['_meta'] = { [META.server]: identity }
  }
  return result
}

/** Core tasks, of which it speaks, are unknown to modern clients. */
function withoutExecution(definition: JsonObject): JsonObject {
  if (definition['execution'] === undefined) return definition
  const { execution: _, ...rest } = definition
  return rest
}

/**
 * A cursor names the last entries shown, so that a changed catalogue does not break paging: the next page starts after
 * the latest of them that is still there. Its place is the fallback.
 */
function startOf(catalogue: Catalogue, { kind, cursor, principal }: ListRequest, sealer: Sealer): number {
  if (cursor === undefined) return 0
  const opened = typeof cursor === 'string' ? sealer.open(cursor, binding(kind, principal)) : undefined
  if (!isObject(opened)) throw new GatewayError('PARAMS_INVALID', 'Invalid cursor')
  const { after, index } = opened
  const names: readonly unknown[] = Array.isArray(after) ? after : []
  let listed = 0
  let start: number | undefined
  // Entries that have left the list since keep their place among all entries.
  for (const entry of catalogue[kind].values()) {
    if (entry.visibility === 'listed') listed++
    if (names.includes(entry.shown)) start = listed
  }
  return start ?? Math.min(Number(index), listed)
}

function binding(kind: ListKind, principal: string): string {
  return `cursor ${kind} ${principal}`
}
