import { isObject, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import type { Peer } from './clients.ts'
import { META } from './script.ts'

/**
 * What may differ between a result through the gateway and the same result from the backend: members that only one
 * era has, and the identities of the hop. Everything else is deep-equal.
 */
const DOCUMENTED = {
  result: ['resultType', 'ttlMs', 'cacheScope'],
  meta: [META.serverInfo, 'vmcp/serverInfo'],
}

export function comparable(result: JsonObject): JsonObject {
  const { _meta, ...rest } = result
  for (const key of DOCUMENTED.result) delete rest[key]
  const meta = isObject(_meta) ? { ..._meta } : {}
  for (const key of DOCUMENTED.meta) delete meta[key]
  return Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest
}

/** Every entry of every list, as written on the wire, by what identifies it. */
export type Offer = Record<keyof typeof LISTS, Map<string, JsonObject>>

const LISTS = {
  tools: { member: 'tools', id: 'name', list: (client, params) => client.listTools(params) },
  prompts: { member: 'prompts', id: 'name', list: (client, params) => client.listPrompts(params) },
  resources: { member: 'resources', id: 'uri', list: (client, params) => client.listResources(params) },
  templates: {
    member: 'resourceTemplates',
    id: 'uriTemplate',
    list: (client, params) => client.listResourceTemplates(params),
  },
} as const satisfies Record<
  string,
  { member: string; id: string; list: (client: Peer['client'], params: { cursor?: string }) => Promise<unknown> }
>

/** All that a server offers. With `lenient`, a list that the server does not know is empty. */
export async function offerOf(peer: Peer, lenient = false): Promise<Offer> {
  const offer: Offer = { tools: new Map(), prompts: new Map(), resources: new Map(), templates: new Map() }
  for (const [kind, { member, id, list }] of Object.entries(LISTS)) {
    let cursor: string | undefined
    do {
      // SDK v2 follows cursors by itself.
      const pages = await peer
        .raws((client) => list(client, cursor === undefined ? {} : { cursor }))
        .catch((error: { code?: unknown }) => {
          if (lenient && error.code === -32601) return []
          throw error
        })
      for (const page of pages) {
        for (const entry of page[member] as JsonObject[]) offer[kind as keyof Offer].set(entry[id] as string, entry)
      }
      cursor = pages.at(-1)?.['nextCursor'] as string | undefined
    } while (cursor !== undefined)
  }
  return offer
}

/** One call, read or get that leaves nothing behind. */
export type Probe =
  | { tool: string; arguments?: JsonObject }
  | { resource: string }
  | { prompt: string; arguments?: Record<string, string> }

/** The answer to a probe as written on the wire, apart from documented fields: `{result}` or `{error}`. */
export async function answerTo(peer: Peer, probe: Probe): Promise<Record<string, JsonValue>> {
  const before = peer.received.length
  await perform(peer, probe).catch(() => undefined)
  const answer = peer.received.slice(before).findLast((message) => 'result' in message || 'error' in message)
  if (!answer) throw new Error(`no answer to ${JSON.stringify(probe)}`)
  return isObject(answer['result']) ? { result: comparable(answer['result']) } : { error: answer['error']! }
}

function perform({ client }: Peer, probe: Probe): Promise<unknown> {
  if ('tool' in probe) return client.callTool({ name: probe.tool, arguments: probe.arguments ?? {} })
  if ('resource' in probe) return client.readResource({ uri: probe.resource })
  return client.getPrompt({ name: probe.prompt, ...(probe.arguments && { arguments: probe.arguments }) })
}

/** The probe as a client of the gateway says it: names of tools and prompts get the prefix, URIs stay. */
export function prefixed(prefix: string, probe: Probe): Probe {
  if ('tool' in probe) return { ...probe, tool: prefix + probe.tool }
  if ('prompt' in probe) return { ...probe, prompt: prefix + probe.prompt }
  return probe
}

/** The part of an offer whose names begin with the prefix, under the names that the backend gave. */
export function unprefixed(prefix: string, entries: Map<string, JsonObject>): Map<string, JsonObject> {
  return new Map(
    [...entries]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, entry]) => [name.slice(prefix.length), { ...entry, name: name.slice(prefix.length) }]),
  )
}
