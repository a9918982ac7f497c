import type { ServerResponse } from 'node:http'
import type { Flow, ResultStream } from '../../../../model/call.ts'
import { JSONRPC } from '../../../../model/errors.ts'
import { errorText } from '../../../../protocol/jsonrpc.ts'
import { sseMessage } from '../../../../protocol/sse.ts'
import { MAX_WAITING } from '../../waiting.ts'
import type { EventStore, StoredEvent } from './event-store.ts'
import { EventStream } from './event-stream.ts'

/** When a client should come back that has lost its stream, in milliseconds. */
const RETRY_MS = 1000

/** Characters of a response that can be kept for a client which has lost its stream. */
const MAX_KEPT = 2 * 1024 * 1024

/** How long a result that is too large to be kept waits for a client that was told to come back, milliseconds. */
const HOLD_MS = 60_000

/** What a client reads that comes back for a result which was too large to be kept for it. */
const LOST = {
  code: JSONRPC.internalError,
  message: 'The connection was lost while a large result passed; such results are not kept. The call itself has run.',
}

/**
 * One event stream of a session, which may outlive its connection: what is sent is kept, and a client that comes back
 * has the rest over a new connection (2025-11-25, transports, "Resumability and Redelivery").
 */
export class SessionStream {
  readonly name: string
  readonly #store: EventStore
  readonly #onEnd: (stream: SessionStream) => void
  #connection: EventStream | undefined
  /** Characters kept for a client that is away and may never come back. */
  #unread = 0
  /** The client knows an id to come back with. */
  #resumable = false
  /** The client was let go, and is not back. */
  #expected = false
  /** A last message that only waits for the client to come back. */
  #held: { json: string; id: string; timer: NodeJS.Timeout } | undefined
  #ended = false
  /** When the connection was lost, milliseconds since the epoch. */
  lostAt = 0

  constructor(name: string, store: EventStore, onEnd: (stream: SessionStream) => void) {
    this.name = name
    this.#store = store
    this.#onEnd = onEnd
  }

  get connected(): boolean {
    return this.#connection !== undefined
  }

  /**
   * Absent while the client is away, which may be for ever: no backend waits for it. What it can do without is kept up to
   * the bound, and dropped beyond.
   */
  get flow(): Flow | undefined {
    return this.#connection?.flow
  }

  /** The client is away and able to come back. */
  get awaited(): boolean {
    return !this.#connection && this.#resumable && !this.#ended
  }

  /** The first connection. `prime`: the client understands an event without data, whose id it can come back with. */
  open(res: ServerResponse, prime: boolean): void {
    const connection = this.#connect(res)
    if (!prime) return
    connection.write(`id: ${this.#keep('')}\nretry: ${RETRY_MS}\ndata: \n\n`)
  }

  /** The client has come back. Only one connection carries a stream. */
  resume(res: ServerResponse, missed: readonly StoredEvent[]): void {
    const old = this.#connection
    const connection = this.#connect(res)
    old?.cut()
    for (const event of missed) connection.write(eventText(event))
    const held = this.#held
    if (!held) return
    clearTimeout(held.timer)
    this.finish(held.json, held.id)
  }

  /** Ends the connection, not the stream: the client comes back in so many milliseconds. */
  letGo(retryMs: number): void {
    const connection = this.#connection
    if (!connection || !this.#resumable || this.#ended) return
    connection.write(`retry: ${retryMs}\n\n`)
    this.#lose()
    this.#expected = true
    connection.close()
  }

  /** A message that is not the last one. False: the client does not read, or has been away for too long. */
  send(json: string): boolean {
    const connection = this.#connection
    if (this.#ended || (connection ? connection.crowded : this.#unread > MAX_WAITING)) return false
    const event = { id: this.#keep(json), json }
    if (connection) connection.write(eventText(event))
    else this.#unread += json.length
    return true
  }

  /** An answer: it is written however much waits already. `kept`: what a client has instead that comes back for it. */
  put(json: string, kept = json): void {
    if (this.#ended) return
    const event = { id: this.#keep(kept), json }
    this.#connection?.write(eventText(event))
  }

  /** The last message, the response to `id` (JSON text). */
  finish(json: string, id: string): void {
    const large = json.length > MAX_KEPT
    if (large && this.#expected) this.#hold(json, id)
    else {
      this.put(json, large ? errorText(id, LOST) : json)
      this.close()
    }
  }

  /** A response that is still arriving, as last message under `id` (JSON text). It does not fit into memory. */
  pass(stream: ResultStream, id: string): void {
    const connection = this.#connection
    // Replayed to a client that has lost the result.
    this.#keep(errorText(id, LOST))
    this.#end()
    if (connection) connection.pass(stream, id)
    else stream.abort(new Error('the client is gone'))
  }

  /** Nothing more will be sent. */
  close(): void {
    const connection = this.#connection
    this.#end()
    connection?.close()
  }

  /** The client does not read: it may come back for what it has missed. */
  cut(): void {
    this.#connection?.cut()
    this.#lose()
  }

  #connect(res: ServerResponse): EventStream {
    const connection = new EventStream(res, () => {
      if (this.#connection === connection) this.#lose()
    })
    this.#connection = connection
    this.#expected = false
    this.#unread = 0
    return connection
  }

  #lose(): void {
    this.#connection = undefined
    this.lostAt = Date.now()
  }

  /** It was our doing that the client is away: it must not lose what it would have been given. */
  #hold(json: string, id: string): void {
    const giveUp = (): void => {
      this.#expected = false
      this.finish(json, id)
    }
    this.#held = { json, id, timer: setTimeout(giveUp, HOLD_MS).unref() }
  }

  #keep(json: string): string {
    this.#resumable = true
    return this.#store.append(this.name, json)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#connection = undefined
    this.#store.end(this.name)
    this.#onEnd(this)
  }
}

/** A stored event as it travels. One without data only primes. */
export function eventText({ id, json }: StoredEvent): string {
  return json === '' ? `id: ${id}\ndata: \n\n` : `id: ${id}\n${sseMessage(json)}`
}
