import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { isObject, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import {
  CHANGES,
  LEGACY,
  META,
  MODERN,
  UPDATED,
  follows,
  listened,
  perform,
  type ChangeKind,
  type Script,
} from './script.ts'

/** A scripted MCP server on streamable HTTP, strict about what a client must send. All of it may change while it runs. */
interface HttpScript extends Script {
  /** Form of single answers. Requests that report progress are answered with SSE either way. */
  answer: 'json' | 'sse'
  /** Legacy requests need a session. */
  sessions: boolean
  /** Methods whose connection is destroyed instead of an answer. */
  drop?: string[]
  /** As `drop`, after the head and half of the answer. */
  truncate?: string[]
  /** Notifications are answered with an event stream that never ends. */
  endlessAccept?: boolean
  /** Answers every request in the server's place, after it was recorded. */
  intercept?: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
}

/** One request as it arrived. */
interface Recorded {
  http: string
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** JSON-RPC method; undefined for responses and for requests without a body. */
  method: string | undefined
  id: JsonValue | undefined
  body: JsonObject | undefined
}

export interface HttpBackend {
  /** Ends in `/mcp`; stays the same over `restart`. */
  url: string
  script: HttpScript
  requests: Recorded[]
  /** The JSON-RPC ids of requests that were cancelled: `notifications/cancelled`, or a closed stream in the modern era. */
  cancelled: JsonValue[]
  /** Requests whose connection the client closed before the answer was complete, of either era. */
  abandoned: { method: string; id: JsonValue }[]
  /** Live legacy sessions. */
  sessions(): number
  /** Open GET and listen streams. */
  streams(): number
  /** How often a method arrived. */
  count(method: string): number
  /** Requests of old sessions get 404 from now on; their streams end. */
  forgetSessions(): void
  /** Destroys every connection, in use or idle. The port stays open. */
  killConnections(): void
  /** Replaces a list and tells whoever listens. */
  change(kind: ChangeKind, entries: JsonObject[]): void
  /** Tells whoever follows `followed` that `uri` has changed; the two differ when one lies below the other. */
  update(uri: string, followed?: string): void
  /** Legacy sessions and open listen streams that follow a resource. */
  followers(uri: string): number
  /** Sends a notification on every open GET and listen stream. */
  tell(method: string, params: JsonObject): void
  /** Sends a request of the server's own on every GET stream; resolves with the first response. */
  ask(method: string, params: JsonObject): Promise<JsonObject>
  /** Closes the port and every connection; sessions are lost. */
  stop(): Promise<void>
  /** Opens the same port again. */
  start(): Promise<void>
  restart(): Promise<void>
  close(): Promise<void>
}

export interface HttpBackendOptions extends Partial<HttpScript> {
  /** Requests are held for so long after the start: the port is open, nothing answers. */
  slowStartMs?: number
}

interface Stream {
  response: ServerResponse
  session?: string
  /** Of a modern listen stream. */
  listen?: { id: JsonValue; filter: JsonObject }
}

interface State {
  script: HttpScript
  requests: Recorded[]
  cancelled: JsonValue[]
  abandoned: { method: string; id: JsonValue }[]
  sessions: Set<string>
  streams: Set<Stream>
  /** URIs by legacy session. */
  subscriptions: Map<string, Set<string>>
  running: Map<string, AbortController>
  asked: Map<JsonValue, (response: JsonObject) => void>
  /** Requests are held until then, in milliseconds since the epoch. */
  opensAt: number
}

/** Starts the backend on a free loopback port. Close it in a `finally` or `afterEach`. */
export async function startHttpBackend(options: HttpBackendOptions = {}): Promise<HttpBackend> {
  const { slowStartMs = 0, ...given } = options
  const script: HttpScript = { name: 'fixture', era: 'both', answer: 'json', sessions: true, ...given }
  const state: State = {
    script,
    requests: [],
    cancelled: [],
    abandoned: [],
    sessions: new Set(),
    streams: new Set(),
    subscriptions: new Map(),
    running: new Map(),
    asked: new Map(),
    opensAt: Date.now() + slowStartMs,
  }
  const sockets = new Set<Socket>()
  let server = await listen(state, sockets, 0)
  const { port } = server.address() as AddressInfo

  const killConnections = () => {
    for (const socket of sockets) socket.destroy()
  }
  const forgetSessions = () => {
    state.sessions.clear()
    for (const stream of state.streams) if (stream.session !== undefined) stream.response.end()
  }
  const stop = async () => {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    killConnections()
    forgetSessions()
    await closed
  }
  const start = async () => {
    if (!server.listening) server = await listen(state, sockets, port)
  }

  return {
    url: `http://127.0.0.1:${port}/mcp`,
    script,
    requests: state.requests,
    cancelled: state.cancelled,
    abandoned: state.abandoned,
    sessions: () => state.sessions.size,
    streams: () => state.streams.size,
    count: (method) => state.requests.filter((request) => request.method === method).length,
    forgetSessions,
    killConnections,
    change(kind, entries) {
      script[kind] = entries
      for (const stream of state.streams) announce(stream, kind)
    },
    update(uri, followed = uri) {
      for (const stream of state.streams) {
        if (!isFollowing(state, stream, followed)) continue
        const params = stream.listen ? { uri, _meta: { [META.subscription]: stream.listen.id } } : { uri }
        writeEvent(stream.response, { jsonrpc: '2.0', method: UPDATED, params })
      }
    },
    followers(uri) {
      const sessions = [...state.subscriptions].filter(
        ([session, uris]) => state.sessions.has(session) && uris.has(uri),
      )
      const streams = [...state.streams].filter(({ listen }) => listen && follows(listen.filter, uri))
      return sessions.length + streams.length
    },
    tell(method, params) {
      for (const { response, listen } of state.streams) {
        const tagged = listen ? { ...params, _meta: { [META.subscription]: listen.id } } : params
        writeEvent(response, { jsonrpc: '2.0', method, params: tagged })
      }
    },
    ask(method, params) {
      const id = `ask-${randomUUID()}`
      return new Promise((resolve) => {
        state.asked.set(id, resolve)
        for (const stream of state.streams) {
          if (!stream.listen) writeEvent(stream.response, { jsonrpc: '2.0', id, method, params })
        }
      })
    },
    stop,
    start,
    async restart() {
      await stop()
      await start()
    },
    close: stop,
  }
}

async function listen(state: State, sockets: Set<Socket>, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    void receive(state, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return server
}

async function receive(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const held = state.opensAt - Date.now()
  if (held > 0) await sleep(held)
  const http = request.method ?? ''
  const message = http === 'POST' ? parse(Buffer.concat(chunks).toString()) : undefined
  const method = typeof message?.['method'] === 'string' ? message['method'] : undefined
  state.requests.push({ http, headers: request.headers, method, id: message?.['id'], body: message })
  if (state.script.intercept) return state.script.intercept(request, response)

  if (new URL(request.url ?? '/', 'http://fixture').pathname !== '/mcp') return void response.writeHead(404).end()
  if (http === 'POST') {
    if (!message) return refuse(response, 400, -32700, 'Parse error')
    const accept = request.headers.accept ?? ''
    if (!accept.includes('application/json') || !accept.includes('text/event-stream')) {
      return refuse(response, 406, -32000, 'Not Acceptable: both types are needed')
    }
    if (!request.headers['content-type']?.includes('application/json')) {
      return refuse(response, 415, -32000, 'Unsupported Media Type')
    }
    return isModern(request, message)
      ? receiveModern(state, request, response, message, method)
      : receiveLegacy(state, request, response, message, method)
  }
  if (state.script.era === 'modern' || (http !== 'GET' && http !== 'DELETE')) {
    return void response.writeHead(405, { allow: 'POST' }).end()
  }
  if (!state.script.sessions) return void response.writeHead(405, { allow: 'POST' }).end()
  const session = sessionOf(state, request, response)
  if (session === undefined) return
  if (http === 'DELETE') {
    state.sessions.delete(session)
    for (const stream of state.streams) if (stream.session === session) stream.response.end()
    return void response.writeHead(200).end()
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': session }).flushHeaders()
  hold(state, { response, session })
}

async function receiveLegacy(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
  message: JsonObject,
  method: string | undefined,
): Promise<void> {
  const { script } = state
  const id = message['id']
  if (script.era === 'modern') {
    return method === 'initialize'
      ? refuse(response, 400, -32022, 'Unsupported protocol version', id, {
          supported: [MODERN],
          requested: LEGACY[0]!,
        })
      : refuse(response, 400, -32602, 'The envelope is missing in _meta', id)
  }
  let session: string | undefined
  if (script.sessions) {
    if (method === 'initialize') {
      session = randomUUID()
      state.sessions.add(session)
    } else {
      session = sessionOf(state, request, response)
      if (session === undefined) return
    }
  }
  const version = request.headers['mcp-protocol-version']
  if (typeof version === 'string' && !LEGACY.includes(version)) {
    return refuse(response, 400, -32000, `Bad Request: Unsupported protocol version: ${version}`, id)
  }
  if (method === undefined) {
    if (id !== undefined) state.asked.get(id)?.(message)
    return accept(script, response)
  }
  const params = isObject(message['params']) ? message['params'] : {}
  if (id === undefined || id === null) {
    if (method === 'notifications/cancelled' && params['requestId'] !== undefined) {
      state.cancelled.push(params['requestId'])
      state.running.get(runningKey(session, params['requestId']))?.abort()
    }
    return accept(script, response)
  }
  await respond(state, response, { era: 'legacy', method, id, params, session })
}

async function receiveModern(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
  message: JsonObject,
  method: string | undefined,
): Promise<void> {
  const id = message['id']
  const version = request.headers['mcp-protocol-version']
  if (state.script.era === 'legacy') {
    if (method !== undefined && state.script.hang?.includes(method)) return
    return refuse(response, 400, -32000, `Bad Request: Unsupported protocol version: ${String(version)}`, id)
  }
  if (method === undefined) return refuse(response, 400, -32600, 'Responses are not accepted')
  if (id === undefined || id === null) return void response.writeHead(202).end()
  const params = isObject(message['params']) ? message['params'] : {}
  const meta = isObject(params['_meta']) ? params['_meta'] : {}
  const asked = meta[META.version]
  if (typeof asked !== 'string' || !isObject(meta[META.capabilities])) {
    return refuse(response, 400, -32602, 'The envelope is missing in _meta', id)
  }
  if (asked !== version) return refuse(response, 400, -32020, 'MCP-Protocol-Version does not match the body', id)
  if (asked !== MODERN) {
    const data = { supported: [MODERN], requested: asked }
    return refuse(response, 400, -32022, 'Unsupported protocol version', id, data)
  }
  if (request.headers['mcp-method'] !== method) {
    return refuse(response, 400, -32020, 'Mcp-Method does not match the body', id)
  }
  const named = NAMED[method]
  if (named !== undefined && decodeName(request.headers['mcp-name']) !== params[named]) {
    return refuse(response, 400, -32020, 'Mcp-Name does not match the body', id)
  }
  if (method === 'subscriptions/listen') {
    const filter = listened(params)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const acknowledged = { notifications: filter, _meta: { [META.subscription]: id } }
    writeEvent(response, {
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: acknowledged,
    })
    return hold(state, { response, listen: { id, filter } })
  }
  await respond(state, response, { era: 'modern', method, id, params, session: undefined })
}

/** Methods whose `Mcp-Name` header mirrors a field of `params`. */
const NAMED: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' }

interface Asked {
  era: 'legacy' | 'modern'
  method: string
  id: JsonValue
  params: JsonObject
  session: string | undefined
}

async function respond(state: State, response: ServerResponse, asked: Asked): Promise<void> {
  const { script } = state
  const { era, method, id, params, session } = asked
  const abort = new AbortController()
  const key = runningKey(session, id)
  state.running.set(key, abort)
  response.on('close', () => {
    if (response.writableFinished) return
    state.abandoned.push({ method, id })
    // A legacy disconnect is no cancellation (transports, "Disconnection").
    if (era === 'modern' && !abort.signal.aborted) {
      state.cancelled.push(id)
      abort.abort()
    }
  })
  const head: Record<string, string> =
    session !== undefined && method === 'initialize' ? { 'mcp-session-id': session } : {}
  const openStream = () => {
    if (!response.headersSent) response.writeHead(200, { ...head, 'content-type': 'text/event-stream' })
  }
  const answer = await perform(script, method, {
    era,
    ...(session === undefined ? {} : { session }),
    params,
    subscriptions: subscriptionsOf(state, session ?? ''),
    signal: abort.signal,
    notify(method, params) {
      openStream()
      writeEvent(response, { jsonrpc: '2.0', method, params })
    },
    full: () => response.writableNeedDrain,
    ask(method, params) {
      openStream()
      const id = `ask-${randomUUID()}`
      return new Promise((resolve) => {
        state.asked.set(id, resolve)
        abort.signal.addEventListener('abort', () => resolve({}))
        writeEvent(response, { jsonrpc: '2.0', id, method, params })
      })
    },
  })
  state.running.delete(key)
  if (answer === undefined) return
  // A cancelled legacy request gets no answer; its stream ends.
  if (abort.signal.aborted) return void response.end()
  if (script.drop?.includes(method)) return void response.destroy()
  const message = { ...answer, jsonrpc: '2.0', id }
  const status = 'error' in answer && era === 'modern' && answer.error.code === -32601 ? 404 : 200
  if (script.truncate?.includes(method)) {
    const text = JSON.stringify(message)
    response.writeHead(200, { ...head, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    response.write(text.slice(0, text.length / 2), () => response.destroy())
    return
  }
  if (status === 200 && (script.answer === 'sse' || response.headersSent)) {
    openStream()
    writeEvent(response, message)
    response.end()
  } else {
    response.writeHead(status, { ...head, 'content-type': 'application/json' }).end(JSON.stringify(message))
  }
}

/** Two sessions may use the same id at the same time; modern requests have none and share one space. */
const runningKey = (session: string | undefined, id: JsonValue) => `${session ?? ''} ${JSON.stringify(id)}`

function hold(state: State, stream: Stream): void {
  state.streams.add(stream)
  stream.response.on('close', () => state.streams.delete(stream))
}

function isFollowing({ subscriptions }: State, { listen, session }: Stream, uri: string): boolean {
  return listen ? follows(listen.filter, uri) : subscriptions.get(session ?? '')?.has(uri) === true
}

function subscriptionsOf({ subscriptions }: State, session: string): Set<string> {
  const known = subscriptions.get(session) ?? new Set()
  subscriptions.set(session, known)
  return known
}

function announce(stream: Stream, kind: ChangeKind): void {
  const { method, filter } = CHANGES[kind]
  if (!stream.listen) return writeEvent(stream.response, { jsonrpc: '2.0', method })
  if (stream.listen.filter[filter] !== true) return
  const params = { _meta: { [META.subscription]: stream.listen.id } }
  writeEvent(stream.response, { jsonrpc: '2.0', method, params })
}

function writeEvent(response: ServerResponse, message: JsonObject): void {
  response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
}

/** The live session of a request, or undefined after the refusal has gone out. */
function sessionOf(state: State, request: IncomingMessage, response: ServerResponse): string | undefined {
  const session = request.headers['mcp-session-id']
  if (typeof session !== 'string') {
    refuse(response, 400, -32000, 'Bad Request: Mcp-Session-Id is missing')
    return undefined
  }
  if (state.sessions.has(session)) return session
  refuse(response, 404, -32001, 'Session not found')
  return undefined
}

function isModern(request: IncomingMessage, message: JsonObject): boolean {
  const meta = isObject(message['params']) ? message['params']['_meta'] : undefined
  return request.headers['mcp-protocol-version'] === MODERN || (isObject(meta) && META.version in meta)
}

function refuse(
  response: ServerResponse,
  status: number,
  code: number,
  text: string,
  id?: JsonValue,
  data?: JsonValue,
): void {
  const error = data === undefined ? { code, message: text } : { code, message: text, data }
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', id: id ?? null, error }))
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Values that a header cannot carry come as `=?base64?...?=`. */
function decodeName(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string') return undefined
  const encoded = /^=\?base64\?(.*)\?=$/.exec(header)?.[1]
  return encoded === undefined ? header : Buffer.from(encoded, 'base64').toString()
}

function accept(script: HttpScript, response: ServerResponse): void {
  if (!script.endlessAccept) return void response.writeHead(202).end()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
}
