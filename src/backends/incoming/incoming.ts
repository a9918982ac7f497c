import type { Ask, Notification } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import { checkQuestion } from '../../protocol/capabilities.ts'
import type { Message, WireError } from '../../protocol/jsonrpc.ts'
import { errorText, notificationText, resultText } from '../../protocol/jsonrpc.ts'
import { relatedTaskOf, renameRelatedTask } from '../../protocol/related-task.ts'
import { CORE_TASKS_SINCE, isBefore } from '../../protocol/revisions.ts'
import type { LegContext, UpstreamRequest } from '../leg.ts'
import { ACKNOWLEDGED } from '../welcome.ts'

const LIST_CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

/** Tasks of a client that one backend has asked for, of which it may be told. */
const MAX_TASKS = 1000

/** Questions of one backend that wait for their answers on one connection. */
const MAX_OPEN = 100

/** The request that a message belongs to, as far as the transport can tell. */
export type Scope = Pick<UpstreamRequest, 'caller' | 'progress' | 'onNotification' | 'ask' | 'signal' | 'deadline'>

interface Open {
  signal: Cancellation
  /** The request that it was asked on account of; absent: it belongs to none. */
  scope: Scope | undefined
  /** When it came, by the monotonic clock. */
  since: number
}

/** What the gateway does with messages of a backend that are no answer to a request of ours. */
export class Incoming {
  readonly #context: LegContext
  readonly #send: (text: string, asked?: Scope) => Promise<void>
  /** Questions that the client has not answered yet, by the JSON text of the backend's id. */
  readonly #open = new Map<string, Open>()
  /** Tasks that the client runs for the backend (2025-11-25: a question may become one). */
  readonly #clientTasks = new Set<string>()
  #ended = false

  /** `asked`: the text answers a question that came of this request. */
  constructor(context: LegContext, send: (text: string, asked?: Scope) => Promise<void>) {
    this.#context = context
    this.#send = send
  }

  take(message: Message, scope: Scope | undefined): void {
    if (message.kind === 'request') this.#onRequest(message, scope)
    else if (message.kind === 'notification') this.#onNotification(message, scope)
  }

  /** Who answers a question that names the task in which it came up, if one call can be meant. */
  askerOf(params: JsonObject): Ask | undefined {
    const task = relatedTaskOf(params)
    return task === undefined ? undefined : this.#context.tasks.asker(task)
  }

  /** Whether a question that came of this request has waited for its answer for more than `ms`. */
  waitsLonger(request: Scope | undefined, ms: number): boolean {
    const before = performance.now() - ms
    for (const { scope, since } of this.#open.values()) if (scope === request && since <= before) return true
    return false
  }

  /** Whether a notification of the client is for this backend: the state of a task is told only to the one who wanted it. */
  concerns(method: string, { taskId }: JsonObject): boolean {
    return method !== 'notifications/tasks/status' || (typeof taskId === 'string' && this.#clientTasks.has(taskId))
  }

  /** The backend is gone: nobody waits for the answers any more. */
  end(reason: Error): void {
    this.#ended = true
    for (const { signal } of this.#open.values()) signal.cancel(reason)
    this.#open.clear()
  }

  /** The request was lost: nobody waits for answers to what was asked on account of it. */
  lost(request: Scope, reason: Error): void {
    for (const { signal, scope } of this.#open.values()) if (scope === request) signal.cancel(reason)
  }

  #onNotification({ method, params: said }: Notification, scope: Scope | undefined): void {
    const { onListChanged, onUpdated, client } = this.#context
    const params = this.#shown(said, scope)
    if (method === 'notifications/progress') {
      if (typeof params['progressToken'] === 'string') this.#tellProgress(params, params['progressToken'])
      else if (scope?.progress) scope.onNotification?.({ method, params })
    } else if (method === 'notifications/message') {
      if (scope?.onNotification) scope.onNotification({ method, params })
      else client()?.notify({ method, params: this.#signed(params) })
    } else if (LIST_CHANGED.test(method)) onListChanged()
    else if (method === 'notifications/resources/updated') onUpdated(params)
    else if (method === 'notifications/cancelled') this.#cancel(params)
    else if (method === 'notifications/elicitation/complete') client()?.notify({ method, params })
    else if (method === 'notifications/tasks' || method === ACKNOWLEDGED) scope?.onNotification?.({ method, params })
    else if (method === 'notifications/tasks/status') this.#tellStatus(params)
  }

  #onRequest({ id, method, params }: Message & { kind: 'request' }, scope: Scope | undefined): void {
    if (method === 'ping') {
      this.#send(resultText(id, {})).catch(() => {})
      return
    }
    // An id that is asked twice has one answer; the second may be an event of a stream that was resumed.
    if (this.#ended || this.#open.has(id)) return
    if (this.#open.size >= MAX_OPEN) {
      this.#send(errorText(id, { code: JSONRPC.internalError, message: 'Too many open requests' })).catch(() => {})
      return
    }
    const signal = new Cancellation()
    this.#open.set(id, { signal, scope: this.askerOf(params) ? undefined : scope, since: performance.now() })
    signal.onCancel(() => this.#open.delete(id))
    const text = (reply: string): void => {
      if (this.#open.get(id)?.signal === signal) this.#open.delete(id)
      // Nobody waits for an answer to what was cancelled.
      if (!signal.cancelled) this.#send(reply, scope).catch(() => {})
    }
    this.#answer(method, params, scope, signal).then(
      (result) => text(resultText(id, result)),
      (error: unknown) => text(errorText(id, asWireError(error))),
    )
  }

  async #answer(
    method: string,
    params: JsonObject,
    received: Scope | undefined,
    signal: Cancellation,
  ): Promise<JsonObject> {
    checkQuestion(this.#context.profile, method, params)
    const asker = this.askerOf(params)
    // The stream that it came on says less than what it says itself.
    const scope = asker ? undefined : received
    const ask: Ask | undefined = asker ?? scope?.ask ?? this.#context.client()?.ask
    // The backend asked on its own account, and nobody can tell whom.
    if (!ask) {
      throw new GatewayError(
        'METHOD_UNKNOWN',
        `Method not found: ${method} does not say to which request it belongs, and no client can be named with certainty`,
      )
    }
    scope?.signal.onCancel((reason) => signal.cancel(reason))
    // The call has been given up: its client is gone.
    signal.throwIfCancelled()
    const release = scope?.deadline?.hold()
    const token = progressToken(params)
    // What it asks about a task is about one of the client's.
    const question = { method, params: method.startsWith('tasks/') ? params : this.#shown(params, scope) }
    try {
      if (token === undefined) return this.#answered(await ask(question, signal), scope)
      const onProgress = (progress: JsonObject): void => {
        const said = { ...this.#native(progress, scope), progressToken: token }
        this.#send(notificationText('notifications/progress', said)).catch(() => {})
      }
      return this.#answered(await ask({ ...question, onProgress }, signal), scope)
    } finally {
      release?.()
    }
  }

  #cancel({ requestId, reason }: JsonObject): void {
    if (requestId === undefined) return
    const why = typeof reason === 'string' ? reason.slice(0, 200) : 'cancelled by the server'
    this.#open.get(JSON.stringify(requestId))?.signal.cancel(new GatewayError('CANCELLED', why))
  }

  /** Progress of a task, after the request that began it was answered (2025-11-25, "Task Progress Notifications"). */
  #tellProgress(params: JsonObject, given: string): void {
    const client = this.#context.client()
    const progressToken = client && this.#context.tasks.progressToken(given, client.principal)
    if (progressToken !== undefined) {
      client?.notify({ method: 'notifications/progress', params: { ...params, progressToken } })
    }
  }

  /** The state of a task of the client to which this connection belongs (2025-11-25). */
  #tellStatus(params: JsonObject): void {
    const client = this.#context.client()
    const { taskId } = params
    if (!client || isBefore(client.revision, CORE_TASKS_SINCE) || typeof taskId !== 'string') return
    const shown = this.#context.tasks.shown(taskId, client.principal)
    if (shown !== undefined)
      client.notify({ method: 'notifications/tasks/status', params: { ...params, taskId: shown } })
  }

  /** What the client answered, as the backend gets it. */
  #answered(answer: JsonObject, scope: Scope | undefined): JsonObject {
    const { task } = answer
    if (isObject(task) && typeof task['taskId'] === 'string' && this.#clientTasks.size < MAX_TASKS) {
      this.#clientTasks.add(task['taskId'])
    }
    return this.#native(answer, scope)
  }

  /** What the backend says about one of its tasks, as its reader knows the task. */
  #shown(message: JsonObject, scope: Scope | undefined): JsonObject {
    const principal = this.#principal(scope)
    return renameRelatedTask(message, (id) => principal && this.#context.tasks.shown(id, principal))
  }

  /** What the reader says, as the backend knows the task; a task of the client's own keeps its name. */
  #native(message: JsonObject, scope: Scope | undefined): JsonObject {
    const principal = this.#principal(scope)
    return renameRelatedTask(message, (id) => (principal && this.#context.tasks.native(id, principal)) ?? id)
  }

  #principal(scope: Scope | undefined): Principal | undefined {
    return scope ? scope.caller.principal : this.#context.client()?.principal
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
