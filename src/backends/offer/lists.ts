import { isDeepStrictEqual } from 'node:util'
import type { NativeLists } from '../../model/backend.ts'
import type { Caller } from '../../model/call.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import type { CacheHint, ListKind } from '../../model/catalogue.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { TASKS_EXTENSION } from '../../protocol/capabilities.ts'
import { paramHeadersOf } from '../../protocol/param-headers.ts'
import type { Leg } from '../leg.ts'
import { ownRequest } from '../leg.ts'

/** A server that hands out cursors for ever must not keep us for ever. */
const MAX_PAGES = 1000

/** All lists of one backend as they were given at one time. */
export interface Listing {
  readonly lists: NativeLists
  /** What a modern server says of them; legacy ones say nothing. */
  readonly hints: Readonly<Record<ListKind, CacheHint | undefined>>
  /** When they were asked for, milliseconds on the clock of `performance.now`. */
  readonly at: number
  /** The connection that gave them. */
  readonly leg: Pick<Leg, 'capabilities' | 'hears'>
}

interface ListRow {
  method: string
  /** Member of the result. */
  member: string
  /** Capability that announces it. */
  capability: string
}

export const LISTS: Readonly<Record<ListKind, ListRow>> = {
  tools: { method: 'tools/list', member: 'tools', capability: 'tools' },
  prompts: { method: 'prompts/list', member: 'prompts', capability: 'prompts' },
  resources: { method: 'resources/list', member: 'resources', capability: 'resources' },
  templates: { method: 'resources/templates/list', member: 'resourceTemplates', capability: 'resources' },
}

/**
 * Everything a backend offers, all pages. A list that is announced and then refused counts as empty: servers declare
 * more than they have. `note` hears of it. Servers may list other things to callers that can do more: `caller` is whom it
 * is for, absent everybody. Throws only when the backend cannot be reached.
 */
export async function fetchLists(
  leg: Leg,
  signal: Cancellation,
  note: (message: string) => void,
  caller?: Caller,
): Promise<Listing> {
  const at = performance.now()
  const fetched = (kind: ListKind): Promise<Fetched> => fetchList(leg, LISTS[kind], signal, note, caller)
  const [tools, prompts, resources, templates] = await Promise.all([
    fetched('tools'),
    fetched('prompts'),
    fetched('resources'),
    fetched('templates'),
  ])
  const lists: NativeLists = {
    tools: leg.era === 'modern' ? tools.items.filter(presentable(note)) : tools.items,
    prompts: prompts.items,
    resources: resources.items,
    templates: templates.items,
  }
  if (leg.instructions !== undefined) lists.instructions = leg.instructions
  const extensions = extensionsOf(leg)
  if (extensions) lists.extensions = extensions
  const hints = { tools: tools.hint, prompts: prompts.hint, resources: resources.hint, templates: templates.hint }
  return { lists, hints, at, leg }
}

/** Whether two listings offer the same. What is nested too deep to be compared counts as changed. */
export function sameLists(a: NativeLists | undefined, b: NativeLists | undefined): boolean {
  try {
    return isDeepStrictEqual(a, b)
  } catch {
    return false
  }
}

function extensionsOf({ era, capabilities }: Leg): JsonObject | undefined {
  const { extensions } = capabilities
  if (!isObject(extensions) || era === 'modern') return isObject(extensions) ? extensions : undefined
  const { [TASKS_EXTENSION]: _, ...rest } = extensions
  return rest
}

/** Tools whose arguments cannot be mirrored in headers as they say may not be shown (2026-07-28, "Custom Headers"). */
function presentable(note: (message: string) => void): (tool: JsonObject) => boolean {
  return (tool) => {
    const mirrored = paramHeadersOf(tool)
    if (typeof mirrored !== 'string') return true
    note(`the tool ${JSON.stringify(tool['name'])?.slice(0, 100)} is left out: ${mirrored}`)
    return false
  }
}

interface Fetched {
  items: JsonObject[]
  hint: CacheHint | undefined
}

async function fetchList(
  leg: Leg,
  row: ListRow,
  signal: Cancellation,
  note: (message: string) => void,
  caller: Caller | undefined,
): Promise<Fetched> {
  const items: JsonObject[] = []
  const fetched: Fetched = { items, hint: undefined }
  if (leg.capabilities[row.capability] === undefined) return fetched
  const seen = new Set<string>()
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    let result: JsonObject
    try {
      const params: JsonObject = cursor === undefined ? {} : { cursor }
      const reply = await leg.request(ownRequest(row.method, params, signal, caller))
      if (reply.kind === 'stream') throw new GatewayError('BACKEND_PROTOCOL', `${row.method} was answered as a stream`)
      result = reply.value
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'BACKEND_ERROR') throw error
      if (error.jsonrpc !== JSONRPC.methodNotFound) note(`${row.method} failed: ${error.message}`)
      return fetched
    }
    const members = result[row.member]
    if (!Array.isArray(members)) {
      note(`${row.method} was answered without a list "${row.member}"`)
      return fetched
    }
    if (leg.era === 'modern') fetched.hint = stricter(fetched.hint, hintOf(result))
    for (const member of members) {
      if (isObject(member)) items.push(member)
      else note(`${row.method} holds an entry that is no object; it is dropped`)
    }
    const next = result['nextCursor']
    // The empty string is a cursor like any other.
    if (typeof next !== 'string') return fetched
    if (seen.has(next)) {
      note(`${row.method} repeats a cursor; the list is cut there`)
      return fetched
    }
    seen.add(next)
    cursor = next
  }
  note(`${row.method} has more than ${MAX_PAGES} pages; the list is cut there`)
  return fetched
}

/** What is absent or no hint counts as 0 and `public` (2026-07-28, caching). */
function hintOf(result: JsonObject): CacheHint {
  const ttlMs = result['ttlMs']
  const valid = typeof ttlMs === 'number' && ttlMs > 0
  return { ttlMs: valid ? Math.floor(ttlMs) : 0, cacheScope: result['cacheScope'] === 'private' ? 'private' : 'public' }
}

/** A list is as fresh as its oldest page, and one private page makes it private. */
function stricter(a: CacheHint | undefined, b: CacheHint): CacheHint {
  if (!a) return b
  return { ttlMs: Math.min(a.ttlMs, b.ttlMs), cacheScope: a.cacheScope === 'private' ? 'private' : b.cacheScope }
}
