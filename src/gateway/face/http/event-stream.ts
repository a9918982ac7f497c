import type { ServerResponse } from 'node:http'
import { SSE_KEEP_ALIVE, sseMessage } from '../../../protocol/sse.ts'
import { SSE_HEADERS } from './responder.ts'

const KEEP_ALIVE_MS = 15_000
/** A client that reads nothing loses its stream rather than our memory; it comes back and is told that it missed something. */
const MAX_WAITING = 1024 * 1024

const open = new Set<EventStream>()

setInterval(() => {
  for (const stream of open) stream.keepAlive()
}, KEEP_ALIVE_MS).unref()

/** A long-lived event stream to a client: the GET stream of a session, or `subscriptions/listen`. */
export class EventStream {
  readonly #res: ServerResponse

  constructor(res: ServerResponse, onClose: () => void) {
    this.#res = res
    res.writeHead(200, SSE_HEADERS)
    res.flushHeaders()
    open.add(this)
    res.once('close', () => {
      open.delete(this)
      onClose()
    })
  }

  /** False: it cannot be delivered. */
  send(json: string): boolean {
    if (this.#res.writableEnded || this.#res.destroyed) return false
    if (this.#res.writableLength > MAX_WAITING) {
      this.#res.destroy()
      return false
    }
    this.#res.write(sseMessage(json))
    return true
  }

  /** A stream that has ended may stay open for as long as its client does not read. */
  keepAlive(): void {
    if (!this.#res.writableEnded && this.#res.writableLength <= MAX_WAITING) this.#res.write(SSE_KEEP_ALIVE)
  }

  close(): void {
    this.#res.end()
  }
}
