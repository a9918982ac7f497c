/**
 * The backend of the benchmark: as cheap as `node:http` allows, so that what is measured is what stands before it.
 * `node bench/backend.ts '[{"era":"legacy","answer":"json","tools":2,"count":1}]'` opens one port per listener and
 * prints `{"urls":[...],"stats":"http://..."}` as its first line.
 *
 * Tools: every tool echoes `text`, except `big`, whose result has `bytes` bytes of text, sent in `pieces` pieces
 * that are `delayMs` apart.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { argv, stdout } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Listener {
  era: 'legacy' | 'modern' | 'both'
  answer: 'json' | 'sse'
  /** Size of the list: `echo`, `big` and fillers of about 420 bytes. */
  tools: number
  /** So many ports with the same behaviour. */
  count: number
}

/** Body of `GET /stats`: what arrived since the start, over all ports. */
export interface Stats {
  requests: number
  byMethod: Record<string, number>
  /** The latest `big` call, in milliseconds since the epoch with fractions. */
  big: { startedAt: number; finishedAt: number }
}

interface Message {
  method?: string
  id?: string | number
  params?: { name?: string; arguments?: { text?: string; bytes?: number; pieces?: number; delayMs?: number } }
}

interface Port {
  listener: Listener
  sessions: Set<string>
  tools: string
}

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const SERVER = '{"name":"bench","version":"1.0.0"}'
const CAPABILITIES = '{"tools":{"listChanged":true}}'
const MODERN_TAIL = `,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":${SERVER}}`
const CACHE_TAIL = `,"ttlMs":0,"cacheScope":"private"`

const stats: Stats = { requests: 0, byMethod: {}, big: { startedAt: 0, finishedAt: 0 } }
const clock = () => performance.timeOrigin + performance.now()

const listeners = JSON.parse(argv[2] ?? '[]') as Listener[]
const urls: string[] = []
for (const listener of listeners) {
  const tools = toolList(listener.tools)
  for (let i = 0; i < listener.count; i++) urls.push(`${await open({ listener, sessions: new Set(), tools })}/mcp`)
}
stdout.write(`${JSON.stringify({ urls, stats: `${urls[0]?.replace('/mcp', '')}/stats` })}\n`)

async function open(port: Port): Promise<string> {
  const server = createServer((request, response) => receive(port, request, response))
  server.keepAliveTimeout = 120_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function receive(port: Port, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'POST') return other(port, request, response)
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => (body += chunk))
  request.on('end', () => post(port, request, response, JSON.parse(body) as Message))
}

function other(port: Port, request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/stats') return void response.end(JSON.stringify(stats))
  stats.requests++
  count(request.method ?? '')
  if (port.listener.era === 'modern') return void response.writeHead(405, ['Allow', 'POST']).end()
  const session = request.headers['mcp-session-id']
  if (typeof session !== 'string' || !port.sessions.has(session)) return void response.writeHead(404).end()
  if (request.method === 'DELETE') {
    port.sessions.delete(session)
    return void response.writeHead(200).end()
  }
  response.writeHead(200, ['Content-Type', 'text/event-stream']).flushHeaders()
}

function post(port: Port, request: IncomingMessage, response: ServerResponse, message: Message): void {
  const { method = '', id } = message
  stats.requests++
  count(method)
  const modern = request.headers['mcp-protocol-version'] === MODERN
  const { era } = port.listener
  if (modern ? era === 'legacy' : era === 'modern') {
    const code = modern ? -32000 : -32022
    return answer(response, 400, [], error(id, code, 'Unsupported protocol version'))
  }
  if (modern && request.headers['mcp-method'] !== method) {
    return answer(response, 400, [], error(id, -32020, 'Mcp-Method does not match'))
  }
  let extra: string[] = []
  if (!modern) {
    const session = request.headers['mcp-session-id']
    if (method === 'initialize') {
      const fresh = randomUUID()
      port.sessions.add(fresh)
      extra = ['Mcp-Session-Id', fresh]
    } else if (typeof session !== 'string' || !port.sessions.has(session)) {
      return answer(response, 404, [], error(id, -32001, 'Session not found'))
    }
  }
  if (id === undefined) return void response.writeHead(202, ['Content-Length', '0']).end()
  if (method === 'tools/call' && message.params?.name === 'big') {
    return void big(port, response, message, modern).catch((error: unknown) => response.destroy(error as Error))
  }
  if (modern && method === 'subscriptions/listen') return listen(response, id)
  const result = resultOf(port, message, modern)
  const text = result === undefined ? error(id, -32601, 'Method not found') : envelope(result, id)
  if (result === undefined && modern) return answer(response, 404, [], text)
  if (port.listener.answer === 'json') return answer(response, 200, extra, text)
  response.writeHead(200, [...extra, 'Content-Type', 'text/event-stream', 'Cache-Control', 'no-cache'])
  response.end(`event: message\ndata: ${text}\n\n`)
}

/** Nothing ever changes here: the stream is acknowledged and stays silent. */
function listen(response: ServerResponse, id: string | number): void {
  const params = {
    notifications: { toolsListChanged: true },
    _meta: { 'io.modelcontextprotocol/subscriptionId': id },
  }
  const message = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params }
  response.writeHead(200, ['Content-Type', 'text/event-stream'])
  response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
}

/** The inside of the result object, without braces. */
function resultOf(port: Port, message: Message, modern: boolean): string | undefined {
  const tail = modern ? MODERN_TAIL : ''
  const cached = modern ? MODERN_TAIL + CACHE_TAIL : ''
  switch (message.method ?? '') {
    case 'tools/call': {
      const text = JSON.stringify(message.params?.arguments?.text ?? '')
      return `"content":[{"type":"text","text":${text}}]${tail}`
    }
    case 'tools/list':
      return `"tools":${port.tools}${cached}`
    case 'initialize':
      return `"protocolVersion":"${LEGACY}","capabilities":${CAPABILITIES},"serverInfo":${SERVER}`
    case 'server/discover':
      return modern ? `"supportedVersions":["${MODERN}"],"capabilities":${CAPABILITIES}${cached}` : undefined
    case 'ping':
      return modern ? undefined : '"_meta":{}'
    default:
      return undefined
  }
}

/** `id` comes last, where the official SDK writes it. */
const envelope = (result: string, id: string | number) =>
  `{"result":{${result}},"jsonrpc":"2.0","id":${JSON.stringify(id)}}`

const error = (id: string | number | undefined, code: number, message: string) =>
  JSON.stringify({ jsonrpc: '2.0', id: id ?? null, error: { code, message } })

function answer(response: ServerResponse, status: number, extra: string[], text: string): void {
  const length = String(Buffer.byteLength(text))
  response.writeHead(status, [...extra, 'Content-Type', 'application/json', 'Content-Length', length])
  response.end(text)
}

async function big(port: Port, response: ServerResponse, message: Message, modern: boolean): Promise<void> {
  const { bytes = 1024, pieces = 1, delayMs = 0 } = message.params?.arguments ?? {}
  const sse = port.listener.answer === 'sse'
  const head = `${sse ? 'event: message\ndata: ' : ''}{"result":{"content":[{"type":"text","text":"`
  const tail = `"}]${modern ? MODERN_TAIL : ''}},"jsonrpc":"2.0","id":${JSON.stringify(message.id)}}${sse ? '\n\n' : ''}`
  stats.big.startedAt = clock()
  response.writeHead(200, [
    'Content-Type',
    sse ? 'text/event-stream' : 'application/json',
    ...(sse ? [] : ['Content-Length', String(head.length + bytes + tail.length)]),
  ])
  response.write(head)
  const piece = Buffer.alloc(Math.ceil(bytes / pieces), 'x')
  for (let left = bytes; left > 0; left -= piece.length) {
    const flowing = response.write(left < piece.length ? piece.subarray(0, left) : piece)
    // The buffer may drain during the pause: whoever listens only afterwards waits for ever.
    const drained = flowing ? undefined : new Promise((resolve) => response.once('drain', resolve))
    if (delayMs > 0) await sleep(delayMs)
    await drained
  }
  stats.big.finishedAt = clock()
  response.end(tail)
}

function count(method: string): void {
  stats.byMethod[method] = (stats.byMethod[method] ?? 0) + 1
}

function toolList(size: number): string {
  const text = { type: 'string', description: 'Returned as it came' }
  const integer = (description: string) => ({ type: 'integer', description })
  const echo = {
    name: 'echo',
    description: 'Returns its argument',
    inputSchema: { type: 'object', properties: { text }, required: ['text'] },
  }
  const big = {
    name: 'big',
    description: 'Returns so many bytes',
    inputSchema: {
      type: 'object',
      properties: { bytes: integer('size'), pieces: integer('how many writes'), delayMs: integer('between them') },
      required: ['bytes'],
    },
  }
  const filler = (_: unknown, index: number) => ({
    name: `filler_${String(index).padStart(5, '0')}_echo`,
    description: `Tool number ${index}: returns its argument, like the others, so that a list of realistic size can be made of it.`,
    inputSchema: {
      type: 'object',
      properties: { text, limit: integer('At most so many, which nobody reads'), deep: { type: 'boolean' } },
      required: ['text'],
      additionalProperties: false,
    },
  })
  return JSON.stringify([echo, big, ...Array.from({ length: Math.max(size - 2, 0) }, filler)])
}
