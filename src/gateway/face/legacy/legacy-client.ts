import type { Ask, Caller, ClientPort, Context, Notification, Question } from '../../../model/call.ts'
import type { Cancellation } from '../../../model/cancellation.ts'
import { Chain } from '../../../model/chain.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { OwnerKey } from '../../../model/ids.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { Principal } from '../../../model/principal.ts'
import type { Profile } from '../../../model/profile.ts'
import { lowerRequest } from '../../../protocol/downgrade.ts'
import { metaOf } from '../../../protocol/envelope.ts'
import type { Message } from '../../../protocol/jsonrpc.ts'
import { notificationText, upstreamId } from '../../../protocol/jsonrpc.ts'
import { DEFAULT_LOG_LEVEL, passes } from '../../../protocol/log-level.ts'
import { UPDATED } from '../listening/changes.ts'
import type { Followed } from './followed.ts'
import type { Handshake } from '../answering/handshake.ts'
import type { RunningCall } from './running.ts'

/** Writes one message to the client. False: it cannot be delivered. */
export type Deliver = (json: string) => boolean

interface Pending {
  resolve: (result: JsonObject) => void
  reject: (error: Error) => void
  onProgress: Question['onProgress']
}

/**
 * A legacy client that shook hands, whatever transport it came over: what it can do, what runs in its name,
 * what it has been asked and has not answered.
 */
export class LegacyClient implements ClientPort, Caller {
  readonly era = 'legacy'
  /** With the latest token that it has shown. */
  principal: Principal
  readonly owner: OwnerKey
  readonly revision: string
  readonly profile: Profile
  readonly clientInfo: JsonObject | undefined
  logLevel: string | undefined
  readonly running = new Chain<RunningCall>()
  /** The resources that it follows, once it does. */
  followed: Followed | undefined
  readonly #deliver: Deliver
  /** By JSON text of the id that it was asked under. */
  readonly #pending = new Map<string, Pending>()

  /** `deliver` writes what belongs to no request of the client. */
  constructor(principal: Principal, owner: OwnerKey, { revision, profile, clientInfo }: Handshake, deliver: Deliver) {
    this.principal = principal
    this.owner = owner
    this.revision = revision
    this.profile = profile
    this.clientInfo = clientInfo
    this.#deliver = deliver
  }

  readonly ask: Ask = (question, signal) => this.askOver(this.#deliver, question, signal)

  /** Asks over the stream of a request of the client. */
  async askOver(deliver: Deliver, { method, params, onProgress }: Question, signal: Cancellation): Promise<JsonObject> {
    signal.throwIfCancelled()
    const id = upstreamId()
    const text = JSON.stringify({
      jsonrpc: '2.0',
      id,
      method,
      params: withToken(lowerRequest(this.revision, method, params), id),
    })
    return new Promise((resolve, reject) => {
      this.#pending.set(String(id), { resolve, reject, onProgress })
      if (!deliver(text)) {
        this.#pending.delete(String(id))
        const message = `the client has no stream open on which ${method} could reach it`
        reject(new GatewayError('CLIENT_ERROR', message, { unsent: true }))
        return
      }
      signal.onCancel((reason) => {
        if (!this.#pending.delete(String(id))) return
        deliver(notificationText('notifications/cancelled', { requestId: id, reason: reason.message }))
        reject(reason)
      })
    })
  }

  /** The client's answer. One that nobody waits for any more is no fault of the client. */
  answer(message: Message & { kind: 'response' | 'error' }): void {
    const id = JSON.stringify(message.id)
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    if (message.kind === 'response') return pending.resolve(message.result)
    const { code, message: text, data } = message.error
    pending.reject(
      new GatewayError('CLIENT_ERROR', text, data === undefined ? { jsonrpc: code } : { jsonrpc: code, data }),
    )
  }

  /** Progress of the client on what it was asked. */
  progress(params: JsonObject): void {
    this.#pending.get(JSON.stringify(params['progressToken']))?.onProgress?.(params)
  }

  notify({ method, params }: Notification): void {
    if (method === 'notifications/message' && !passes(params['level'], this.logLevel ?? DEFAULT_LOG_LEVEL)) return
    this.#deliver(notificationText(method, params))
  }

  /** A resource that it follows has changed. False: it could not be told. */
  tellUpdated(update: JsonObject): boolean {
    return this.#deliver(notificationText(UPDATED, update))
  }

  /** It will not answer any more. */
  takeBack(reason: Error): void {
    for (const { reject } of this.#pending.values()) reject(reason)
    this.#pending.clear()
  }

  /** Nothing that runs or waits in its name goes on. */
  end(reason: Error): void {
    for (const { signal } of this.running) signal.cancel(reason)
    this.takeBack(reason)
    this.followed?.clear()
  }

  /** One call of this client, answered over `emit` and `ask`. */
  context(call: RunningCall, way: Pick<Context, 'streaming' | 'emit' | 'flow' | 'ask' | 'letGo' | 'passed'>): Context {
    return {
      principal: this.principal,
      owner: this.owner,
      era: 'legacy',
      revision: this.revision,
      profile: this.profile,
      logLevel: this.logLevel,
      clientInfo: this.clientInfo,
      signal: call.signal,
      deadline: undefined,
      header: undefined,
      ...way,
    }
  }
}

/** Two backends may use the same progress token towards one client: it gets ours. */
function withToken(params: JsonObject, token: number): JsonObject {
  const meta = metaOf(params)
  return meta?.['progressToken'] === undefined ? params : { ...params, _meta: { ...meta, progressToken: token } }
}
