import type { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { BatchMember } from '../../protocol/batch.ts'
import { META, metaOf } from '../../protocol/envelope.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { notificationText, upstreamId } from '../../protocol/jsonrpc.ts'
import type { Scope } from '../incoming/incoming.ts'
import { Incoming } from '../incoming/incoming.ts'
import { Attribution } from '../incoming/attribution.ts'
import type { LegContext } from '../leg.ts'
import type { MessageSink } from '../incoming/messages.ts'
import { readMessages } from '../incoming/messages.ts'
import { ACKNOWLEDGED } from '../welcome.ts'

/**
 * Requests that one server may be working on, per connection. Over HTTP they would queue for a socket; here nothing holds
 * them back but this, and each is kept until it is answered.
 */
const MAX_PENDING = 10_000
/** What a server may leave unread, bytes. It stays there when its callers have long given up. */
const MAX_UNREAD = 64 * 1024 * 1024

/** What carries the messages of a channel. */
export interface ChannelWire {
  /** It has ended by itself; its last words may still come. */
  readonly ended: boolean
  /** Bytes that the server has not taken yet, about. */
  readonly unread: number
  /** One message. `done` is called once: the server has it, or an error for `fault`. */
  write(text: string, done?: (error: Error | null | undefined) => void): void
  /** Why the server has not got a request; `undefined`: the end of the wire, which is near, says more. */
  fault(error: Error, repeatable: boolean): Error | undefined
  close(): Promise<void>
}

interface Pending {
  resolve: (message: Message & { kind: 'response' | 'error' }) => void
  reject: (error: Error) => void
  /** Absent: a request of the gateway's own. */
  scope: Scope | undefined
  onAcknowledged: (() => void) | undefined
  /** A subscription: the only request that its server may end with a cancellation (2026-07-28, cancellation). */
  listens: boolean
}

export interface ChannelRequest {
  method: string
  /** Receives the request's id, which is also its progress token. */
  params: (id: number) => JsonObject
  signal?: Cancellation
  /** What belongs to this request besides its answer. */
  scope?: Scope
  /** May be repeated elsewhere: it fails with `SessionLost` when the server did not live to read it. */
  repeatable?: boolean
  /** The server has begun to listen as this request wants it to. */
  onAcknowledged?: () => void
}

/**
 * JSON-RPC with one server over one wire that all messages share, both ways: the standard streams of a process, or
 * HTTP+SSE. Answers find their requests by id; for what else the server says the channel finds the call that caused it.
 */
export class Channel implements MessageSink {
  readonly #context: LegContext
  readonly #wire: ChannelWire
  readonly #pending = new Map<number, Pending>()
  readonly #incoming: Incoming
  readonly #attribution: Attribution<Pending>
  #end: Error | undefined
  #closing = false

  constructor(context: LegContext, wire: ChannelWire) {
    this.#context = context
    this.#wire = wire
    this.#incoming = new Incoming(context, async (text) => wire.write(text))
    this.#attribution = new Attribution(context, this.#incoming)
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  /** Throws the signal's reason, or the error with which the channel ended. */
  async request(request: ChannelRequest): Promise<Message & { kind: 'response' | 'error' }> {
    if (this.#end) throw this.#end
    if (this.#pending.size >= MAX_PENDING) throw overloaded(`${MAX_PENDING} requests to it have no answer yet`)
    if (this.#wire.unread > MAX_UNREAD) throw overloaded('it does not read what is sent to it')
    const { method, signal, scope, repeatable = false, onAcknowledged } = request
    const id = upstreamId()
    return new Promise((resolve, reject) => {
      const listens = method === 'subscriptions/listen'
      this.#pending.set(id, { resolve, reject, scope, onAcknowledged, listens })
      signal?.onCancel((reason) => {
        const pending = this.#pending.get(id)
        if (!pending) return
        this.#pending.delete(id)
        this.#attribution.abandoned(pending)
        this.notify('notifications/cancelled', { requestId: id, reason: reason.message })
        reject(reason)
      })
      if (signal?.cancelled) return
      this.#wire.write(JSON.stringify({ jsonrpc: '2.0', id, method, params: request.params(id) }), (error) => {
        if (!error) return
        const fault = this.#wire.fault(error, repeatable)
        if (fault && this.#pending.delete(id)) reject(fault)
      })
    })
  }

  notify(method: string, params: JsonObject): void {
    if (!this.#end) this.#wire.write(notificationText(method, params))
  }

  /** A notification of the client, as far as it is for this server. */
  tell(method: string, params: JsonObject): void {
    if (this.#incoming.concerns(method, params)) this.notify(method, params)
  }

  /** The same, for one that must have arrived before anything else is sent. */
  async deliver(method: string, params: JsonObject): Promise<void> {
    await new Promise<void>((resolve) => this.#wire.write(notificationText(method, params), () => resolve()))
  }

  /** What the server has written, as `readMessages` has it. */
  read(text: string): boolean {
    return readMessages(text, this)
  }

  take(message: BatchMember): void {
    if (message.kind === 'response' || message.kind === 'error') this.#settle(message)
    else if (message.kind === 'request') this.#attribution.question(message, [...this.#pending.values()])
    else if (message.kind === 'notification') this.#onNotification(message)
  }

  /** The wire is gone: every request fails with `error`. */
  fail(error: Error): void {
    if (this.#end) return
    this.#end = error
    this.#attribution.end()
    this.#incoming.end(error)
    for (const pending of this.#pending.values()) pending.reject(error)
    this.#pending.clear()
    if (!this.#closing) this.#context.onLost(error)
  }

  async close(): Promise<void> {
    // One that ended by itself before is a loss all the same.
    if (!this.#wire.ended) this.#closing = true
    await this.#wire.close()
  }

  #settle(message: Message & { kind: 'response' | 'error' }): void {
    const pending = this.#named(message.id)
    if (!pending) return
    this.#pending.delete(message.id as number)
    pending.resolve(message)
    this.#attribution.settled(pending)
  }

  #onNotification(message: Message & { kind: 'notification' }): void {
    const { method, params } = message
    if (method === ACKNOWLEDGED) {
      const pending = this.#named(metaOf(params)?.[META.subscription])
      pending?.onAcknowledged?.()
      if (pending?.scope) this.#incoming.take(message, pending.scope)
      return
    }
    if (method === 'notifications/tasks') {
      this.#incoming.take(message, this.#named(metaOf(params)?.[META.subscription])?.scope)
      return
    }
    if (method === 'notifications/cancelled') {
      const { requestId } = params
      if (this.#named(requestId)?.listens) return this.#settle({ kind: 'response', id: requestId ?? null, result: {} })
      this.#attribution.drop(JSON.stringify(requestId))
    }
    const scope =
      method === 'notifications/progress'
        ? this.#named(params['progressToken'])?.scope
        : this.#attribution.hearer([...this.#pending.values()])
    scope?.deadline?.touch()
    this.#incoming.take(message, scope)
  }

  #named(id: JsonValue | undefined): Pending | undefined {
    return typeof id === 'number' ? this.#pending.get(id) : undefined
  }
}

function overloaded(why: string): GatewayError {
  return new GatewayError('BACKEND_BUSY', why)
}
