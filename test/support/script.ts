import { setTimeout as sleep } from 'node:timers/promises'

import { isObject, type JsonObject, type JsonValue } from '../../src/model/json.ts'

/**
 * What a fixture backend offers and how it misbehaves, as data: the part that both transports share.
 * Everything may be changed while the backend runs; it applies from the next message on.
 */
export interface Script {
  name: string
  /** Revisions it speaks; `both` decides per request. */
  era: 'legacy' | 'modern' | 'both'
  instructions?: string
  /** Definitions as they are listed. They may be malformed on purpose. Absent: the capability is not declared. */
  tools?: JsonValue[]
  prompts?: JsonObject[]
  resources?: JsonObject[]
  templates?: JsonObject[]
  /** Takes subscriptions to its resources, whichever there are. */
  subscribable?: boolean
  /** Values that `completion/complete` offers, filtered by what was typed. Absent: the capability is not declared. */
  completions?: string[]
  /** Declared besides what follows from the rest. */
  capabilities?: JsonObject
  /** Answers to methods that come before all others. Thrown objects are JSON-RPC errors. */
  methods?: Record<string, (exchange: Exchange) => JsonObject | Promise<JsonObject>>
  /** Answers `tools/call`. Absent: `echoTool`. */
  call?: (name: string, args: JsonObject, exchange: Exchange) => JsonObject | Promise<JsonObject>
  /** Whole results of tools by name, given as they are. They come before `call`. */
  results?: Record<string, JsonObject>
  /** Before a result, for a request with a progress token: so many notifications, so far apart. */
  progress?: { steps: number; delayMs: number }
  /** Each result comes so much later, in milliseconds. */
  delayMs?: number
  /** Methods that are never answered. */
  hang?: string[]
  /** Methods that are answered with -32601, whatever the capabilities say. */
  unknown?: string[]
  /** Entries per page. Absent: one page. */
  pageSize?: number
  /** The cursor of the second page is the empty string, which is valid. */
  emptyCursor?: boolean
  /** Cache hints of modern lists and reads. */
  ttlMs?: number
  cacheScope?: 'public' | 'private'
}

/** One request while it is being answered. */
export interface Exchange {
  era: 'legacy' | 'modern'
  /** Set as a header or in the envelope; absent over stdio in the legacy era. */
  session?: string
  params: JsonObject
  /** URIs that the legacy session has subscribed to. */
  subscriptions: Set<string>
  /** Sends a request-scoped notification. */
  notify(method: string, params: JsonObject): void
  /** The client has not read what was sent; absent over stdio. */
  full?: () => boolean
  /** Asks the client on account of this request; resolves with its response, with nothing once it was cancelled. */
  ask(method: string, params: JsonObject): Promise<JsonObject>
  /** Aborted when the client cancels by the means of its era. */
  signal: AbortSignal
}

export type Answer = { result: JsonObject } | { error: { code: number; message: string; data?: JsonValue } }

export const MODERN = '2026-07-28'
export const LEGACY = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']
/** Keys of the modern envelope (basic/index, "_meta"). */
export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
} as const

/** A tool that no client can use: it has neither a name nor a schema. */
export const MALFORMED_TOOL: JsonObject = { description: 'a tool without a name', inputSchema: 'not a schema' }

export const ECHO_TOOL: JsonObject = {
  name: 'echo',
  description: 'Returns its argument',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
}

/** Answers with the `params` that the backend received, as `structuredContent`. */
export const MIRROR_TOOL: JsonObject = { name: 'mirror', inputSchema: { type: 'object' } }

/** Text of `text`; of any other tool its name and arguments as JSON. */
export function echoTool(name: string, args: JsonObject): JsonObject {
  const text = typeof args['text'] === 'string' ? args['text'] : JSON.stringify({ name, arguments: args })
  return { content: [{ type: 'text', text }] }
}

/** Removed by 2026-07-28: a modern server does not know them. */
const LEGACY_ONLY = new Set(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'])
const CACHEABLE = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
])

/** Answers one request after the script; undefined: never. Sessions, streams and headers are the transport's. */
export async function perform(script: Script, method: string, exchange: Exchange): Promise<Answer | undefined> {
  if (script.hang?.includes(method)) return undefined
  if (script.unknown?.includes(method)) return failure(-32601, `Method not found: ${method}`)
  if (exchange.era === 'modern' ? LEGACY_ONLY.has(method) : method === 'server/discover') {
    return failure(-32601, `Method not found: ${method}`)
  }
  await reportProgress(script, exchange)
  if (script.delayMs) await pause(script.delayMs, exchange.signal)
  const answer = await dispatch(script, method, exchange)
  if (exchange.era === 'legacy' || 'error' in answer) return answer
  const cache: JsonObject = CACHEABLE.has(method)
    ? { ttlMs: script.ttlMs ?? 0, cacheScope: script.cacheScope ?? 'private' }
    : {}
  const meta = isObject(answer.result['_meta']) ? answer.result['_meta'] : {}
  return {
    result: {
      ...cache,
      resultType: 'complete',
      ...answer.result,
      _meta: { ...meta, [META.serverInfo]: serverInfo(script) },
    },
  }
}

async function dispatch(script: Script, method: string, exchange: Exchange): Promise<Answer> {
  const { params } = exchange
  const own = script.methods?.[method]
  if (own) {
    try {
      return { result: await own(exchange) }
    } catch (error) {
      return { error: error as { code: number; message: string } }
    }
  }
  switch (method) {
    case 'initialize': {
      const asked = params['protocolVersion']
      const version = typeof asked === 'string' && LEGACY.includes(asked) ? asked : LEGACY[0]!
      return {
        result: { protocolVersion: version, serverInfo: serverInfo(script), ...selfDescription(script) },
      }
    }
    case 'server/discover':
      return { result: { supportedVersions: [MODERN], ...selfDescription(script) } }
    case 'ping':
      return { result: {} }
    case 'tools/list':
      return page(script, 'tools', script.tools, params)
    case 'prompts/list':
      return page(script, 'prompts', script.prompts, params)
    case 'resources/list':
      return page(script, 'resources', script.resources, params)
    case 'resources/templates/list':
      return page(script, 'resourceTemplates', script.templates, params)
    case 'tools/call':
      return callTool(script, exchange)
    case 'prompts/get':
      return getPrompt(script, params)
    case 'resources/read':
      return readResource(script, exchange)
    case 'completion/complete':
      return complete(script, params)
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return subscribe(script, method, exchange)
    default:
      return failure(-32601, `Method not found: ${method}`)
  }
}

function selfDescription(script: Script): JsonObject {
  const changing = { listChanged: true }
  const capabilities: JsonObject = {}
  if (script.tools) capabilities['tools'] = changing
  if (script.prompts) capabilities['prompts'] = changing
  if (script.resources ?? script.templates) {
    capabilities['resources'] = script.subscribable ? { ...changing, subscribe: true } : changing
  }
  if (script.completions) capabilities['completions'] = {}
  const instructions = script.instructions === undefined ? {} : { instructions: script.instructions }
  return { capabilities: { ...capabilities, ...script.capabilities }, ...instructions }
}

const serverInfo = (script: Script): JsonObject => ({ name: script.name, version: '1.0.0' })

/** Cursors are the offset, except that the second page may have the empty string. */
function page(script: Script, key: string, all: readonly JsonValue[] | undefined, params: JsonObject): Answer {
  if (!all) return failure(-32601, `Method not found: no ${key} here`)
  const size = script.pageSize ?? Math.max(all.length, 1)
  const cursor = params['cursor']
  const start = cursor === undefined ? 0 : cursor === '' && script.emptyCursor ? size : Number(cursor)
  if (cursor === '' && !script.emptyCursor) return failure(-32602, 'Invalid cursor')
  if (!Number.isInteger(start) || start < 0 || start > all.length) return failure(-32602, 'Invalid cursor')
  const result: JsonObject = { [key]: all.slice(start, start + size) }
  const end = start + size
  if (end < all.length) result['nextCursor'] = script.emptyCursor && start === 0 ? '' : String(end)
  return { result }
}

async function callTool(script: Script, exchange: Exchange): Promise<Answer> {
  const name = exchange.params['name']
  const args = exchange.params['arguments']
  const known = script.tools?.some((tool) => isObject(tool) && tool['name'] === name)
  if (typeof name !== 'string' || !known) return failure(-32602, `Unknown tool: ${JSON.stringify(name)}`)
  if (name === MIRROR_TOOL['name']) return { result: { content: [], structuredContent: exchange.params } }
  const given = script.results?.[name]
  if (given) return { result: given }
  return { result: await (script.call ?? echoTool)(name, isObject(args) ? args : {}, exchange) }
}

function getPrompt(script: Script, params: JsonObject): Answer {
  const prompt = script.prompts?.find((each) => each['name'] === params['name'])
  if (!prompt) return failure(-32602, `Unknown prompt: ${JSON.stringify(params['name'])}`)
  const text = JSON.stringify({ prompt: prompt['name'], arguments: params['arguments'] ?? {} })
  return { result: { description: 'a prompt', messages: [{ role: 'user', content: { type: 'text', text } }] } }
}

function readResource(script: Script, exchange: Exchange): Answer {
  const uri = exchange.params['uri']
  const fits = (template: JsonObject) => {
    const pattern = template['uriTemplate']
    return typeof uri === 'string' && typeof pattern === 'string' && uri.startsWith(pattern.replace(/\{.*/s, ''))
  }
  const known = script.resources?.some((each) => each['uri'] === uri) || script.templates?.some(fits)
  if (typeof uri !== 'string' || !known) {
    const code = exchange.era === 'modern' ? -32602 : -32002
    return failure(code, 'Resource not found', { uri: typeof uri === 'string' ? uri : null })
  }
  return { result: { contents: [{ uri, mimeType: 'text/plain', text: `${script.name}: ${uri}` }] } }
}

function subscribe(script: Script, method: string, { params, subscriptions }: Exchange): Answer {
  const { uri } = params
  if (!script.subscribable) return failure(-32601, `Method not found: ${method}`)
  if (typeof uri !== 'string') return failure(-32602, 'Invalid params: uri')
  if (method === 'resources/subscribe') subscriptions.add(uri)
  else subscriptions.delete(uri)
  return { result: {} }
}

function complete(script: Script, params: JsonObject): Answer {
  if (!script.completions) return failure(-32601, 'Method not found: no completions here')
  const argument = isObject(params['argument']) ? params['argument'] : {}
  const typed = typeof argument['value'] === 'string' ? argument['value'] : ''
  const values = script.completions.filter((value) => value.startsWith(typed))
  return { result: { completion: { values, total: values.length, hasMore: false } } }
}

async function reportProgress(script: Script, exchange: Exchange): Promise<void> {
  const meta = exchange.params['_meta']
  const token = isObject(meta) ? meta['progressToken'] : undefined
  if (!script.progress || token === undefined) return
  const { steps, delayMs } = script.progress
  for (let progress = 1; progress <= steps && !exchange.signal.aborted; progress++) {
    exchange.notify('notifications/progress', { progressToken: token, progress, total: steps, message: `${progress}` })
    await pause(delayMs, exchange.signal)
  }
}

/** A wait that a cancellation ends early. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

const failure = (code: number, message: string, data?: JsonValue): Answer => ({
  error: data === undefined ? { code, message } : { code, message, data },
})

/** What a modern listen filter asks for: list changes, and resources. */
export function listened(params: JsonObject): JsonObject {
  const filter = isObject(params['notifications']) ? params['notifications'] : {}
  const honoured: JsonObject = {}
  for (const key of ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged']) {
    if (filter[key] === true) honoured[key] = true
  }
  const resources = filter['resourceSubscriptions']
  if (Array.isArray(resources) && resources.length > 0) honoured['resourceSubscriptions'] = resources
  if (Array.isArray(filter['taskIds'])) honoured['taskIds'] = filter['taskIds']
  return honoured
}

/** `tools` -> the notification and the key of the listen filter that asks for it. */
export const CHANGES = {
  tools: { method: 'notifications/tools/list_changed', filter: 'toolsListChanged' },
  prompts: { method: 'notifications/prompts/list_changed', filter: 'promptsListChanged' },
  resources: { method: 'notifications/resources/list_changed', filter: 'resourcesListChanged' },
} as const
export type ChangeKind = keyof typeof CHANGES

export const UPDATED = 'notifications/resources/updated'

/** Whether a modern listen filter asks for this resource. */
export function follows(filter: JsonObject, uri: string): boolean {
  const resources = filter['resourceSubscriptions']
  return Array.isArray(resources) && resources.includes(uri)
}
