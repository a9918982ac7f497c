import type { Ask, Notification } from '../model/call.ts'
import { Cancellation } from '../model/cancellation.ts'
import { GatewayError, JSONRPC } from '../model/errors.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { checkQuestion } from '../protocol/capabilities.ts'
import type { Message, WireError } from '../protocol/jsonrpc.ts'
import { errorText, notificationText, resultText } from '../protocol/jsonrpc.ts'
import type { LegContext, UpstreamRequest } from './leg.ts'

const LIST_CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

/** The request that a message belongs to, as far as the transport can tell. */
export type Scope = Pick<UpstreamRequest, 'progress' | 'onNotification' | 'ask' | 'signal' | 'deadline'>

/** What the gateway does with messages of a backend that are no answer to a request of ours. */
export class Answers {
  readonly #context: LegContext
  readonly #send: (text: string) => Promise<void>
  /** Questions that the client has not answered yet, by the JSON text of the backend's id. */
  readonly #open = new Map<string, Cancellation>()

  constructor(context: LegContext, send: (text: string) => Promise<void>) {
    this.#context = context
    this.#send = send
  }

  take(message: Message, scope: Scope | undefined): void {
    if (message.kind === 'request') this.#onRequest(message, scope)
    else if (message.kind === 'notification') this.#onNotification(message, scope)
  }

  /** The backend is gone: nobody waits for the answers any more. */
  end(reason: Error): void {
    for (const signal of this.#open.values()) signal.cancel(reason)
    this.#open.clear()
  }

  #onNotification({ method, params }: Notification, scope: Scope | undefined): void {
    const { onListChanged, onUpdated, client } = this.#context
    if (method === 'notifications/progress') {
      if (scope?.progress) scope.onNotification?.({ method, params })
    } else if (method === 'notifications/message') {
      if (scope?.onNotification) scope.onNotification({ method, params })
      else client()?.notify({ method, params: this.#signed(params) })
    } else if (LIST_CHANGED.test(method)) onListChanged()
    else if (method === 'notifications/resources/updated') onUpdated(params)
    else if (method === 'notifications/cancelled') this.#cancel(params)
    else if (method === 'notifications/elicitation/complete') client()?.notify({ method, params })
  }

  #onRequest({ id, method, params }: Message & { kind: 'request' }, scope: Scope | undefined): void {
    if (method === 'ping') {
      this.#send(resultText(id, {})).catch(() => {})
      return
    }
    const signal = new Cancellation()
    this.#open.set(id, signal)
    const text = (reply: string): void => {
      this.#open.delete(id)
      // Nobody waits for an answer to what was cancelled.
      if (!signal.cancelled) this.#send(reply).catch(() => {})
    }
    this.#answer(method, params, scope, signal).then(
      (result) => text(resultText(id, result)),
      (error: unknown) => text(errorText(id, asWireError(error))),
    )
  }

  async #answer(
    method: string,
    params: JsonObject,
    scope: Scope | undefined,
    signal: Cancellation,
  ): Promise<JsonObject> {
    checkQuestion(this.#context.profile, method, params)
    const ask: Ask | undefined = scope?.ask ?? this.#context.client()?.ask
    // The backend asked on its own account, and nobody can tell whom.
    if (!ask) {
      throw new GatewayError('METHOD_UNKNOWN', `Method not found: ${method} belongs to no request of a client`)
    }
    const release = scope?.deadline?.hold()
    scope?.signal.onCancel((reason) => signal.cancel(reason))
    const token = progressToken(params)
    const question = { method, params }
    try {
      if (token === undefined) return await ask(question, signal)
      const onProgress = (progress: JsonObject): void => {
        const text = notificationText('notifications/progress', { ...progress, progressToken: token })
        this.#send(text).catch(() => {})
      }
      return await ask({ ...question, onProgress }, signal)
    } finally {
      release?.()
    }
  }

  #cancel({ requestId, reason }: JsonObject): void {
    if (requestId === undefined) return
    const why = typeof reason === 'string' ? reason.slice(0, 200) : 'cancelled by the server'
    this.#open.get(JSON.stringify(requestId))?.cancel(new GatewayError('CANCELLED', why))
  }

  /** Lines of several backends meet in one client. */
  #signed(params: JsonObject): JsonObject {
    return signedBy(this.#context.backend, params)
  }
}

/** A log message with the name of its backend in front of its logger. */
export function signedBy(backend: string, params: JsonObject): JsonObject {
  const { logger } = params
  return { ...params, logger: typeof logger === 'string' ? `${backend}/${logger}` : backend }
}

function progressToken(params: JsonObject): JsonValue | undefined {
  const meta = params['_meta']
  return typeof meta === 'object' && meta !== null && !Array.isArray(meta) ? meta['progressToken'] : undefined
}

function asWireError(error: unknown): WireError {
  if (!(error instanceof GatewayError)) return { code: JSONRPC.internalError, message: 'Internal error' }
  const { jsonrpc, message, data } = error
  return data === undefined ? { code: jsonrpc, message } : { code: jsonrpc, message, data }
}

/** Throws the backend's own error. */
export function resultOf(message: Message & { kind: 'response' | 'error' }): JsonObject {
  if (message.kind === 'response') return message.result
  const { code, message: text, data } = message.error
  throw new GatewayError('BACKEND_ERROR', text, data === undefined ? { jsonrpc: code } : { jsonrpc: code, data })
}
