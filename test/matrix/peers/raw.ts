import { isObject, type JsonObject, type JsonValue } from '../../../src/model/json.ts'
import { MODERN } from '../../support/script.ts'
import { ABLE } from './clients.ts'

/** Clients without an SDK: they choose ids, tokens and revisions, and see every message and event id. */

interface Exchange {
  /** When the head of the answer has come. */
  status: Promise<number>
  /** Notifications and requests of the server on this stream, oldest first; grows while it lasts. */
  messages: JsonObject[]
  /** Ids of events, oldest first. */
  eventIds: string[]
  /** The response; `undefined`: the stream ended without. */
  response: Promise<Response | undefined>
  abort(): void
}

interface Response {
  id: JsonValue
  result?: JsonObject
  error?: { code: number; message: string; data?: JsonValue }
}

export interface RawSession {
  id: string
  revision: string
  initialized: JsonObject
  start(id: JsonValue, method: string, params?: JsonObject): Exchange
  request(method: string, params?: JsonObject): Promise<Response>
  tool(name: string, args?: JsonObject, meta?: JsonObject): Promise<Response>
  send(message: JsonValue): Promise<number>
  /** The responses to a batch, in any order. */
  batch(members: JsonObject[]): Promise<JsonObject[]>
  /** The GET stream, or what it missed after an event. */
  listen(lastEventId?: string): Exchange
  end(): Promise<void>
}

export async function openSession(
  url: string,
  revision = '2025-11-25',
  capabilities: JsonObject = ABLE,
): Promise<RawSession> {
  const params = { protocolVersion: revision, capabilities, clientInfo: { name: 'raw', version: '1' } }
  const hello = await post(url, { jsonrpc: '2.0', id: 'hello', method: 'initialize', params }, {})
  const id = hello.headers.get('mcp-session-id') ?? ''
  const initialized = (await read(hello, [], []))?.result ?? {}
  const headers: Record<string, string> = { 'mcp-session-id': id, 'mcp-protocol-version': revision }
  const send = async (message: JsonValue) => {
    const answer = await post(url, message, headers)
    await answer.text()
    return answer.status
  }
  await send({ jsonrpc: '2.0', method: 'notifications/initialized' })
  let last = 0
  const session: RawSession = {
    id,
    revision,
    initialized,
    send,
    start: (id, method, params = {}) =>
      exchange((signal) => post(url, { jsonrpc: '2.0', id, method, params }, headers, signal)),
    request: (method, params) => answered(session.start(++last, method, params)),
    async batch(members) {
      const answer = await post(url, members, headers)
      const text = await answer.text()
      if (text.startsWith('[')) return JSON.parse(text) as JsonObject[]
      const data = text.split('\n').filter((line) => line.startsWith('data: '))
      return data.flatMap<JsonObject>((line) => JSON.parse(line.slice(6)) as JsonObject | JsonObject[])
    },
    tool: (name, args = {}, meta) =>
      session.request('tools/call', { name, arguments: args, ...(meta && { _meta: meta }) }),
    listen(lastEventId) {
      const more: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
      return exchange((signal) => fetch(url, { headers: { ...headers, ...more, accept: 'text/event-stream' }, signal }))
    },
    async end() {
      await (await fetch(url, { method: 'DELETE', headers })).text()
    },
  }
  return session
}

export interface RawModern {
  start(method: string, params?: JsonObject, meta?: JsonObject, headers?: Record<string, string>): Exchange
  request(method: string, params?: JsonObject, meta?: JsonObject): Promise<Response>
  /** One round of a call: the first, or a retry with answers. */
  tool(name: string, more?: JsonObject, meta?: JsonObject): Promise<Response>
}

const NAMES: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
}

export function modernAt(url: string, capabilities: JsonObject = ABLE): RawModern {
  let last = 0
  const modern: RawModern = {
    start(method, params = {}, meta = {}, more = {}) {
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': MODERN,
        'io.modelcontextprotocol/clientCapabilities': capabilities,
        'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
        ...meta,
      }
      const named = NAMES[method]
      const headers = {
        'mcp-protocol-version': MODERN,
        'mcp-method': method,
        ...(named !== undefined && { 'mcp-name': params[named] as string }),
        ...more,
      }
      const message = { jsonrpc: '2.0', id: ++last, method, params: { ...params, _meta } }
      return exchange((signal) => post(url, message, headers, signal))
    },
    request: (method, params, meta) => answered(modern.start(method, params, meta)),
    tool: (name, more = {}, meta = {}) => modern.request('tools/call', { name, arguments: {}, ...more }, meta),
  }
  return modern
}

async function answered({ response }: Exchange): Promise<Response> {
  const answer = await response
  if (!answer) throw new Error('the stream ended without a response')
  return answer
}

function post(url: string, message: JsonValue, headers: Record<string, string>, signal?: AbortSignal) {
  return fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(message),
    signal: signal ?? null,
  })
}

function exchange(send: (signal: AbortSignal) => Promise<globalThis.Response>): Exchange {
  const abort = new AbortController()
  const messages: JsonObject[] = []
  const eventIds: string[] = []
  const head = send(abort.signal)
  return {
    status: head.then(({ status }) => status).catch(() => 0),
    messages,
    eventIds,
    response: head.then((answer) => read(answer, messages, eventIds)).catch(() => undefined),
    abort: () => abort.abort(),
  }
}

async function read(
  answer: globalThis.Response,
  messages: JsonObject[],
  eventIds: string[],
): Promise<Response | undefined> {
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) {
    const text = await answer.text()
    return text === '' ? undefined : (JSON.parse(text) as Response)
  }
  let rest = ''
  try {
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const events = `${rest}${chunk}`.split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const lines = event.split('\n')
        const id = lines.find((line) => line.startsWith('id: '))
        if (id !== undefined) eventIds.push(id.slice(4))
        const data = lines.find((line) => line.startsWith('data: '))?.slice(6)
        if (!data) continue
        const message: unknown = JSON.parse(data)
        if (!isObject(message)) continue
        if ('method' in message) messages.push(message)
        else return message as unknown as Response
      }
    }
  } catch {
    // One of the two sides has closed it.
  }
  return undefined
}

/** What a tool told. */
export function told({ result, error }: Response): unknown {
  if (!result) throw new Error(`no result: ${JSON.stringify(error)}`)
  const [block] = result['content'] as { text: string }[]
  return JSON.parse(block?.text ?? 'null') as unknown
}

/** The questions of a result that wants input, and its state. */
export function wanted({ result, error }: Response): { questions: [string, JsonObject][]; requestState: string } {
  if (result?.['resultType'] !== 'input_required') {
    throw new Error(`no input is wanted: ${JSON.stringify(result ?? error)}`)
  }
  const { inputRequests, requestState } = result
  return {
    questions: Object.entries((inputRequests ?? {}) as Record<string, JsonObject>),
    requestState: requestState as string,
  }
}
