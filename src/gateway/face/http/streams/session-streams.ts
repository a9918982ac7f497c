import type { ServerResponse } from 'node:http'
import { isBefore } from '../../../../protocol/revisions.ts'
import type { EventMemory } from './event-memory.ts'
import type { Replay } from './event-store.ts'
import { EventStore } from './event-store.ts'
import { EventStream } from './event-stream.ts'
import { SessionStream, eventText } from './session-stream.ts'

/** GET streams of one session, lost ones that may come back included. */
const MAX_GET_STREAMS = 4
/** What one session keeps for streams that its client may have lost. */
const LIMITS = { maxEvents: 1000, maxBytes: 4 * 1024 * 1024 }
/** How long a stream that was lost, or has ended, can be asked for. */
const RESUMABLE_MS = 2 * 60_000
/** The first revision whose clients know events without data (SEP-1699). Older ones would try to parse them. */
const PRIMING_SINCE = '2025-11-25'

/**
 * The event streams of one legacy session. Answers have their own; everything else goes to the newest GET stream, and
 * each message to one stream only. While no GET stream is open, messages are kept for the one that was lost last, as
 * far as its client can come back for it, and dropped otherwise.
 */
export class SessionStreams {
  /** The client understands how to come back after any interruption. */
  readonly primes: boolean
  readonly #store: EventStore
  /** Streams that go on, by name. */
  readonly #live = new Map<string, SessionStream>()
  /** GET streams, the one that was opened or resumed last at the end. */
  #gets: SessionStream[] = []
  /** Streams that have ended and are being sent again, by name. */
  readonly #replays = new Map<string, EventStream>()
  #names = 0

  constructor(revision: string, memory: EventMemory) {
    this.primes = !isBefore(revision, PRIMING_SINCE)
    this.#store = new EventStore(LIMITS, memory)
  }

  /** A GET stream is open. */
  get connected(): boolean {
    return this.#gets.some(({ connected }) => connected)
  }

  /** The answer to a request becomes a stream. */
  open(res: ServerResponse): SessionStream {
    return this.#start(res, (stream) => this.#live.delete(stream.name))
  }

  /**
   * A GET. Of a stream that is not known, or not any more, nothing can be said: the client gets a fresh one, on which
   * it at least hears what is to come.
   */
  get(res: ServerResponse, lastEventId: string | undefined): void {
    const replay = lastEventId === undefined ? undefined : this.#store.after(lastEventId)
    if (!replay) return this.#listen(res)
    if (replay.ended) return this.#replay(res, replay)
    const stream = this.#live.get(replay.stream)
    stream?.resume(res, replay.events)
    // It is the newest again.
    if (stream && this.#gets.includes(stream)) this.#gets = [...this.#gets.filter((other) => other !== stream), stream]
  }

  /** A message that belongs to no request of the client. False: it cannot be delivered. */
  send(json: string): boolean {
    const open = this.#gets.findLast(({ connected }) => connected)
    if (open?.send(json)) return true
    // The client does not read: it comes back for this message, or is told that it missed something.
    open?.cut()
    return this.#gets.findLast(({ awaited }) => awaited)?.send(json) ?? false
  }

  /** Forgets what nobody has come back for. */
  sweep(now: number): void {
    const moment = now - RESUMABLE_MS
    this.#store.forgetEndedBefore(moment)
    for (const stream of this.#gets) if (!stream.connected && stream.lostAt < moment) stream.close()
  }

  /** Ends the GET streams. Answers go on. */
  closeGets(): void {
    for (const stream of this.#gets) stream.close()
  }

  /** Nothing is kept any longer. Calls that are cancelled say so on their streams. */
  close(): void {
    this.closeGets()
    for (const replay of this.#replays.values()) replay.close()
    this.#store.close()
  }

  /** A client that lost its stream without our noticing must not be locked out: the oldest goes instead. */
  #listen(res: ServerResponse): void {
    if (this.#gets.length === MAX_GET_STREAMS) {
      const [oldest] = this.#gets
      const lost = this.#gets.find(({ connected }) => !connected)
      ;(lost ?? oldest)?.close()
    }
    const stream = this.#start(res, (ended) => {
      this.#live.delete(ended.name)
      this.#gets = this.#gets.filter((other) => other !== ended)
    })
    this.#gets.push(stream)
  }

  #start(res: ServerResponse, onEnd: (stream: SessionStream) => void): SessionStream {
    const stream = new SessionStream((++this.#names).toString(36), this.#store, onEnd)
    this.#live.set(stream.name, stream)
    stream.open(res, this.primes)
    return stream
  }

  #replay(res: ServerResponse, { stream, events }: Replay): void {
    // Nothing will ever follow. A stream that ends without a message would bring clients back again and again;
    // this status tells them to stop (WHATWG HTML, "Server-sent events").
    if (events.length === 0) {
      res.writeHead(204).end()
      return
    }
    // Each may be as large as the memory.
    this.#replays.get(stream)?.cut()
    const connection = new EventStream(res, () => {
      if (this.#replays.get(stream) === connection) this.#replays.delete(stream)
    })
    this.#replays.set(stream, connection)
    for (const event of events) connection.write(eventText(event))
    connection.close()
  }
}
