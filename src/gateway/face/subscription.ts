import type { Change } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { META } from '../../protocol/envelope.ts'
import { parseJson } from '../../protocol/json.ts'
import { notificationText } from '../../protocol/jsonrpc.ts'
import type { Identity } from '../../protocol/translate.ts'
import { acceptedFilter, filteredChange, noticesOf } from './changes.ts'

/** One `subscriptions/listen` of a modern client: acknowledged first, every message tagged, ended by an empty result. */
export class Subscription {
  readonly #id: string
  readonly #accepted: JsonObject
  readonly #identity: Identity
  #send: ((json: string) => void) | undefined
  #close: (() => void) | undefined

  /** `id` is JSON text. Throws `PARAMS_INVALID` when the filter is missing. */
  constructor(id: string, params: JsonObject, identity: Identity) {
    const accepted = acceptedFilter(params)
    if (!accepted) throw new GatewayError('PARAMS_INVALID', 'Invalid params: "notifications" must be an object')
    this.#id = id
    this.#accepted = accepted
    this.#identity = identity
  }

  start(send: (json: string) => void, close: () => void): void {
    this.#send = send
    this.#close = close
    send(notificationText('notifications/subscriptions/acknowledged', this.#tagged({ notifications: this.#accepted })))
    // Nothing of what was asked for can ever come.
    if (Object.keys(this.#accepted).length === 0) this.end()
  }

  tell(change: Change): void {
    for (const method of noticesOf(filteredChange(change, this.#accepted))) {
      this.#send?.(notificationText(method, this.#tagged({})))
    }
  }

  end(): void {
    const send = this.#send
    if (!send) return
    this.#send = undefined
    const result = this.#tagged({ resultType: 'complete' })
    send(`{"jsonrpc":"2.0","id":${this.#id},"result":${JSON.stringify(result)}}`)
    this.#close?.()
  }

  #tagged(params: JsonObject): JsonObject {
    return { ...params, _meta: { [META.subscription]: parseJson(this.#id), [META.server]: this.#identity } }
  }
}
