/** How long a server may take to acknowledge a subscription before nobody waits for it any more. */
const ACKNOWLEDGEMENT_MS = 3000

interface Watch {
  close(): void
}

/** What a subscription tells of itself. Each may be called at any time and more than once. */
export interface Told {
  acknowledged: () => void
  /** There will be none. */
  refused: () => void
}

/**
 * Subscriptions that replace each other without a moment in between: the old one ends when the new one is acknowledged.
 * One that the server refuses leaves the old one in its place. Never more than two at once.
 */
export class Succession {
  #current: Watch | undefined
  #next: Watch | undefined
  /** Of `#current`. */
  #acknowledged = false
  #settle: () => void = () => {}

  /** One has been acknowledged, and not refused since. */
  get stands(): boolean {
    return this.#current !== undefined && this.#acknowledged
  }

  /** Resolves when the new one is acknowledged, refused or replaced in its turn, and after 3 s in any case. */
  async replace(open: (told: Told) => Watch): Promise<void> {
    // Better one that may never be acknowledged than none.
    if (this.#current) this.#next?.close()
    else {
      this.#current = this.#next
      this.#acknowledged = false
    }
    this.#next = undefined
    this.#settle()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ACKNOWLEDGEMENT_MS).unref()
      const settle = (): void => {
        clearTimeout(timer)
        resolve()
      }
      this.#settle = settle
      const mine = (): boolean => this.#settle === settle && this.#next !== undefined
      const watch = open({
        acknowledged: () => {
          if (this.#current === watch) this.#acknowledged = true
          if (!mine()) return
          this.#current?.close()
          this.#current = this.#next
          this.#acknowledged = true
          this.#next = undefined
          settle()
        },
        refused: () => {
          if (this.#current === watch) this.#acknowledged = false
          if (!mine()) return
          this.#next?.close()
          this.#next = undefined
          settle()
        },
      })
      this.#next = watch
    })
  }

  close(): void {
    this.#current?.close()
    this.#next?.close()
    this.#current = undefined
    this.#next = undefined
    this.#settle()
  }
}
