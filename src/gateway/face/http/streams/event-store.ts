import type { EventMemory, Forgetful } from './event-memory.ts'

/** Bounds of one session's memory. */
export interface EventStoreLimits {
  maxEvents: number
  /** UTF-8 bytes of all JSON texts. */
  maxBytes: number
}

export interface StoredEvent {
  id: string
  json: string
}

export interface Replay {
  stream: string
  /** What the client missed, in order. */
  events: readonly StoredEvent[]
  /** Nothing will follow. */
  ended: boolean
}

interface Kept {
  json: string
  bytes: number
  /** When it was sent, counted in events of the session. */
  turn: number
}

interface Stream {
  /** Number of the oldest event that is kept, or of the next one. */
  first: number
  kept: Kept[]
  /** Milliseconds since the epoch; 0: it goes on. */
  endedAt: number
}

/**
 * What the SSE streams of one legacy session have sent, so that a client that lost a stream can have the rest of it
 * (2025-11-25, transports, "Resumability and Redelivery"). Ids are `<stream>_<number>`, so no two streams share one,
 * and an event is only ever replayed on the stream it belongs to. When memory is short, streams that have ended go
 * first, then the oldest events.
 */
export class EventStore implements Forgetful {
  readonly #limits: EventStoreLimits
  readonly #memory: EventMemory
  /** A stream that goes on is known even when nothing of it is kept: its numbers must not start over. */
  readonly #live = new Map<string, Stream>()
  /** The stream that ended first stands first. */
  readonly #ended = new Map<string, Stream>()
  #turn = 0
  #events = 0
  #bytes = 0
  #closed = false

  /** `memory` is shared by all stores. */
  constructor(limits: EventStoreLimits, memory: EventMemory) {
    this.#limits = limits
    this.#memory = memory
  }

  get events(): number {
    return this.#events
  }

  get bytes(): number {
    return this.#bytes
  }

  get keepsEnded(): boolean {
    return this.#ended.size > 0
  }

  /**
   * Keeps an event that is about to be sent, and names it. An empty `json` primes a client that has received nothing
   * yet. A name is used for one stream only, also after its end.
   */
  append(stream: string, json: string): string {
    let live = this.#live.get(stream)
    if (!live) this.#live.set(stream, (live = { first: 1, kept: [], endedAt: 0 }))
    if (this.#closed) return `${stream}_${live.first++}`
    const bytes = Buffer.byteLength(json)
    live.kept.push({ json, bytes, turn: this.#turn++ })
    this.#events++
    this.#bytes += bytes
    const id = `${stream}_${live.first + live.kept.length - 1}`
    this.#memory.added(this, bytes)
    while (this.#events > this.#limits.maxEvents || this.#bytes > this.#limits.maxBytes) this.forgetOne()
    return id
  }

  /**
   * What was sent after an event on its stream, as far as it is still known: each event is a message of its own, and
   * the answer, the last of them, is worth most. `undefined`: there is no such event, or nothing is known of its stream.
   */
  after(eventId: string): Replay | undefined {
    const at = eventId.lastIndexOf('_')
    const name = eventId.slice(0, Math.max(at, 0))
    const number = NUMBER.test(eventId.slice(at + 1)) ? Number(eventId.slice(at + 1)) : 0
    const live = this.#live.get(name)
    const stream = live ?? this.#ended.get(name)
    if (!stream || number === 0 || number >= stream.first + stream.kept.length) return undefined
    const from = Math.max(number + 1, stream.first)
    const events = stream.kept
      .slice(from - stream.first)
      .map(({ json }, index) => ({ id: `${name}_${from + index}`, json }))
    return { stream: name, events, ended: live === undefined }
  }

  /** The stream has sent its last event. Harmless when it has sent none. */
  end(stream: string, now = Date.now()): void {
    const live = this.#live.get(stream)
    if (!live) return
    this.#live.delete(stream)
    if (live.kept.length === 0) return
    live.endedAt = now
    this.#ended.set(stream, live)
    this.#memory.updated(this)
  }

  /** Streams that ended before that moment (milliseconds since the epoch) are not known any more. */
  forgetEndedBefore(moment: number): void {
    for (const [name, stream] of this.#ended) {
      if (stream.endedAt >= moment) break
      while (stream.kept.length > 0) this.#forgetFirst(stream)
      this.#ended.delete(name)
    }
    this.#memory.updated(this)
  }

  /** Nobody can come back any more: from now on events are named and not kept. */
  close(): void {
    for (const streams of [this.#live, this.#ended]) {
      for (const stream of streams.values()) while (stream.kept.length > 0) this.#forgetFirst(stream)
      streams.clear()
    }
    this.#closed = true
    this.#memory.leave(this)
  }

  forgetOne(): void {
    for (const [name, ended] of this.#ended) {
      this.#forgetFirst(ended)
      if (ended.kept.length === 0) this.#ended.delete(name)
      this.#memory.updated(this)
      return
    }
    let oldest: Stream | undefined
    for (const live of this.#live.values()) if (turnOf(live) < turnOf(oldest)) oldest = live
    if (oldest) this.#forgetFirst(oldest)
  }

  #forgetFirst(stream: Stream): void {
    const event = stream.kept.shift()
    if (!event) return
    stream.first++
    this.#events--
    this.#bytes -= event.bytes
    this.#memory.removed(event.bytes)
  }
}

const NUMBER = /^\d{1,15}$/

function turnOf(stream: Stream | undefined): number {
  return stream?.kept[0]?.turn ?? Infinity
}
