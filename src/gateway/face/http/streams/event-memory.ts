/** What one event costs besides its text, about. */
const EVENT_COST = 200

/** Something that keeps events, and can do with fewer. */
export interface Forgetful {
  /** It keeps events of streams that have ended. */
  readonly keepsEnded: boolean
  /** Forgets one event of those it needs least, if it has any. */
  forgetOne(): void
}

/**
 * Bounds what all sessions together keep for clients that lose a stream. When memory is short, streams that have ended
 * go first, then the session that has sent nothing for longest.
 */
export class EventMemory {
  readonly #maxBytes: number
  #bytes = 0
  /** The one that was written to longest ago stands first. */
  readonly #stores = new Set<Forgetful>()
  readonly #withEnded = new Set<Forgetful>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** One more event of so many bytes. */
  added(store: Forgetful, bytes: number): void {
    this.#bytes += bytes + EVENT_COST
    this.#stores.delete(store)
    this.#stores.add(store)
    while (this.#bytes > this.#maxBytes) {
      const [victim] = this.#withEnded.size > 0 ? this.#withEnded : this.#stores
      if (!victim) return
      const before = this.#bytes
      victim.forgetOne()
      // It had none.
      if (this.#bytes === before) this.#stores.delete(victim)
    }
  }

  /** One event less. */
  removed(bytes: number): void {
    this.#bytes -= bytes + EVENT_COST
  }

  /** `store.keepsEnded` may have changed. */
  updated(store: Forgetful): void {
    if (store.keepsEnded) this.#withEnded.add(store)
    else this.#withEnded.delete(store)
  }

  /** The store is gone. */
  leave(store: Forgetful): void {
    this.#stores.delete(store)
    this.#withEnded.delete(store)
  }
}
