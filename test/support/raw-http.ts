import { connect, type Socket } from 'node:net'

import type { JsonObject } from '../../src/model/json.ts'

/** One HTTP answer as it stood on the wire. */
export interface RawResponse {
  status: number
  /** Names in lower case; of equal names the last one counts. */
  headers: Record<string, string>
  body: string
}

/** A connection on which a test writes whatever bytes it likes. */
export interface RawConnection {
  socket: Socket
  write(bytes: string | Buffer): void
  /** The next whole answer. Rejects when the connection ends before, or after 10 s. */
  next(): Promise<RawResponse>
  /** Resolves when the server has closed the connection. */
  closed: Promise<void>
}

const PATIENCE_MS = 10_000

export async function openRaw(port: number, host = '127.0.0.1'): Promise<RawConnection> {
  const socket = connect(port, host)
  let received: Buffer = Buffer.alloc(0)
  let over = false
  let wake = () => {}
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      over = true
      wake()
      resolve()
    })
  })
  // What the server does to this connection is what the tests look at.
  socket.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return {
    socket,
    closed,
    write: (bytes) => void socket.write(bytes),
    async next() {
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const parsed = parseResponse(received, over)
        if (parsed) {
          received = received.subarray(parsed.length)
          return parsed.response
        }
        if (over) throw new Error(`the connection ended after ${received.length} bytes: ${received.toString('latin1')}`)
        if (Date.now() > deadline) throw new Error(`no answer within ${PATIENCE_MS} ms`)
        await new Promise<void>((resolve) => {
          wake = resolve
          setTimeout(resolve, 200).unref()
        })
      }
    },
  }
}

function parseResponse(bytes: Buffer, over: boolean): { response: RawResponse; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(first.split(' ')[1])
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const start = end + 4
  const announced = headers['content-length']
  if (headers['transfer-encoding'] === 'chunked') return dechunk(bytes, start, status, headers)
  if (announced === undefined && status !== 204 && status !== 304 && !over) return undefined
  const length = announced === undefined ? (status === 204 ? 0 : bytes.length - start) : Number(announced)
  if (bytes.length < start + length) return undefined
  return {
    response: { status, headers, body: bytes.toString('utf8', start, start + length) },
    length: start + length,
  }
}

function dechunk(bytes: Buffer, start: number, status: number, headers: Record<string, string>) {
  const parts: Buffer[] = []
  let at = start
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line === -1) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (bytes.length < line + 2 + size + 2) return undefined
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
    if (size === 0) break
  }
  return { response: { status, headers, body: Buffer.concat(parts).toString('utf8') }, length: at }
}

/** The message of a single JSON body, or the last one of an event stream. */
export function messageOf({ headers, body }: RawResponse): JsonObject {
  if (!headers['content-type']?.startsWith('text/event-stream')) return JSON.parse(body) as JsonObject
  const data = body.split('\n').filter((line) => line.startsWith('data: '))
  return JSON.parse(data.at(-1)?.slice(6) ?? '') as JsonObject
}

export interface RawRequest {
  method?: string
  path?: string
  /** Override the usual ones; `undefined` leaves one out. Names in lower case. */
  headers?: Record<string, string | undefined>
  body?: string | Buffer
}

/** A request with the headers that every client sends, as bytes. */
export function requestBytes({ method = 'POST', path = '/mcp', headers = {}, body = '' }: RawRequest): Buffer {
  const all: Record<string, string | undefined> = {
    host: '127.0.0.1',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    Buffer.from(body),
  ])
}

/** One request on a connection of its own. */
export async function rawRequest(port: number, request: RawRequest): Promise<RawResponse> {
  const connection = await openRaw(port)
  try {
    connection.write(requestBytes(request))
    return await connection.next()
  } finally {
    connection.socket.destroy()
  }
}
