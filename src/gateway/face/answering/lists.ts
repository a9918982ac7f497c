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

/** One page as text, without its hints, which change with time, and its cursor, which is the caller's own. */
interface Page {
  text: string
  /** What the cursor of the next page says. */
  next: JsonObject | undefined
}

/** The pages of one catalogue: made once, not per request. */
const pages = new WeakMap<Catalogue, Map<string, Page>>()

/** JSON text of the result of a list request. Throws `PARAMS_INVALID` for a cursor that is not ours. */
export function listPage(catalogue: Catalogue, request: ListRequest, sealer: Sealer, identity: Identity): string {
  const start = startOf(catalogue, request, sealer)
  const { kind, revision, principal, hint } = request
  let cache = pages.get(catalogue)
  if (!cache) pages.set(catalogue, (cache = new Map()))
  const key = `${kind} ${revision} ${start}`
  let page = cache.get(key)
  if (!page) cache.set(key, (page = makePage(catalogue, request, start, identity)))
  const { text, next } = page
  const modern = eraOf(revision) === 'modern'
  if (!modern && !next) return text
  const { ttlMs, cacheScope } = hint
  const hints = modern ? `,"ttlMs":${ttlMs},"cacheScope":"${cacheScope}"` : ''
  const cursor = next ? `,"nextCursor":"${sealer.seal(next, binding(kind, principal))}"` : ''
  return `${text.slice(0, -1)}${cursor}${hints}}`
}

function makePage(catalogue: Catalogue, { kind, revision }: ListRequest, start: number, identity: Identity): Page {
  const era = eraOf(revision)
  const listed = [...catalogue[kind].values()].filter((entry) => entry.visibility === 'listed')
  const page = listed.slice(start, start + PAGE_SIZE)
  const definitions = page.map(({ definition }) =>
    era === 'legacy' ? lowerDefinition(revision, kind, definition) : withoutExecution(definition),
  )
  const result: JsonObject = { [MEMBERS[kind]]: definitions }
  if (era === 'modern') {
    result['resultType'] = 'complete'
    result['_meta'] = { [META.server]: identity }
  }
  const text = JSON.stringify(result)
  if (page.length === 0 || start + PAGE_SIZE >= listed.length) return { text, next: undefined }
  const latest = page.slice(-CURSOR_NAMES).map(({ shown }) => shown)
  const after = latest.slice(latest.findLastIndex((shown) => shown.length > MAX_CURSOR_NAME) + 1)
  return { text, next: { after, index: start + PAGE_SIZE } }
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
