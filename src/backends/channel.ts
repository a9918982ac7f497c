import type { Deadline } from '../model/call.ts'
import type { Cancellation } from '../model/cancellation.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import type { BatchMember } from '../protocol/batch.ts'
import { checkQuestion } from '../protocol/capabilities.ts'
import { META, metaOf } from '../protocol/envelope.ts'
import type { Message } from '../protocol/jsonrpc.ts'
import { notificationText, upstreamId } from '../protocol/jsonrpc.ts'
import type { Scope } from './answers.ts'
import { Answers } from './answers.ts'
import type { LegContext } from './leg.ts'
import type { MessageSink } from './messages.ts'
import { readMessages } from './messages.ts'
import { Undecided } from './undecided.ts'
import { ACKNOWLEDGED } from './welcome.ts'

/** What carries the messages of a channel. */
export interface ChannelWire {
  /** It has ended by itself; its last words may still come. */
  readonly ended: boolean
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
  readonly #answers: Answers
  readonly #undecided = new Undecided<Pending>()
  #end: Error | undefined
  #closing = false

  constructor(context: LegContext, wire: ChannelWire) {
    this.#context = context
    this.#wire = wire
    this.#answers = new Answers(context, async (text) => wire.write(text))
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  /** Throws the signal's reason, or the error with which the channel ended. */
  async request(request: ChannelRequest): Promise<Message & { kind: 'response' | 'error' }> {
    if (this.#end) throw this.#end
    const { method, signal, scope, repeatable = false, onAcknowledged } = request
    const id = upstreamId()
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, scope, onAcknowledged })
      signal?.onCancel((reason) => {
        if (!this.#pending.delete(id)) return
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
    if (this.#answers.concerns(method, params)) this.notify(method, params)
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
    else if (message.kind === 'request') this.#onQuestion(message)
    else if (message.kind === 'notification') this.#onNotification(message)
  }

  /** The wire is gone: every request fails with `error`. */
  fail(error: Error): void {
    if (this.#end) return
    this.#end = error
    this.#undecided.end()
    this.#answers.end(error)
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
    this.#undecided.settled(pending)
  }

  #onNotification(message: Message & { kind: 'notification' }): void {
    const { method, params } = message
    if (method === ACKNOWLEDGED) {
      const pending = this.#named(metaOf(params)?.[META.subscription])
      pending?.onAcknowledged?.()
      if (pending?.scope) this.#answers.take(message, pending.scope)
      return
    }
    if (method === 'notifications/tasks') {
      this.#answers.take(message, this.#named(metaOf(params)?.[META.subscription])?.scope)
      return
    }
    if (method === 'notifications/cancelled') this.#undecided.drop(JSON.stringify(params['requestId']))
    const scope =
      method === 'notifications/progress'
        ? this.#named(params['progressToken'])?.scope
        : this.#meant(this.#candidates('onNotification'))
    scope?.deadline?.touch()
    this.#answers.take(message, scope)
  }

  /**
   * A question does not say which request it came of. Everybody's calls on one process may be asked about; an answer must
   * never come from the wrong one.
   */
  #onQuestion(message: Message & { kind: 'request' }): void {
    const { id } = message
    if (this.#undecided.has(id)) return
    const candidates = this.#candidates('ask')
    const scope = this.#meant(candidates)
    if (scope || candidates.length === 0 || !this.#mayAsk(message) || this.#answers.askerOf(message.params)) {
      this.#ask(message, scope)
      return
    }
    this.#undecided.hold(id, candidates, (chosen) => this.#ask(message, chosen?.scope))
  }

  #ask(message: Message & { kind: 'request' }, scope: Scope | undefined): void {
    scope?.deadline?.touch()
    this.#answers.take(message, scope)
  }

  #mayAsk({ method, params }: Message & { kind: 'request' }): boolean {
    if (method === 'ping') return false
    try {
      checkQuestion(this.#context.profile, method, params)
      return true
    } catch {
      return false
    }
  }

  /** Requests that a message of the server may have come of, oldest first. */
  #candidates(by: 'ask' | 'onNotification'): Pending[] {
    const candidates: Pending[] = []
    for (const pending of this.#pending.values()) if (pending.scope?.[by]) candidates.push(pending)
    return candidates
  }

  /** The only one that can be meant; `undefined` when there are several. */
  #meant(candidates: readonly Pending[]): Scope | undefined {
    const latest = candidates.at(-1)?.scope
    if (!latest || candidates.length === 1) return latest
    // Every call on the wire of a legacy session is that session's.
    return this.#context.client() ? { ...latest, deadline: together(candidates) } : undefined
  }

  #named(id: JsonValue | undefined): Pending | undefined {
    return typeof id === 'number' ? this.#pending.get(id) : undefined
  }
}

/** Any of several calls may be the one that waits for a person. */
function together(pending: readonly Pending[]): Deadline {
  return {
    touch: () => {
      for (const { scope } of pending) scope?.deadline?.touch()
    },
    hold: () => {
      const held = pending.map(({ scope }) => scope?.deadline?.hold())
      return () => {
        for (const release of held) release?.()
      }
    },
  }
}
