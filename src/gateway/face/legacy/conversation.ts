import type { Context, Flow } from '../../../model/call.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { OwnerKey } from '../../../model/ids.ts'
import type { JsonObject, JsonValue } from '../../../model/json.ts'
import type { Principal } from '../../../model/principal.ts'
import { NO_PROFILE } from '../../../model/profile.ts'
import { joinResponses } from '../../../protocol/batch.ts'
import type { Message } from '../../../protocol/jsonrpc.ts'
import { notificationText } from '../../../protocol/jsonrpc.ts'
import { LATEST_LEGACY } from '../../../protocol/revisions.ts'
import type { Gateway } from '../../gateway.ts'
import { answerBatch, batchOf } from './batch.ts'
import { takeNotification } from './client-notifications.ts'
import type { Handshake } from '../answering/handshake.ts'
import { handshakeOf } from '../answering/handshake.ts'
import { LegacyClient } from './legacy-client.ts'
import { ListNotices } from './list-notices.ts'
import type { Request } from '../answering/response-text.ts'
import { answerClient } from '../answering/response-text.ts'

/** A ping may come before the handshake. */
const NOBODY: Handshake = { revision: LATEST_LEGACY, client: 'unknown', clientInfo: undefined, profile: NO_PROFILE }

/** The way to one client, which carries everything that it is told. */
export interface Way {
  /** An answer. */
  put(json: string): void
  /** Anything else. False: it cannot be delivered. */
  send(json: string): boolean
  flow: Flow
}

/** One legacy client on a way of its own: standard output, or the event stream of HTTP+SSE. */
export class Conversation {
  readonly #gateway: Gateway
  #principal: Principal
  readonly #owner: OwnerKey
  readonly #way: Way
  readonly #notices: ListNotices
  /** How requests are answered. */
  readonly #back: Pick<Context, 'emit' | 'flow' | 'ask'>
  /** Set by `initialize`; other requests come after it. */
  #client: LegacyClient | undefined
  /** The response to `initialize` has been written: nothing but answers may come before it. */
  #greeted = false
  #unwatch: (() => void) | undefined

  constructor(gateway: Gateway, principal: Principal, owner: OwnerKey, way: Way) {
    this.#gateway = gateway
    this.#principal = principal
    this.#owner = owner
    this.#way = way
    this.#notices = new ListNotices((json) => this.#greeted && way.send(json))
    this.#back = {
      emit: ({ method, params }) => void way.send(notificationText(method, params)),
      flow: way.flow,
      ask: (question, signal) => this.#clientFor(question.method).ask(question, signal),
    }
  }

  /** It has shown a new token. */
  renew(principal: Principal): void {
    this.#principal = principal
    if (this.#client) this.#client.principal = principal
  }

  /** The client, once it has shaken hands. */
  get client(): LegacyClient | undefined {
    return this.#client
  }

  /** Throws `REQUEST_MALFORMED` and `PARAMS_INVALID` when the request is not to be served at all. */
  async request(request: Request): Promise<void> {
    const { method, params } = request
    if (method === 'initialize') this.#greet(handshakeOf(params))
    const text = await answerClient(this.#gateway, this.#clientFor(method), request, this.#back)
    if (text !== undefined) this.#way.put(text)
    if (method !== 'initialize') return
    this.#greeted = true
    this.flush()
  }

  /** The client can be told again what it could not be told. */
  flush(): void {
    this.#notices.flush()
    this.#client?.followed?.flush()
  }

  notification(method: string, params: JsonObject): void {
    const client = this.#client
    if (!client) return
    if (method === 'notifications/initialized') {
      this.#unwatch ??= this.#gateway.core.watch(client, (change) => this.#notices.tell(change))
    } else takeNotification(this.#gateway, client, method, params)
  }

  /** Throws `REQUEST_MALFORMED`. */
  async batch(items: readonly JsonValue[]): Promise<void> {
    const client = this.#clientFor(undefined)
    const members = batchOf(client, items)
    const text = joinResponses(await answerBatch(this.#gateway, client, members, this.#back))
    if (text !== undefined) this.#way.put(text)
  }

  answer(message: Message & { kind: 'response' | 'error' }): void {
    this.#client?.answer(message)
  }

  /** The client is gone: nothing goes on in its name. */
  end(reason: Error): void {
    this.#client?.end(reason)
    this.#unwatch?.()
    this.#gateway.release(this.#owner)
  }

  #greet(handshake: Handshake): void {
    this.#client = new LegacyClient(this.#principal, this.#owner, handshake, (json) => this.#way.send(json))
    this.#gateway.admit(this.#owner, this.#client)
  }

  #clientFor(method: string | undefined): LegacyClient {
    if (this.#client) return this.#client
    if (method !== 'ping') throw new GatewayError('REQUEST_MALFORMED', 'Invalid Request: send initialize first')
    return new LegacyClient(this.#principal, this.#owner, NOBODY, () => false)
  }
}
