import type { Caller, Change } from '../../../model/call.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { META, metaOf } from '../../../protocol/envelope.ts'
import { parseJson } from '../../../protocol/json.ts'
import { notificationText } from '../../../protocol/jsonrpc.ts'
import type { Identity } from '../../../protocol/translate.ts'
import { NO_CHANGE, UPDATED, acceptedFilter, asksFor, filteredChange, mergeChanges, noticesOf } from './changes.ts'
import type { Way } from '../legacy/conversation.ts'
import type { Gateway } from '../../gateway.ts'
import { requireTasks } from '../../tasks/extension.ts'
import type { Follow } from '../legacy/followed.ts'
import { Followed } from '../legacy/followed.ts'
import { WatchedTasks } from './watched-tasks.ts'

/** A resource whose backend has not taken the subscription by then is left out of what is acknowledged. */
const ACKNOWLEDGE_WITHIN_MS = 5000

/**
 * One `subscriptions/listen` of a modern client: acknowledged first, every message tagged, ended by an empty result.
 * What cannot be delivered is merged, and delivered with the next flush.
 */
export class Subscription {
  readonly #id: string
  readonly #asked: readonly string[]
  readonly #identity: Identity
  readonly #followed: Followed
  readonly #watched: WatchedTasks
  #accepted: JsonObject
  #acknowledged = false
  #missed: Change = NO_CHANGE
  #way: Way | undefined
  #close: (() => void) | undefined

  /**
   * `id` is JSON text. Throws `PARAMS_INVALID` when the filter is missing or malformed, and the error for a client that
   * asks for tasks without having declared the extension.
   */
  constructor(id: string, params: JsonObject, gateway: Gateway, caller: Caller) {
    const accepted = acceptedFilter(params)
    const asked = asksFor('resourceSubscriptions', params)
    const tasks = asksFor('taskIds', params)
    if (!accepted || !asked || !tasks) {
      const wanted = '"notifications" must be an object, and its "resourceSubscriptions" and "taskIds" lists of strings'
      throw new GatewayError('PARAMS_INVALID', `Invalid params: ${wanted}`)
    }
    if (tasks.length > 0) requireTasks(caller)
    this.#id = id
    this.#asked = asked
    this.#accepted = accepted
    this.#identity = gateway.identity
    const follow: Follow = (uri, listener) => gateway.core.follow(uri, caller, listener)
    this.#followed = new Followed(follow, (update) => this.#notify(UPDATED, update))
    this.#watched = new WatchedTasks(
      tasks,
      (listener) => gateway.core.watchTasks(tasks, caller, listener, this.#way?.flow),
      (task) => this.#notify('notifications/tasks', task),
    )
  }

  /** Resolves when it is acknowledged, or over. `close` is called when it ends from this side. */
  async start(way: Way, close: () => void): Promise<void> {
    this.#way = way
    this.#close = close
    const [resources, tasks] = await Promise.all([this.#followAll(), this.#watched.start()])
    if (!this.#way) return this.leave()
    if (resources.length > 0) this.#accepted = { ...this.#accepted, resourceSubscriptions: resources }
    if (tasks.length > 0) this.#accepted = { ...this.#accepted, taskIds: [...tasks] }
    const params = this.#tagged({ notifications: this.#accepted })
    way.put(notificationText('notifications/subscriptions/acknowledged', params))
    this.#acknowledged = true
    // Nothing of what was asked for can ever come.
    if (Object.keys(this.#accepted).length === 0) this.end()
    else this.flush()
  }

  tell(change: Change): void {
    const told = noticesOf(filteredChange(change, this.#accepted)).every((method) => this.#notify(method, {}))
    if (!told) this.#missed = mergeChanges(this.#missed, change)
  }

  /** The client can be reached again. */
  flush(): void {
    const missed = this.#missed
    this.#missed = NO_CHANGE
    this.tell(missed)
    this.#followed.flush()
    this.#watched.flush()
  }

  /** The gateway ends it. */
  end(): void {
    const way = this.#way
    if (!way) return
    this.leave()
    const result = this.#tagged({ resultType: 'complete' })
    way.put(`{"jsonrpc":"2.0","id":${this.#id},"result":${JSON.stringify(result)}}`)
    this.#close?.()
  }

  /** The client has ended it, or left. */
  leave(): void {
    this.#way = undefined
    this.#followed.clear()
    this.#watched.end()
  }

  /** What is followed now, in the order in which it was asked for. */
  async #followAll(): Promise<string[]> {
    if (this.#asked.length === 0) return []
    const standing = new Set<string>()
    const all = this.#asked.map(async (uri) => {
      try {
        await this.#followed.add(uri)
        standing.add(uri)
      } catch {
        // It is not acknowledged.
      }
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ACKNOWLEDGE_WITHIN_MS)))
    await Promise.race([Promise.all(all), late])
    clearTimeout(timer)
    for (const uri of this.#asked) if (!standing.has(uri)) this.#followed.remove(uri)
    return this.#asked.filter((uri) => standing.has(uri))
  }

  #notify(method: string, params: JsonObject): boolean {
    return this.#acknowledged && (this.#way?.send(notificationText(method, this.#tagged(params))) ?? false)
  }

  #tagged(params: JsonObject): JsonObject {
    const tag = { [META.subscription]: parseJson(this.#id), [META.server]: this.#identity }
    return { ...params, _meta: { ...metaOf(params), ...tag } }
  }
}
