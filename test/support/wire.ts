import { isObject, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { LEGACY, META, MODERN } from './script.ts'

/** Clients without an SDK, which choose ids and tokens themselves and see every message. */

export interface Reply {
  status: number
  /** Notifications in front of the response, in order. */
  notifications: JsonObject[]
  /** The last message, a response or an error. */
  response: JsonObject | undefined
}

/** The result; throws when there is none. */
export function resultOf({ response }: Reply): JsonObject {
  const result = response?.['result']
  if (!isObject(result)) throw new Error(`no result: ${JSON.stringify(response)}`)
  return result
}

/** The `params` of a message, empty when it has none. */
export function paramsOf(message: JsonObject | undefined): JsonObject {
  const params = message?.['params']
  return isObject(params) ? params : {}
}

const HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
/** The parameter that names what a request is about, which its headers repeat. */
export const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
}

export interface LegacyWire {
  session: string
  request(id: JsonValue, method: string, params?: JsonObject): Promise<Reply>
  notify(method: string, params?: JsonObject): Promise<number>
  /** To a question of the server. */
  answer(id: JsonValue, result: JsonObject): Promise<number>
  /** Opens the GET stream; messages are added to the array as they arrive. */
  listen(): Promise<{ messages: JsonObject[]; close: () => void }>
  /** DELETE; answers the status. */
  end(): Promise<number>
}

/** A legacy session after its handshake. */
export async function legacyWire(url: string, capabilities: JsonObject = {}): Promise<LegacyWire> {
  const version = LEGACY[0]!
  const initialize = { protocolVersion: version, capabilities, clientInfo: { name: 'wire', version: '1' } }
  const hello = await post(url, { jsonrpc: '2.0', id: 'hello', method: 'initialize', params: initialize }, {})
  const session = hello.headers.get('mcp-session-id') ?? ''
  await hello.text()
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': version }
  const notify = async (method: string, params: JsonObject = {}): Promise<number> => {
    const response = await post(url, { jsonrpc: '2.0', method, params }, headers)
    await response.text()
    return response.status
  }
  await notify('notifications/initialized')
  return {
    session,
    notify,
    async answer(id, result) {
      const response = await post(url, { jsonrpc: '2.0', id, result }, headers)
      await response.text()
      return response.status
    },
    request: async (id, method, params = {}) => read(await post(url, { jsonrpc: '2.0', id, method, params }, headers)),
    async listen() {
      const abort = new AbortController()
      const response = await fetch(url, {
        headers: { ...headers, accept: 'text/event-stream' },
        signal: abort.signal,
      })
      const messages: JsonObject[] = []
      void follow(response, messages)
      return { messages, close: () => abort.abort() }
    },
    async end() {
      const response = await fetch(url, { method: 'DELETE', headers })
      await response.text()
      return response.status
    },
  }
}

/** One modern request with its envelope and standard headers. */
export async function modernRequest(
  url: string,
  id: JsonValue,
  method: string,
  params: JsonObject = {},
  signal?: AbortSignal,
): Promise<Reply> {
  return read(await modernPost(url, id, method, params, signal))
}

/** A modern `subscriptions/listen`; messages are added to the array as they arrive. */
export async function modernListen(
  url: string,
  id: JsonValue,
  notifications: JsonObject,
  meta: JsonObject = {},
): Promise<{ messages: JsonObject[]; close: () => void }> {
  const abort = new AbortController()
  const messages: JsonObject[] = []
  const params = { notifications, _meta: meta }
  void follow(await modernPost(url, id, 'subscriptions/listen', params, abort.signal), messages)
  return { messages, close: () => abort.abort() }
}

async function modernPost(
  url: string,
  id: JsonValue,
  method: string,
  params: JsonObject,
  signal?: AbortSignal,
): Promise<Response> {
  const meta = isObject(params['_meta']) ? params['_meta'] : {}
  const envelope = {
    [META.version]: MODERN,
    [META.capabilities]: {},
    [META.clientInfo]: { name: 'wire', version: '1' },
  }
  const named = NAMED[method]
  const headers: Record<string, string> = { 'mcp-protocol-version': MODERN, 'mcp-method': method }
  if (named !== undefined) headers['mcp-name'] = params[named] as string
  const message = { jsonrpc: '2.0', id, method, params: { ...params, _meta: { ...envelope, ...meta } } }
  return post(url, message, headers, signal)
}

function post(
  url: string,
  message: JsonObject,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { ...HEADERS, ...headers },
    body: JSON.stringify(message),
    ...(signal && { signal }),
  })
}

async function read(response: Response): Promise<Reply> {
  const messages: JsonObject[] = []
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) await follow(response, messages)
  else {
    const text = await response.text()
    if (text !== '') messages.push(JSON.parse(text) as JsonObject)
  }
  const last = messages.at(-1)
  const answered = last !== undefined && ('result' in last || 'error' in last)
  return {
    status: response.status,
    notifications: answered ? messages.slice(0, -1) : messages,
    response: answered ? last : undefined,
  }
}

/** Adds each event's message until the stream ends. */
async function follow(response: Response, messages: JsonObject[]): Promise<void> {
  let rest = ''
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const events = `${rest}${chunk}`.split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const data = event.split('\n').find((line) => line.startsWith('data: '))
        // An event without data only tells the client where it stands.
        if (data !== undefined && data !== 'data: ') messages.push(JSON.parse(data.slice(6)) as JsonObject)
      }
    }
  } catch {
    // The test closed the stream.
  }
}
