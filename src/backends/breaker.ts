export interface BreakerSettings {
  enabled: boolean
  /** Failures in a row that open it. */
  failureThreshold: number
  /** How long it stays open, milliseconds. */
  timeoutMs: number
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/** Circuit breaker over the calls of one backend: open, calls are refused at once; half-open, one call tries. */
export class Breaker {
  readonly #settings: BreakerSettings
  readonly #now: () => number
  #failures = 0
  #openedAt: number | undefined
  #trying = false

  constructor(settings: BreakerSettings, now: () => number = Date.now) {
    this.#settings = settings
    this.#now = now
  }

  get state(): BreakerState {
    if (this.#openedAt === undefined) return 'closed'
    return this.#now() - this.#openedAt >= this.#settings.timeoutMs ? 'half-open' : 'open'
  }

  /** Whether a call may go on. In `half-open` the first one may. */
  admit(): boolean {
    switch (this.state) {
      case 'closed':
        return true
      case 'open':
        return false
      case 'half-open':
        if (this.#trying) return false
        this.#trying = true
        return true
    }
  }

  succeeded(): void {
    this.#failures = 0
    this.#openedAt = undefined
    this.#trying = false
  }

  failed(): void {
    this.#trying = false
    this.#failures++
    const reopened = this.#openedAt !== undefined
    if (this.#settings.enabled && (reopened || this.#failures >= this.#settings.failureThreshold)) {
      this.#openedAt = this.#now()
    }
  }

  /** A call that says nothing about the backend (the caller gave up). */
  undecided(): void {
    this.#trying = false
  }
}
