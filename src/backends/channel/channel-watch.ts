import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { modernParams } from '../../protocol/translate.ts'
import type { Channel } from './channel.ts'
import { ownHop } from '../hop.ts'
import type { LegContext } from '../leg.ts'
import type { Told } from '../following/succession.ts'

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
/** A subscription that has stood this long was a good one: after its end the first delay counts again. */
const GOOD_LIFE_MS = 10_000

/**
 * `subscriptions/listen` over a channel. A server may end it whenever it wants (2026-07-28, subscriptions, "Closing"):
 * one that stood is asked for again, ever more slowly, and when it stands again changes may have been missed. A server
 * that refuses is left alone.
 */
export class ChannelWatch {
  readonly #channel: Channel
  readonly #context: LegContext
  readonly #notifications: JsonObject
  readonly #told: Told
  readonly #signal = new Cancellation()
  #timer: NodeJS.Timeout | undefined
  #delay = FIRST_RETRY_MS
  /** It has stood before. */
  #known = false
  /** When the one that runs was acknowledged, milliseconds since the epoch. */
  #since: number | undefined

  constructor(channel: Channel, context: LegContext, notifications: JsonObject, told: Told) {
    this.#channel = channel
    this.#context = context
    this.#notifications = notifications
    this.#told = told
    this.#open()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#signal.cancel(new GatewayError('CANCELLED', 'another subscription has taken its place'))
  }

  #open(): void {
    const notifications = this.#notifications
    this.#channel
      .request({
        method: 'subscriptions/listen',
        params: () => modernParams({ notifications }, {}, ownHop(this.#context.identity)),
        signal: this.#signal,
        onAcknowledged: () => this.#onAcknowledged(),
      })
      .then(
        ({ kind }) => (kind === 'response' ? this.#again() : this.#onRefused()),
        // The channel has ended, or nobody wants to listen any more.
        () => this.#told.refused(),
      )
  }

  #onAcknowledged(): void {
    this.#since = Date.now()
    if (this.#known) this.#tellGap()
    this.#known = true
    this.#told.acknowledged()
  }

  #onRefused(): void {
    // There was a subscription before.
    if (this.#known) this.#tellGap()
    this.#told.refused()
  }

  #again(): void {
    if (!this.#known) return this.#told.refused()
    if (this.#signal.cancelled || this.#channel.ended) return
    if (this.#since !== undefined && Date.now() - this.#since >= GOOD_LIFE_MS) this.#delay = FIRST_RETRY_MS
    this.#since = undefined
    this.#timer = setTimeout(() => this.#open(), this.#delay).unref()
    this.#delay = Math.min(this.#delay * 2, LAST_RETRY_MS)
  }

  #tellGap(): void {
    this.#context.onListChanged()
    this.#context.onGap()
  }
}
