import type { Writable } from 'node:stream'
import type { Flow } from '../../model/call.ts'

/**
 * The way out to one client, a stream or a pipe. It is full long before anything is dropped (`MAX_WAITING`), so that
 * nothing of those who wait ever is.
 */
export class Outflow implements Flow {
  readonly #output: Writable
  #over = false
  /** The one that has waited longest stands first: of many senders each has its turn. */
  #waiting: Set<() => void> | undefined

  constructor(output: Writable) {
    this.#output = output
  }

  get full(): boolean {
    return !this.#over && this.#output.writableNeedDrain
  }

  onDrain(listener: () => void): () => void {
    const waiting = (this.#waiting ??= this.#watch())
    waiting.add(listener)
    return () => waiting.delete(listener)
  }

  #watch(): Set<() => void> {
    const waiting = new Set<() => void>()
    const tell = (): void => {
      for (const listener of waiting) {
        // The one before has filled it again.
        if (this.full) return
        waiting.delete(listener)
        listener()
      }
    }
    this.#output.on('drain', tell)
    this.#output.once('close', () => {
      this.#over = true
      tell()
    })
    return waiting
  }
}
