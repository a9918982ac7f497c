import type { Dispatcher } from 'undici'
import type { Message } from '../../protocol/jsonrpc.ts'
import { SseReader } from '../../protocol/sse.ts'
import { readMessages } from '../incoming/messages.ts'
import { positionHeader } from './position.ts'

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
/** A server that wants to be asked again sooner than this is not heard. */
const LEAST_RETRY_MS = 100
/** A stream that has lived this long was a good one: after its end the first delay counts again. */
const GOOD_LIFE_MS = 10_000

export interface ChangeStreamOptions {
  /** Sends the request that opens the stream, where it broke off when there is a `position` (`Last-Event-ID`). */
  open: (handler: Dispatcher.DispatchHandler, position: string | undefined) => void
  onMessage: (message: Message) => void
  /** The stream is back after a gap, or the server cannot be reached any more: changes may have been missed. */
  onGap: () => void
  /** A stream stands: from now on nothing is missed. */
  onOpened?: () => void
  /** The server has no such stream, or none any more. It is not asked again. */
  onRefused?: () => void
  /** The server keeps events for those who come back (up to 2025-11-25). */
  resumable: boolean
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
  /** As the server wishes, when it does. */
  #firstDelay = FIRST_RETRY_MS
  #lastEventId: string | undefined
  #attempts = 0
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
    const { open, onMessage, onGap, onOpened, maxMessageBytes } = this.#options
    const asked = positionHeader(this.#lastEventId)
    const first = this.#attempts++ === 0
    let answered = false
    const reader = new SseReader(
      (event) => {
        try {
          readMessages(event.data, { take: onMessage })
        } catch {
          // Noise on a change stream is not worth the stream.
        }
      },
      () => this.#controller?.abort(CLOSED),
      maxMessageBytes,
    )
    reader.lastEventId = this.#lastEventId
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: (controller) => {
        this.#controller = controller
        if (this.#closed) controller.abort(CLOSED)
      },
      onResponseStart: (controller, status, headers) => {
        answered = true
        if (status !== 200 || !String(headers['content-type']).startsWith('text/event-stream')) {
          this.#onRefusal(status, asked)
          controller.abort(CLOSED)
          return
        }
        this.#since = Date.now()
        this.#opened = true
        if (!first && asked === undefined) onGap()
        onOpened?.()
      },
      onResponseData: (_controller, chunk) => {
        reader.push(chunk)
        this.#onPosition(reader)
      },
      onResponseEnd: () => this.#again(),
      onResponseError: () => {
        if (!answered && !this.#closed) onGap()
        this.#again()
      },
    }
    open(handler, asked)
  }

  #onRefusal(status: number, asked: string | undefined): void {
    // A stream that stood comes back when there is another token to show.
    if (status >= 500 || (this.#opened && (status === 401 || status === 403))) return
    // It may only have forgotten the position.
    if (asked !== undefined) {
      this.#lastEventId = undefined
      return
    }
    this.#closed = true
    // There was a stream before: the server has forgotten us.
    if (this.#opened) this.#options.onGap()
    this.#options.onRefused?.()
  }

  #onPosition(reader: SseReader): void {
    if (!this.#options.resumable) return
    this.#lastEventId = reader.lastEventId
    if (reader.retryMs === undefined) return
    this.#firstDelay = Math.min(Math.max(reader.retryMs, LEAST_RETRY_MS), LAST_RETRY_MS)
    this.#delay = this.#firstDelay
  }

  #again(): void {
    this.#controller = undefined
    if (this.#closed) return
    if (this.#since !== undefined && Date.now() - this.#since >= GOOD_LIFE_MS) this.#delay = this.#firstDelay
    this.#since = undefined
    this.#timer = setTimeout(() => this.#open(), this.#delay).unref()
    this.#delay = Math.min(this.#delay * 2, LAST_RETRY_MS)
  }
}

const CLOSED = new Error('closed')
