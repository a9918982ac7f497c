import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Flow, Notification, ResultStream } from '../../../model/call.ts'
import type { Link } from '../../../model/chain.ts'
import { Chain } from '../../../model/chain.ts'
import { joinResponses } from '../../../protocol/batch.ts'
import { notificationText } from '../../../protocol/jsonrpc.ts'
import { sseMessage } from '../../../protocol/sse.ts'
import { acceptedTypes } from './accept.ts'
import { EventStream, KEEP_ALIVE_MS, SSE_HEADERS } from './streams/event-stream.ts'
import { passResult } from './pass-result.ts'
import { SessionStream } from './streams/session-stream.ts'
import type { SessionStreams } from './streams/session-streams.ts'

/**
 * A client of 2025-11-25 or later gets a stream, and with it the means to come back, for whatever takes longer than
 * this; quicker answers cost nothing.
 */
const RESUMABLE_AFTER_MS = 1000
const TICK_MS = 1000

/**
 * The answer to one POST: a single JSON body, or an event stream from the first notification on.
 * Written in one go wherever that is possible.
 */
export class Responder implements Link, Flow {
  readonly #res: ServerResponse
  readonly #json: boolean
  readonly #sse: boolean
  readonly #since = Date.now()
  #session: SessionStreams | undefined = undefined
  #events: EventStream | SessionStream | undefined = undefined
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

  /** The client does not read the stream. One that has lost it is waited for by nobody. */
  get full(): boolean {
    return this.#events?.flow?.full ?? false
  }

  onDrain(listener: () => void): () => void {
    return this.#events?.flow?.onDrain(listener) ?? noop
  }

  /** Once it is a stream it belongs to this session, which keeps its events for a client that loses it. */
  keepIn(session: SessionStreams): void {
    this.#session = session
  }

  /** What comes after the end is dropped: a backend may report progress later than its call took. */
  readonly notify = ({ method, params }: Notification): void => {
    this.send(notificationText(method, params))
  }

  /** A message before the response. False: it cannot be delivered. */
  readonly send = (json: string): boolean => {
    return this.#open()?.send(json) ?? false
  }

  /** The client may come back for the rest in so many milliseconds. */
  readonly letGo = (retryMs: number): void => {
    const events = this.#open()
    if (events instanceof SessionStream) events.letGo(retryMs)
  }

  /** The whole JSON-RPC response to `id` (JSON text). `status` counts only when nothing has been written yet. */
  finish(status: number, text: string, id: string): void {
    waiting.remove(this)
    if (this.#events) return this.#events.finish(text, id)
    const res = this.#res
    if (this.#over) return
    if (this.#json || status !== 200) {
      res.writeHead(status, ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(text))])
      res.end(text)
    } else {
      res.writeHead(200, SSE_HEADERS)
      res.end(sseMessage(text))
    }
  }

  /** The responses to a batch: an array, but one by one on a stream, where clients look for single messages. */
  finishAll(texts: readonly string[]): void {
    const whole = joinResponses(texts)
    if (whole === undefined) this.#finishEmpty()
    else if (this.#json && !this.#events) this.finish(200, whole, 'null')
    else {
      const events = this.#open()
      for (const text of texts) events?.put(text)
      events?.close()
    }
  }

  /** A response that is still arriving: passed on as it comes, its id replaced by `id` (JSON text). */
  stream(stream: ResultStream, id: string): void {
    waiting.remove(this)
    if (!this.#json) this.#open()
    if (this.#events) return this.#events.pass(stream, id)
    const { length } = stream
    const head = ['Content-Type', 'application/json']
    if (length !== undefined) {
      const growth = Buffer.byteLength(id) - String(stream.upstreamId).length
      head.push('Content-Length', String(length + growth))
    }
    if (!this.#over) this.#res.writeHead(200, head)
    passResult(this.#res, stream, id, false)
  }

  /** It takes long: says that we are still here, as far as the client can take it. */
  tick(now: number): void {
    const patience = this.#session?.primes === true ? RESUMABLE_AFTER_MS : KEEP_ALIVE_MS
    if (this.#sse && now - this.#since >= patience) this.#open()
  }

  /** Somebody else answers, or nobody does. */
  abandon(): void {
    waiting.remove(this)
  }

  get #over(): boolean {
    return this.#res.writableEnded || this.#res.destroyed
  }

  #finishEmpty(): void {
    waiting.remove(this)
    if (this.#events) this.#events.close()
    else if (!this.#over) this.#res.writeHead(202).end()
  }

  /** `undefined`: the client left, or has been answered, before there was a stream. */
  #open(): EventStream | SessionStream | undefined {
    if (this.#events || this.#over) return this.#events
    waiting.remove(this)
    return (this.#events = this.#session ? this.#session.open(this.#res) : new EventStream(this.#res))
  }
}

function noop(): void {}

/** Every POST that waits for its answer, or for the first event of it; one timer for all. */
const waiting = new Chain<Responder>()

setInterval(() => {
  const now = Date.now()
  for (const responder of waiting) responder.tick(now)
}, TICK_MS).unref()
