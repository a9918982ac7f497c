import type { Dispatcher } from 'undici'
import type { Message } from '../../protocol/jsonrpc.ts'
import { parseMessage } from '../../protocol/jsonrpc.ts'
import { SseReader } from '../../protocol/sse.ts'

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
/** A stream that has lived this long was a good one: after its end the first delay counts again. */
const GOOD_LIFE_MS = 10_000

export interface ChangeStreamOptions {
  /** Sends the request that opens the stream. */
  open: (handler: Dispatcher.DispatchHandler) => void
  onMessage: (message: Message) => void
  /** The stream is back after a gap, or the server cannot be reached any more: changes may have been missed. */
  onGap: () => void
  maxMessageBytes: number
}

/**
 * A long-lived event stream over which a server tells of list changes: the GET stream of a legacy session, or
 * `subscriptions/listen`. Comes back after every end, ever more slowly when its streams end soon; a server that has
 * none (any status but 200) is left alone.
 */
export class ChangeStream {
  readonly #options: ChangeStreamOptions
  #controller: Dispatcher.DispatchController | undefined
  #timer: NodeJS.Timeout | undefined
  #delay = FIRST_RETRY_MS
  #opened = false
  /** When the stream that runs began, milliseconds since the epoch. */
  #since: number | undefined
  #closed = false

  constructor(options: ChangeStreamOptions) {
    this.#options = options
    this.#open()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#controller?.abort(CLOSED)
  }

  #open(): void {
    let answered = false
    const reader = new SseReader(
      (event) => {
        try {
          this.#options.onMessage(parseMessage(event.data))
        } catch {
          // Noise on a change stream is not worth the stream.
        }
      },
      () => this.#controller?.abort(CLOSED),
      this.#options.maxMessageBytes,
    )
    this.#options.open({
      onRequestStart: (controller) => {
        this.#controller = controller
        if (this.#closed) controller.abort(CLOSED)
      },
      onResponseStart: (controller, status, headers) => {
        answered = true
        if (status !== 200 || !String(headers['content-type']).startsWith('text/event-stream')) {
          this.#closed = status < 500
          // There was a stream before: the server has forgotten us.
          if (this.#closed && this.#opened) this.#options.onGap()
          controller.abort(CLOSED)
          return
        }
        this.#since = Date.now()
        if (this.#opened) this.#options.onGap()
        this.#opened = true
      },
      onResponseData: (_controller, chunk) => reader.push(chunk),
      onResponseEnd: () => this.#again(),
      onResponseError: () => {
        if (!answered && !this.#closed) this.#options.onGap()
        this.#again()
      },
    })
  }

  #again(): void {
    this.#controller = undefined
    if (this.#closed) return
    if (this.#since !== undefined && Date.now() - this.#since >= GOOD_LIFE_MS) this.#delay = FIRST_RETRY_MS
    this.#since = undefined
    this.#timer = setTimeout(() => this.#open(), this.#delay).unref()
    this.#delay = Math.min(this.#delay * 2, LAST_RETRY_MS)
  }
}

const CLOSED = new Error('closed')
