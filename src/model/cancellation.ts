/**
 * Cancels one call. An `AbortController` would do, at several times the cost per call:
 * this is the one allocation that every call pays, mostly without a listener.
 */
export class Cancellation {
  /** Why; absent while the call lives. */
  reason: Error | undefined
  #listeners: ((reason: Error) => void)[] | undefined

  get cancelled(): boolean {
    return this.reason !== undefined
  }

  /** Only the first call counts. Listeners run at once, in order. */
  cancel(reason: Error): void {
    if (this.reason !== undefined) return
    this.reason = reason
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners) for (const listener of listeners) listener(reason)
  }

  /** Calls the listener when cancelled, or at once when that has happened. */
  onCancel(listener: (reason: Error) => void): void {
    if (this.reason !== undefined) listener(this.reason)
    else if (this.#listeners) this.#listeners.push(listener)
    else this.#listeners = [listener]
  }

  /** Forgets a listener: for signals that outlive many who wait for them. */
  offCancel(listener: (reason: Error) => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1
    if (at !== -1) this.#listeners?.splice(at, 1)
  }

  throwIfCancelled(): void {
    if (this.reason !== undefined) throw this.reason
  }
}
