import type { Backend } from '../../backends/backend.ts'
import { ownRequest } from '../../backends/leg.ts'
import type { Caller, Flow, Notification, TaskListener, TaskWatch } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { BackendId } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { pause } from '../../model/pause.ts'
import { withoutHop } from '../../protocol/translate.ts'
import type { RunWatches } from './runs/run-watches.ts'
import type { TaskIds } from './task-ids.ts'

/** A task whose server has not taken it on by then is left out of what is acknowledged. */
const ACKNOWLEDGE_WITHIN_MS = 5000
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000
const MAX_WATCHED = 1000

interface Listening {
  acknowledged: (natives: readonly unknown[]) => void
  heard: TaskListener
  flow: Flow | undefined
}

/**
 * Tasks whose state modern clients want to be told of (tasks extension, "Task Status Notifications"): those of runs, and
 * for each client one `subscriptions/listen` at each backend that has some of them. When it breaks it is made anew, and the state of each task
 * told: it may have changed unseen.
 */
export class TaskWatches {
  readonly #ids: TaskIds
  readonly #backendOf: (id: BackendId) => Backend | undefined
  readonly #runs: RunWatches

  constructor(ids: TaskIds, backendOf: (id: BackendId) => Backend | undefined, runs: RunWatches) {
    this.#ids = ids
    this.#backendOf = backendOf
    this.#runs = runs
  }

  /** As `Core.watchTasks` has it. */
  async watch(
    tokens: readonly string[],
    caller: Caller,
    listener: TaskListener,
    flow: Flow | undefined,
  ): Promise<TaskWatch> {
    if (tokens.length > MAX_WATCHED) {
      throw new GatewayError('PARAMS_INVALID', `Invalid params: a client may listen to ${MAX_WATCHED} tasks`)
    }
    const signal = new Cancellation()
    const { byBackend, runs } = this.#sort(tokens, caller)
    const accepted = await Promise.all([
      ...[...byBackend].map(([backend, known]) => this.#listen(backend, known, caller, signal, listener, flow)),
      ...[...runs].map(([token, run]) => this.#watchRun(run, token, caller, signal, listener)),
    ])
    const standing = new Set(accepted.flat())
    const end = (): void => signal.cancel(new GatewayError('CANCELLED', 'the client no longer listens'))
    if (standing.size === 0) end()
    return { ids: tokens.filter((token) => standing.has(token)), end }
  }

  /** Tokens by the backend that performs their tasks and its own id, and runs by token. */
  #sort(tokens: readonly string[], caller: Caller) {
    const byBackend = new Map<BackendId, Map<string, string>>()
    const runs = new Map<string, string>()
    for (const token of tokens) {
      const task = this.#ids.open(token, caller.principal)
      switch (task?.kind) {
        case undefined:
          break
        case 'backend': {
          if (this.#backendOf(task.backend)?.servingEra('modern') !== 'modern') break
          const known = byBackend.get(task.backend) ?? new Map<string, string>()
          byBackend.set(task.backend, known.set(task.id, token))
          break
        }
        case 'run':
          runs.set(token, task.run)
      }
    }
    return { byBackend, runs }
  }

  async #watchRun(
    run: string,
    token: string,
    caller: Caller,
    signal: Cancellation,
    listener: TaskListener,
  ): Promise<string[]> {
    const end = await this.#runs.watch(run, token, caller, listener).catch(() => {})
    if (!end) return []
    signal.onCancel(end)
    return [token]
  }

  /** Resolves with the tasks that the server has agreed to tell of; goes on listening until the signal. */
  #listen(
    id: BackendId,
    known: ReadonlyMap<string, string>,
    caller: Caller,
    signal: Cancellation,
    listener: TaskListener,
    flow: Flow | undefined,
  ): Promise<string[]> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ACKNOWLEDGE_WITHIN_MS, [])
      const acknowledged = (natives: readonly unknown[]): void => {
        clearTimeout(timer)
        resolve([...known].filter(([native]) => natives.includes(native)).map(([, token]) => token))
      }
      const heard = (task: JsonObject): void => {
        const token = typeof task['taskId'] === 'string' ? known.get(task['taskId']) : undefined
        if (token !== undefined && !signal.cancelled) listener({ ...withoutHop(task), taskId: token })
      }
      void this.#keepListening(id, [...known.keys()], caller, signal, { acknowledged, heard, flow })
    })
  }

  async #keepListening(
    id: BackendId,
    natives: string[],
    caller: Caller,
    signal: Cancellation,
    { acknowledged, heard, flow }: Listening,
  ): Promise<void> {
    let delay = FIRST_RETRY_MS
    let stood = false
    const onNotification = ({ method, params }: Notification): void => {
      if (method === 'notifications/tasks') return heard(params)
      const { notifications } = params
      const ids = isObject(notifications) ? notifications['taskIds'] : undefined
      const agreed = Array.isArray(ids) ? ids : []
      delay = FIRST_RETRY_MS
      acknowledged(agreed)
      if (stood) void this.#tellAll(id, agreed, caller, signal, heard)
      stood = true
    }
    while (!signal.cancelled) {
      const backend = this.#backendOf(id)
      const request = ownRequest('subscriptions/listen', { notifications: { taskIds: natives } }, signal, caller)
      try {
        await backend?.listen({ ...request, onNotification, flow })
      } catch {
        // It is tried again, as long as the client is there.
      }
      // A server that never agreed has been asked and has answered.
      if (!stood) return acknowledged([])
      await pause(delay, signal)
      delay = Math.min(delay * 2, LAST_RETRY_MS)
    }
  }

  async #tellAll(
    id: BackendId,
    natives: readonly unknown[],
    caller: Caller,
    signal: Cancellation,
    heard: TaskListener,
  ): Promise<void> {
    for (const taskId of natives) {
      if (typeof taskId !== 'string' || signal.cancelled) continue
      try {
        const reply = await this.#backendOf(id)?.call(ownRequest('tasks/get', { taskId }, signal, caller))
        if (reply?.kind !== 'result') continue
        const { resultType: _, ...task } = reply.value
        heard(task)
      } catch {
        // The client can ask itself.
      }
    }
  }
}
