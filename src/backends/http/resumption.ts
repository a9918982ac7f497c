import type { SseReader } from '../../protocol/sse.ts'
import { positionHeader } from './position.ts'

/** When the server names none. */
const RETRY_MS = 1000
const LAST_RETRY_MS = 30_000
/** Attempts in a row that bring nothing new. */
const MAX_ATTEMPTS = 5

/**
 * Where the event stream of a call goes on after it broke off before the response: servers close it on purpose
 * (2025-11-25, transports, "Listening for messages"), and networks cut it.
 */
export class Resumption {
  #lastEventId: string | undefined
  #retryMs = RETRY_MS
  /** When the server wants to be asked again, milliseconds; absent: it has not said. */
  namedMs: number | undefined
  #attempts = 0
  #timer: NodeJS.Timeout | undefined

  /** After something was read. */
  read({ lastEventId, retryMs }: SseReader): void {
    if (lastEventId !== undefined && lastEventId !== this.#lastEventId) {
      this.#lastEventId = lastEventId
      this.#attempts = 0
    }
    if (retryMs !== undefined) this.#retryMs = this.namedMs = Math.min(retryMs, LAST_RETRY_MS)
  }

  /** Opens the stream at its position when the server wants it. `false`: there is no position, or no hope. */
  again(open: (position: string) => void): boolean {
    const position = positionHeader(this.#lastEventId)
    if (position === undefined || this.#attempts >= MAX_ATTEMPTS) return false
    const delay = Math.min(this.#retryMs * 2 ** this.#attempts++, LAST_RETRY_MS)
    this.#timer = setTimeout(open, delay, position)
    return true
  }

  cancel(): void {
    clearTimeout(this.#timer)
  }
}
