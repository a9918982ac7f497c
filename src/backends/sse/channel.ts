import type { Dispatcher } from 'undici'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { SseEvent } from '../../protocol/sse.ts'
import { SseReader } from '../../protocol/sse.ts'
import type { ChannelWire } from '../channel/channel.ts'
import { Channel } from '../channel/channel.ts'
import type { HttpAnswer } from '../http/exchange.ts'
import { HttpRefusal, forgotSession, refusal } from '../http/refusal.ts'
import type { HttpWire } from '../http/wire.ts'
import { JSON_HEADERS, STREAM_HEADERS, networkFault } from '../http/wire.ts'
import type { LegContext } from '../leg.ts'
import { SessionLost, forgetfulServer } from '../leg.ts'

/**
 * The GET stream of a server of 2024-11-05 (transports, "HTTP with SSE"): its first event names the endpoint that takes
 * our messages, all that the server says comes over the stream, and with it the session ends. Resolves with the
 * endpoint. `patienceMs`: how long that may take. Throws the signal's reason, `BACKEND_UNREACHABLE` and
 * `BACKEND_PROTOCOL`.
 */
export async function openEventStream(
  wire: HttpWire,
  context: LegContext,
  signal: Cancellation,
  patienceMs?: number,
): Promise<Channel> {
  const late = new GatewayError('BACKEND_UNREACHABLE', `the event stream at ${wire.address} names no endpoint`)
  return wire.opened(context.principal(), wire.headers(STREAM_HEADERS), async (open) => {
    const stream = new EventStream(wire, context)
    open(stream)
    signal.onCancel((reason) => stream.giveUp(reason))
    const timer = patienceMs === undefined ? undefined : setTimeout(() => stream.giveUp(late), patienceMs).unref()
    try {
      return await stream.channel
    } finally {
      clearTimeout(timer)
    }
  })
}

class EventStream implements Dispatcher.DispatchHandler {
  readonly channel: Promise<Channel>
  readonly #wire: HttpWire
  readonly #context: LegContext
  readonly #reader: SseReader
  #resolve!: (channel: Channel) => void
  #reject!: (error: Error) => void
  #controller: Dispatcher.DispatchController | undefined
  /** Once the endpoint is known. */
  #open: Channel | undefined
  #end: Error | undefined

  constructor(wire: HttpWire, context: LegContext) {
    this.#wire = wire
    this.#context = context
    this.channel = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#reader = new SseReader(
      (event) => this.#onEvent(event),
      () => this.#onOverflow(),
      context.maxMessageBytes,
    )
  }

  /** Ends the wait for the endpoint; of no effect after it. */
  giveUp(reason: Error): void {
    if (!this.#open) this.#finish(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#end) controller.abort(this.#end)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status === 200 && String(headers['content-type']).startsWith('text/event-stream')) return
    const { address } = this.#wire
    this.#finish(
      status === 200
        ? new GatewayError('BACKEND_PROTOCOL', `a GET at ${address} is not answered with an event stream`)
        : new HttpRefusal(status, address, headers),
    )
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#end) this.#reader.push(chunk)
  }

  onResponseEnd(): void {
    this.#finish(new GatewayError('BACKEND_UNREACHABLE', 'the backend has closed its event stream'))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#finish(networkFault(error, this.#wire.address))
  }

  #onEvent({ event, data }: SseEvent): void {
    if (this.#end) return
    if (event === 'endpoint' && !this.#open) this.#onEndpoint(data)
    else if (event === 'message' && this.#open && !read(this.#open, data)) {
      const { backend, telemetry } = this.#context
      telemetry.emit('backend.noise', { backend, line: data.slice(0, 200) })
    }
  }

  /** Our credentials go there: no other host may name itself. */
  #onEndpoint(url: string): void {
    const path = this.#wire.pathOf(url)
    if (path === undefined) {
      const { address } = this.#wire
      this.#finish(new GatewayError('BACKEND_PROTOCOL', `the event stream at ${address} names an endpoint elsewhere`))
      return
    }
    this.#open = new Channel(this.#context, this.#channelWire(path))
    this.#resolve(this.#open)
  }

  #onOverflow(): void {
    const limit = this.#context.maxMessageBytes
    this.#finish(new GatewayError('BACKEND_PROTOCOL', `a message is larger than maxMessageBytes (${limit} bytes)`))
  }

  #finish(why: Error): void {
    if (this.#end) return
    this.#end = why
    if (this.#controller && !this.#controller.aborted) this.#controller.abort(why)
    if (this.#open) this.#open.fail(why)
    else this.#reject(why)
  }

  #channelWire(path: string): ChannelWire {
    const wire = this.#wire
    const { maxMessageBytes, principal } = this.#context
    const headers = wire.headers(JSON_HEADERS)
    // Messages that the server has not taken yet.
    const posts = new Set<Cancellation>()
    let unread = 0
    const post = async (text: string, done: Parameters<ChannelWire['write']>[1]): Promise<void> => {
      const signal = new Cancellation()
      posts.add(signal)
      unread += text.length
      let fault: Error | undefined
      try {
        const options = { id: undefined, signal, maxMessageBytes, principal: principal() }
        const answer = await wire.postOwn(text, headers, options, path)
        fault = faultOf(answer, wire.address)
      } catch (error) {
        fault = error as Error
      }
      posts.delete(signal)
      unread -= text.length
      done?.(fault)
    }
    const isEnded = (): boolean => this.#end !== undefined
    return {
      get ended() {
        return isEnded()
      },
      get unread() {
        return unread
      },
      write: (text, done) => void post(text, done),
      fault: (error, repeatable) => (error instanceof SessionLost && !repeatable ? forgetfulServer() : error),
      close: async () => {
        const ended = new GatewayError('BACKEND_UNREACHABLE', 'the connection to the backend has ended')
        this.#finish(ended)
        for (const signal of posts) signal.cancel(ended)
      },
    }
  }
}

/** `undefined`: the server has taken the message. */
function faultOf(answer: HttpAnswer, address: string): Error | undefined {
  if (answer.kind === 'accepted') return undefined
  if (forgotSession(answer)) return new SessionLost()
  return answer.kind === 'message' ? new HttpRefusal(answer.status, address) : refusal(answer, address)
}

/** `false`: it is none of the protocol. */
function read(channel: Channel, text: string): boolean {
  try {
    return channel.read(text)
  } catch {
    return false
  }
}
