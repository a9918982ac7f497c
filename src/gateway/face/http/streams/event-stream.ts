import type { ServerResponse } from 'node:http'
import type { ResultStream } from '../../../../model/call.ts'
import type { Link } from '../../../../model/chain.ts'
import { Chain } from '../../../../model/chain.ts'
import { SSE_KEEP_ALIVE, sseMessage } from '../../../../protocol/sse.ts'
import { Outflow } from '../../outflow.ts'
import { MAX_WAITING } from '../../waiting.ts'
import { passResult } from '../pass-result.ts'

/** Clients give up on silent bodies, some after 60 s; proxies earlier. */
export const KEEP_ALIVE_MS = 15_000

export const SSE_HEADERS = [
  'Content-Type',
  'text/event-stream',
  'Cache-Control',
  'no-cache, no-transform',
  'X-Accel-Buffering',
  'no',
]

/** One HTTP response that carries events. */
export class EventStream implements Link {
  readonly #res: ServerResponse
  readonly flow: Outflow
  /** It was crowded when it was last looked at. */
  #stalled = false
  previous: Link | undefined = undefined
  next: Link | undefined = undefined

  /** `onClose` is called once, whichever side ends it. */
  constructor(res: ServerResponse, onClose?: () => void) {
    this.#res = res
    this.flow = new Outflow(res)
    res.writeHead(200, SSE_HEADERS)
    res.flushHeaders()
    open.add(this)
    res.once('close', () => {
      open.remove(this)
      onClose?.()
    })
  }

  get over(): boolean {
    return this.#res.writableEnded || this.#res.destroyed
  }

  /** The client does not read what it already has. */
  get crowded(): boolean {
    return this.#res.writableLength > MAX_WAITING
  }

  /** Text of whole events. What comes after the end is dropped. */
  write(events: string): void {
    if (!this.over) this.#res.write(events)
  }

  /** A message that the client can do without. False: it was dropped. */
  send(json: string): boolean {
    if (this.over || this.crowded) return false
    this.#res.write(sseMessage(json))
    return true
  }

  /** A message that must not be missed: rather than that, the client loses the stream. */
  insist(json: string): void {
    if (!this.send(json)) this.cut()
  }

  /** An answer: it is written however much waits already. */
  put(json: string): void {
    this.write(sseMessage(json))
  }

  /** The last message. */
  finish(json: string): void {
    if (!this.over) this.#res.end(sseMessage(json))
  }

  /** A response that is still arriving, as last message under `id` (JSON text). */
  pass(stream: ResultStream, id: string): void {
    if (!this.over) this.#res.write('event: message\ndata: ')
    passResult(this.#res, stream, id, true)
  }

  close(): void {
    this.#res.end()
  }

  cut(): void {
    this.#res.destroy()
  }

  keepAlive(): void {
    if (this.over) return
    if (!this.crowded) {
      this.#stalled = false
      this.#res.write(SSE_KEEP_ALIVE)
    } else if (this.#stalled) this.cut()
    else this.#stalled = true
  }
}

const open = new Chain<EventStream>()

setInterval(() => {
  for (const stream of open) stream.keepAlive()
}, KEEP_ALIVE_MS).unref()
