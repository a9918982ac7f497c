import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ByteSink, Notification, ResultStream } from '../../../model/call.ts'
import { notificationText } from '../../../protocol/jsonrpc.ts'
import { IdSplicer } from '../../../protocol/splice.ts'
import { SSE_KEEP_ALIVE, sseMessage } from '../../../protocol/sse.ts'
import type { Link } from '../../../model/chain.ts'
import { Chain } from '../../../model/chain.ts'
import { acceptedTypes } from './accept.ts'

/** Clients give up on silent bodies, some after 60 s; proxies earlier. */
const KEEP_ALIVE_MS = 15_000
/** Notifications for a client that does not read are dropped beyond this many waiting bytes. */
const MAX_WAITING = 1024 * 1024

export const SSE_HEADERS = [
  'Content-Type',
  'text/event-stream',
  'Cache-Control',
  'no-cache, no-transform',
  'X-Accel-Buffering',
  'no',
]

/**
 * The answer to one POST: a single JSON body, or an event stream from the first notification on.
 * Written in one go wherever that is possible.
 */
export class Responder implements Link {
  readonly #res: ServerResponse
  readonly #json: boolean
  readonly #sse: boolean
  readonly #since = Date.now()
  #streaming = false
  previous: Link | undefined = undefined
  next: Link | undefined = undefined

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.#res = res
    // Some clients name only one of the two types, or none: they get what they name.
    const { accept } = req.headers
    const { json, events } = acceptedTypes(accept)
    this.#sse = events
    this.#json = json
    waiting.add(this)
  }

  /** Notifications can be delivered. */
  get takesEvents(): boolean {
    return this.#sse
  }

  /** What comes after the end is dropped: a backend may report progress later than its call took. */
  readonly notify = ({ method, params }: Notification): void => {
    this.send(notificationText(method, params))
  }

  /** A message before the response. False: it cannot be delivered. */
  readonly send = (json: string): boolean => {
    if (this.#over || this.#res.writableLength > MAX_WAITING) return false
    this.#upgrade()
    this.#res.write(sseMessage(json))
    return true
  }

  /** The whole JSON-RPC response. `status` counts only when nothing has been written yet. */
  finish(status: number, text: string): void {
    waiting.remove(this)
    const res = this.#res
    if (this.#over) return
    if (this.#streaming) {
      res.end(sseMessage(text))
    } else if (this.#json || status !== 200) {
      res.writeHead(status, ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(text))])
      res.end(text)
    } else {
      res.writeHead(200, SSE_HEADERS)
      res.end(sseMessage(text))
    }
  }

  /** A response that is still arriving: passed on as it comes, its id replaced by `id` (JSON text). */
  stream(stream: ResultStream, id: string): void {
    waiting.remove(this)
    // Nobody would ever take it: it would hold its upstream until the deadline.
    if (this.#over) return stream.abort(new Error('the client is gone'))
    const res = this.#res
    const asEvent = this.#streaming || !this.#json
    if (asEvent) {
      this.#upgrade()
      res.write('event: message\ndata: ')
    } else {
      const { length } = stream
      const head = ['Content-Type', 'application/json']
      if (length !== undefined) {
        const growth = Buffer.byteLength(id) - String(stream.upstreamId).length
        head.push('Content-Length', String(length + growth))
      }
      res.writeHead(200, head)
    }
    const splicer = new IdSplicer(stream.upstreamId, id)
    const write = (chunks: Buffer[]): boolean => {
      let more = true
      for (const chunk of chunks) if (chunk.length > 0) more = res.write(asEvent ? oneLine(chunk) : chunk)
      return more
    }
    const sink: ByteSink = {
      write: (chunk) => write(splicer.push(chunk)),
      end: () => {
        write(splicer.end())
        // An answer under the gateway's own id is one that the client waits for in vain.
        if (splicer.done) res.end(asEvent ? '\n\n' : undefined)
        else res.destroy()
      },
      // Half a response must not look like a whole one.
      fail: () => res.destroy(),
    }
    res.on('drain', () => stream.resume())
    res.on('close', () => {
      if (!res.writableFinished) stream.abort(new Error('the client is gone'))
    })
    stream.pipe(sink)
  }

  /** Says that we are still here, as far as the client can take it. */
  keepAlive(now: number): void {
    if (this.#over || !this.#sse || now - this.#since < KEEP_ALIVE_MS || this.#res.writableLength > MAX_WAITING) return
    this.#upgrade()
    this.#res.write(SSE_KEEP_ALIVE)
  }

  /** Somebody else answers, or nobody does. */
  abandon(): void {
    waiting.remove(this)
  }

  get #over(): boolean {
    return this.#res.writableEnded || this.#res.destroyed
  }

  #upgrade(): void {
    if (this.#streaming) return
    this.#streaming = true
    this.#res.writeHead(200, SSE_HEADERS)
  }
}

/** Line breaks in JSON text are only white space, but they would end an event's data line. */
function oneLine(chunk: Buffer): Buffer {
  if (!chunk.includes(0x0a) && !chunk.includes(0x0d)) return chunk
  return Buffer.from(chunk.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)))
}

/** Every POST that waits for its answer; one timer for all. */
const waiting = new Chain<Responder>()

setInterval(() => {
  const now = Date.now()
  for (const responder of waiting) responder.keepAlive(now)
}, KEEP_ALIVE_MS).unref()
