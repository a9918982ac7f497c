/**
 * The load generator, a process of its own that takes its orders over IPC (`generator.ts` is the other side).
 * Closed loop over raw sockets: one request in flight per connection, bytes prepared once and patched, every answer
 * parsed and compared. Cheap enough to leave the machine to what is measured.
 */
import { connect, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'

export interface OpenOrder {
  op: 'open'
  name: string
  url: string
  era: 'legacy' | 'modern'
  connections: number
  /** Called in turn, from a different start on each connection. Empty: `tools/list`, all pages, is the call. */
  tools: string[]
  /** Bearer tokens, given to the connections in turn. Absent: none. */
  tokens?: string[]
}
export interface RunOrder {
  op: 'run'
  name: string
  /** Ends after so long, or after so many calls, whichever comes first. */
  ms: number
  calls: number
}
/** Sessions with an open GET stream each. */
export interface IdleOrder {
  op: 'idle'
  name: string
  url: string
  sessions: number
}
export interface CloseOrder {
  op: 'close'
  name: string
}
export type Order = OpenOrder | RunOrder | IdleOrder | CloseOrder

export interface RunResult {
  calls: number
  seconds: number
  /** Latency in microseconds. */
  p50: number
  p99: number
  /** Answers that were not what they should be, or did not come. */
  errors: number
  firstError?: string
}

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
/** A silent peer must not hold the whole benchmark. */
const STALL_MS = 20_000
/** Servers close idle connections after 5 s (the default of `node:http`); older ones are opened anew before a run. */
const STALE_MS = 2_000
/** Ids and texts have a fixed width, so that a prepared request can be patched in place. */
const ID_WIDTH = 9
let lastId = 100_000_000

interface Answer {
  status: number
  head: string
  body: Buffer
}

/** One kept-alive connection that speaks just enough HTTP/1.1: one request at a time. */
class Connection {
  readonly #host: string
  readonly #port: number
  #socket: Socket | undefined
  #pending: Buffer | undefined
  #settle: ((answer: Answer | Error) => void) | undefined
  /** With a GET stream the head is the answer. */
  #headOnly = false
  usedAt = 0

  constructor(url: URL) {
    this.#host = url.hostname
    this.#port = Number(url.port)
  }

  /** Calls back with the answer, or with the reason why there is none. */
  send(request: Buffer, settle: (answer: Answer | Error) => void, headOnly = false): void {
    this.#settle = settle
    this.#headOnly = headOnly
    if (!this.#socket || this.#socket.destroyed) this.#open()
    this.#socket!.write(request)
  }

  close(): void {
    this.#settle = undefined
    this.#socket?.destroy()
    this.#socket = undefined
    this.#pending = undefined
  }

  #open(): void {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true })
    this.#socket = socket
    this.#pending = undefined
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    // A socket that was given up may still speak, when the next request is already on its way.
    socket.on('error', (error) => this.#socket === socket && this.#done(error))
    socket.on('close', () => this.#socket === socket && this.#done(new Error('the connection was closed')))
  }

  #read(chunk: Buffer): void {
    this.#pending = this.#pending ? Buffer.concat([this.#pending, chunk]) : chunk
    const answer = parseAnswer(this.#pending, this.#headOnly)
    if (!answer) return
    this.#pending = undefined
    this.#done(answer)
  }

  #done(answer: Answer | Error): void {
    const settle = this.#settle
    this.#settle = undefined
    this.usedAt = performance.now()
    settle?.(answer)
  }
}

/** Undefined while bytes are missing. */
function parseAnswer(bytes: Buffer, headOnly: boolean): Answer | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const status = Number(head.slice(9, 12))
  if (headOnly) return { status, head, body: bytes.subarray(end + 4) }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (length) {
    const total = end + 4 + Number(length[1])
    return bytes.length < total ? undefined : { status, head, body: bytes.subarray(end + 4, total) }
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return { status, head, body: Buffer.alloc(0) }
  // Looking at the end first keeps the cost of a long answer linear.
  if (bytes.toString('latin1', bytes.length - 5) !== '0\r\n\r\n') return undefined
  const pieces: Buffer[] = []
  for (let at = end + 4; ;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (size === 0) return { status, head, body: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces) }
    pieces.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 4 + size
    if (at >= bytes.length) return undefined
  }
}

interface Wire {
  url: URL
  era: 'legacy' | 'modern'
  session?: string
  token?: string
}

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'load', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

function requestBytes(wire: Wire, method: string, id: number | undefined, params: Record<string, unknown>): Buffer {
  const { url, era, session, token } = wire
  const all = era === 'modern' ? { ...params, _meta: ENVELOPE } : params
  const body = JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, params: all })
  const lines = [
    `POST ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'Accept: application/json, text/event-stream',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  if (token !== undefined) lines.push(`Authorization: Bearer ${token}`)
  if (era === 'modern') lines.push(`MCP-Protocol-Version: ${MODERN}`, `Mcp-Method: ${method}`)
  else if (session !== undefined) lines.push(`MCP-Protocol-Version: ${LEGACY}`, `Mcp-Session-Id: ${session}`)
  if (era === 'modern' && typeof params['name'] === 'string') lines.push(`Mcp-Name: ${params['name']}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** A request whose id, and the text that repeats it, can be written over. */
interface Prepared {
  bytes: Buffer
  at: number[]
}

function prepare(wire: Wire, method: string, params: (id: number) => Record<string, unknown>): Prepared {
  const id = 999_999_999
  const bytes = requestBytes(wire, method, id, params(id))
  const at: number[] = []
  for (let i = bytes.indexOf(String(id)); i >= 0; i = bytes.indexOf(String(id), i + ID_WIDTH)) at.push(i)
  return { bytes, at }
}

function patch(prepared: Prepared, id: number): Buffer {
  const digits = String(id)
  for (const offset of prepared.at) prepared.bytes.write(digits, offset, ID_WIDTH, 'latin1')
  return prepared.bytes
}

interface Response {
  id?: unknown
  result?: { content?: { text?: unknown }[]; tools?: unknown[]; nextCursor?: string }
  error?: { message?: string }
}

/** The JSON-RPC response in an answer: the body, or the last event with data. */
function responseOf(answer: Answer): Response {
  let text = answer.body.toString()
  if (/\r\ncontent-type: *text\/event-stream/i.test(answer.head)) {
    const start = text.lastIndexOf('\ndata:')
    text = start < 0 && text.startsWith('data:') ? text.slice(5) : text.slice(start + 6)
    const end = text.indexOf('\n')
    if (end >= 0) text = text.slice(0, end)
  }
  if (answer.status !== 200) throw new Error(`status ${answer.status}: ${text.slice(0, 300)}`)
  return JSON.parse(text) as Response
}

/** Everything that one connection does: its session, its requests, its checks. */
class Worker {
  readonly connection: Connection
  readonly #wire: Wire
  readonly #tools: string[]
  readonly #calls: Prepared[] = []
  #turn: number
  /** Size of the first complete list; every later one must be as long. */
  #listed: number | undefined

  constructor(url: string, era: 'legacy' | 'modern', tools: string[], index: number, token?: string) {
    this.#wire = { url: new URL(url), era, ...(token !== undefined && { token }) }
    this.connection = new Connection(this.#wire.url)
    this.#tools = tools
    this.#turn = index * 7
  }

  async open(): Promise<void> {
    if (this.#wire.era === 'legacy') {
      const clientInfo = { name: 'load', version: '1.0.0' }
      const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo }
      const answer = await this.ask(requestBytes(this.#wire, 'initialize', ++lastId, params))
      responseOf(answer)
      const session = /\r\nmcp-session-id: *(\S+)/i.exec(answer.head)?.[1]
      if (session !== undefined) this.#wire.session = session
      await this.ask(requestBytes(this.#wire, 'notifications/initialized', undefined, {}))
    }
    for (const name of this.#tools) {
      this.#calls.push(prepare(this.#wire, 'tools/call', (id) => ({ name, arguments: { text: `text-${id}` } })))
    }
    if (this.#tools.length === 0) this.#calls.push(prepare(this.#wire, 'tools/list', () => ({})))
  }

  /** Opens the GET stream of the session on this connection. */
  async stream(): Promise<void> {
    const { url, session } = this.#wire
    const lines = [`GET ${url.pathname} HTTP/1.1`, `Host: ${url.host}`, 'Accept: text/event-stream']
    lines.push(`MCP-Protocol-Version: ${LEGACY}`, `Mcp-Session-Id: ${session}`)
    const { status } = await this.ask(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), true)
    if (status !== 200) throw new Error(`GET stream: status ${status}`)
  }

  ask(request: Buffer, headOnly = false): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer within ${STALL_MS} ms`)), STALL_MS)
      this.connection.send(
        request,
        (answer) => {
          clearTimeout(timer)
          if (answer instanceof Error) reject(answer)
          else resolve(answer)
        },
        headOnly,
      )
    })
  }

  /** One call; the callback gets the complaint, if there is one. */
  call(done: (complaint: string | undefined) => void): void {
    const id = ++lastId
    const prepared = this.#calls[this.#turn++ % this.#calls.length]!
    this.connection.send(patch(prepared, id), (answer) => {
      if (this.#tools.length > 0) done(complaintOf(answer, id))
      else this.#page(answer, id, 0, done)
    })
  }

  #page(answer: Answer | Error, id: number, before: number, done: (complaint: string | undefined) => void): void {
    try {
      if (answer instanceof Error) throw answer
      const response = responseOf(answer)
      const { tools = [], nextCursor } = response.result ?? {}
      if (response.id !== id) throw new Error(`the answer has the id ${String(response.id)} instead of ${id}`)
      const count = before + tools.length
      if (nextCursor !== undefined) {
        const next = ++lastId
        const request = requestBytes(this.#wire, 'tools/list', next, { cursor: nextCursor })
        this.connection.send(request, (answer) => this.#page(answer, next, count, done))
        return
      }
      this.#listed ??= count
      if (count === 0 || count !== this.#listed) throw new Error(`${count} tools, ${this.#listed} before`)
      done(undefined)
    } catch (error) {
      done((error as Error).message)
    }
  }
}

function complaintOf(answer: Answer | Error, id: number): string | undefined {
  try {
    if (answer instanceof Error) throw answer
    const response = responseOf(answer)
    const text = response.result?.content?.[0]?.text
    // A composite tool gives an object.
    const isRight = text === `text-${id}` || text === `{"text":"text-${id}"}`
    if (response.id === id && isRight) return undefined
    return `asked ${id}, got ${JSON.stringify(response).slice(0, 300)}`
  } catch (error) {
    return (error as Error).message
  }
}

const crews = new Map<string, Worker[]>()

async function open(order: OpenOrder): Promise<void> {
  // A cell that failed has left its own behind.
  close(order.name)
  const { url, era, tools, tokens = [] } = order
  const crew = Array.from(
    { length: order.connections },
    (_, index) => new Worker(url, era, tools, index, tokens[index % tokens.length]),
  )
  crews.set(order.name, crew)
  await Promise.all(crew.map((worker) => worker.open()))
}

async function idle(order: IdleOrder): Promise<void> {
  close(order.name)
  const crew: Worker[] = []
  crews.set(order.name, crew)
  while (crew.length < order.sessions) {
    const batch = Array.from(
      { length: Math.min(20, order.sessions - crew.length) },
      () => new Worker(order.url, 'legacy', [], 0),
    )
    crew.push(...batch)
    await Promise.all(
      batch.map(async (worker) => {
        await worker.open()
        await worker.stream()
      }),
    )
  }
}

function run(order: RunOrder): Promise<RunResult> {
  const crew = crews.get(order.name) ?? []
  const histogram = createHistogram({ figures: 3 })
  const started = performance.now()
  const until = started + order.ms
  let left = order.calls
  let calls = 0
  let errors = 0
  let firstError: string | undefined
  let working = crew.length
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(stall)
      const seconds = (performance.now() - started) / 1000
      resolve({
        calls,
        seconds,
        p50: histogram.percentile(50) / 1000,
        p99: histogram.percentile(99) / 1000,
        errors,
        ...(firstError === undefined ? {} : { firstError }),
      })
    }
    const stall = setTimeout(() => {
      errors += working
      firstError ??= `${working} calls were not answered within ${STALL_MS} ms`
      for (const worker of crew) worker.connection.close()
      finish()
    }, order.ms + STALL_MS)
    for (const worker of crew) {
      if (started - worker.connection.usedAt > STALE_MS) worker.connection.close()
      let sentAt = 0
      const done = (complaint: string | undefined) => {
        const now = performance.now()
        histogram.record(Math.max(1, Math.round((now - sentAt) * 1e6)))
        calls++
        if (complaint !== undefined) {
          errors++
          firstError ??= complaint
        }
        next(now)
      }
      const next = (now: number) => {
        // A broken target is told soon, not after a million failures.
        if (now >= until || left <= 0 || errors > 20) {
          if (--working === 0) finish()
          return
        }
        left--
        sentAt = now
        worker.call(done)
      }
      next(performance.now())
    }
  })
}

function close(name: string): void {
  for (const worker of crews.get(name) ?? []) worker.connection.close()
  crews.delete(name)
}

async function obey(order: Order): Promise<RunResult | null> {
  switch (order.op) {
    case 'open':
      await open(order)
      return null
    case 'idle':
      await idle(order)
      return null
    case 'run':
      return run(order)
    case 'close':
      close(order.name)
      return null
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: `${order.op} ${order.name}: ${(error as Error).message}` }),
  )
})
// Without its parent nobody would ever end it.
process.on('disconnect', () => process.exit(0))
