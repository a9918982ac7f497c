import { isObject, type JsonObject } from '../../src/model/json.ts'
import { LEGACY, META, MODERN } from './script.ts'

/** What came back for one request, as it stood on the wire. */
interface RawAnswer {
  status: number
  result?: JsonObject
  error?: { code: number; message: string; data?: JsonObject }
  /** Notifications that came before it on the same stream. */
  notices: JsonObject[]
  ms: number
}

/** A client without opinions: it hides no error, retries nothing, and tells how long everything took. */
export interface RawClient {
  request(method: string, params?: JsonObject, signal?: AbortSignal): Promise<RawAnswer>
  tool(name: string, args?: JsonObject, meta?: JsonObject): Promise<ToolAnswer>
  /** Shown tool names. */
  tools(): Promise<string[]>
  /** Methods of notifications that came on the stream for changes. */
  changes: string[]
  /** Whether that stream stands. */
  listening(): boolean
  close(): Promise<void>
}

interface ToolAnswer {
  /** First text of the content, or the message of a JSON-RPC error. */
  text: string
  isError: boolean
  /** Code of a JSON-RPC error. */
  code: number | undefined
  ms: number
}

export interface RawOptions {
  capabilities?: JsonObject
  /** Shown with every request. */
  token?: string
}

/** Shakes hands and opens the GET stream. */
export async function legacyClient(url: string, { capabilities = {}, token }: RawOptions = {}): Promise<RawClient> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const send = sender(url, () => headers)
  const params = { protocolVersion: LEGACY[0]!, capabilities, clientInfo: { name: 'numbers', version: '1' } }
  const response = await send.raw({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
  await response.text()
  headers['mcp-session-id'] = response.headers.get('mcp-session-id') ?? ''
  headers['mcp-protocol-version'] = LEGACY[0]!
  await (await send.raw({ jsonrpc: '2.0', method: 'notifications/initialized' })).text()
  const stop = new AbortController()
  const changes: string[] = []
  const stream = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' }, signal: stop.signal })
  let listening = true
  void follow(stream, (message) => changes.push(methodOf(message))).then(() => (listening = false))
  return clientOf(
    send.request,
    changes,
    () => listening,
    async () => {
      stop.abort()
      await fetch(url, { method: 'DELETE', headers }).catch(() => undefined)
    },
  )
}

/** Listens for every kind of change; requests carry the envelope of 2026-07-28. */
export async function modernClient(url: string, { capabilities = {}, token }: RawOptions = {}): Promise<RawClient> {
  const envelope = { ...ENVELOPE, [META.capabilities]: capabilities }
  const send = sender(url, (method, params) => {
    const name = params['name'] ?? params['uri']
    return {
      'mcp-protocol-version': MODERN,
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
  })
  const enveloped: typeof send.request = (method, params = {}, signal) => {
    const meta = isObject(params['_meta']) ? params['_meta'] : {}
    return send.request(method, { ...params, _meta: { ...meta, ...envelope } }, signal)
  }
  const stop = new AbortController()
  const changes: string[] = []
  const notifications = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }
  const listen = { jsonrpc: '2.0', id: 0, method: 'subscriptions/listen', params: { notifications, _meta: envelope } }
  const stream = await send.raw(listen, stop.signal)
  let listening = true
  const ended = follow(stream, (message) => {
    const method = methodOf(message)
    if (method.endsWith('list_changed')) changes.push(method)
  })
  void ended.finally(() => (listening = false))
  return clientOf(
    enveloped,
    changes,
    () => listening,
    async () => stop.abort(),
  )
}

const ENVELOPE: JsonObject = {
  [META.version]: MODERN,
  [META.capabilities]: {},
  [META.clientInfo]: { name: 'raw', version: '1' },
}

function clientOf(
  request: RawClient['request'],
  changes: string[],
  listening: () => boolean,
  close: () => Promise<void>,
): RawClient {
  return {
    request,
    changes,
    listening,
    close,
    async tool(name, args = {}, meta) {
      const answer = await request('tools/call', { name, arguments: args, ...(meta && { _meta: meta }) })
      const { result, error, ms } = answer
      const content = result?.['content'] as { text?: string }[] | undefined
      const text = error?.message ?? content?.[0]?.text ?? ''
      return { text, isError: result?.['isError'] === true, code: error?.code, ms }
    },
    async tools() {
      const { result } = await request('tools/list')
      const tools = result?.['tools'] as { name: string }[] | undefined
      return (tools ?? []).map(({ name }) => name)
    },
  }
}

function methodOf({ method }: JsonObject): string {
  return typeof method === 'string' ? method : ''
}

function sender(url: string, headersFor: (method: string, params: JsonObject) => Record<string, string>) {
  let id = 0
  const raw = (message: JsonObject, signal?: AbortSignal) =>
    fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headersFor(methodOf(message), (message['params'] as JsonObject | undefined) ?? {}),
      },
      body: JSON.stringify(message),
      signal: signal ?? null,
    })
  const request: RawClient['request'] = async (method, params = {}, signal) => {
    const started = performance.now()
    const response = await raw({ jsonrpc: '2.0', id: ++id, method, params }, signal)
    const messages: JsonObject[] = []
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
      await follow(response, (message) => messages.push(message))
    } else messages.push((await response.json()) as JsonObject)
    const answer = messages.pop() ?? {}
    return { ...answer, status: response.status, notices: messages, ms: performance.now() - started }
  }
  return { raw, request }
}

/** Reads events until the stream ends, however it ends. */
async function follow(response: Response, onMessage: (message: JsonObject) => void): Promise<void> {
  let text = ''
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const event = text.slice(0, end)
        text = text.slice(end + 2)
        const lines = event.split('\n').filter((line) => line.startsWith('data:'))
        const data = lines.map((line) => line.slice(5)).join('\n')
        // An event without data only tells the client where it stands.
        if (data.trim() !== '') onMessage(JSON.parse(data) as JsonObject)
      }
    }
  } catch {
    // Closed by one of the two sides.
  }
}
