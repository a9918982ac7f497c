/** Bounds of one session's memory. */
interface EventStoreLimits {
  maxEvents: number
  /** UTF-8 bytes of all JSON texts. */
  maxBytes: number
}

interface StoredEvent {
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
}

/**
 * What the SSE streams of one legacy session have sent, so that a client that lost a stream can have the rest of it
 * (2025-11-25, transports, "Resumability and Redelivery"). Ids are `<stream>_<number>`, so no two streams share one,
 * and an event is only ever replayed on the stream it belongs to. When memory is short, streams that have ended go
 * first, then the oldest events.
 */
export class EventStore {
  readonly #limits: EventStoreLimits
  /** A stream that goes on is known even when nothing of it is kept: its numbers must not start over. */
  readonly #live = new Map<string, Stream>()
  /** The stream that ended first stands first. */
  readonly #ended = new Map<string, Stream>()
  #turn = 0
  #events = 0
  #bytes = 0

  constructor(limits: EventStoreLimits) {
    this.#limits = limits
  }

  get events(): number {
    return this.#events
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Keeps an event that is about to be sent, and names it. An empty `json` primes a client that has received nothing
   * yet. A name is used for one stream only, also after its end.
   */
  append(stream: string, json: string): string {
    let live = this.#live.get(stream)
    if (!live) this.#live.set(stream, (live = { first: 1, kept: [] }))
    const bytes = Buffer.byteLength(json)
    live.kept.push({ json, bytes, turn: this.#turn++ })
    this.#events++
    this.#bytes += bytes
    const id = `${stream}_${live.first + live.kept.length - 1}`
    while (this.#events > this.#limits.maxEvents || this.#bytes > this.#limits.maxBytes) this.#forgetOne()
    return id
  }

  /**
   * What was sent after an event on its stream; `undefined`: there is no such event, or something that came after it is
   * forgotten. A client must not take an answer with a gap for the whole.
   */
  after(eventId: string): Replay | undefined {
    const at = eventId.lastIndexOf('_')
    const name = eventId.slice(0, Math.max(at, 0))
    const number = NUMBER.test(eventId.slice(at + 1)) ? Number(eventId.slice(at + 1)) : 0
    const live = this.#live.get(name)
    const stream = live ?? this.#ended.get(name)
    if (!stream || number === 0) return undefined
    const from = number + 1 - stream.first
    if (from < 0 || from > stream.kept.length) return undefined
    const events = stream.kept.slice(from).map(({ json }, index) => ({ id: `${name}_${number + 1 + index}`, json }))
    return { stream: name, events, ended: live === undefined }
  }

  /** The stream has sent its last event. Harmless when it has sent none. */
  end(stream: string): void {
    const live = this.#live.get(stream)
    if (!live) return
    this.#live.delete(stream)
    if (live.kept.length > 0) this.#ended.set(stream, live)
  }

  #forgetOne(): void {
    for (const [name, ended] of this.#ended) {
      this.#forgetFirst(ended)
      if (ended.kept.length === 0) this.#ended.delete(name)
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
  }
}

const NUMBER = /^\d{1,15}$/

function turnOf(stream: Stream | undefined): number {
  return stream?.kept[0]?.turn ?? Infinity
}
