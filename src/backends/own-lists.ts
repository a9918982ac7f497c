import type { NativeLists } from '../model/backend.ts'
import { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import type { OwnerKey } from '../model/ids.ts'
import { fetchLists } from './lists.ts'
import type { Slot } from './pool.ts'

const DEBOUNCE_MS = 100
const LIMIT_MS = 30_000

/**
 * What a process offers on one owner's connection, once it has announced a change there: it may add tools for one
 * session (after a login, say) that others do not have. Nobody but the owner sees them. Over HTTP only the gateway's
 * own connection listens for changes, so there everybody sees the same.
 */
export class OwnLists {
  readonly #lists = new Map<OwnerKey, { lists: NativeLists; profile: string }>()
  readonly #timers = new Map<OwnerKey, NodeJS.Timeout>()
  /** Numbers the requests for lists. */
  readonly #flights = new Map<OwnerKey, number>()
  readonly #onChange: (apart: { owner: OwnerKey; profile: string }) => void
  readonly #note: (message: string) => void

  constructor(onChange: (apart: { owner: OwnerKey; profile: string }) => void, note: (message: string) => void) {
    this.#onChange = onChange
    this.#note = note
  }

  /** `undefined`: the same as everybody. */
  get(owner: OwnerKey): NativeLists | undefined {
    return this.#lists.get(owner)?.lists
  }

  /** Who sees something of their own. */
  get apart(): { owner: OwnerKey; profile: string }[] {
    return [...this.#lists].map(([owner, { profile }]) => ({ owner, profile }))
  }

  /** The server has announced a change on this connection. */
  announced(slot: Slot): void {
    clearTimeout(this.#timers.get(slot.owner))
    const timer = setTimeout(() => {
      this.#timers.delete(slot.owner)
      this.#fetch(slot).catch(() => {})
    }, DEBOUNCE_MS).unref()
    this.#timers.set(slot.owner, timer)
  }

  /** The owner's connection is gone, and what it offered with it. */
  drop(owner: OwnerKey): void {
    clearTimeout(this.#timers.get(owner))
    this.#timers.delete(owner)
    this.#flights.delete(owner)
    const known = this.#lists.get(owner)
    if (this.#lists.delete(owner) && known) this.#onChange({ owner, profile: known.profile })
  }

  async #fetch(slot: Slot): Promise<void> {
    if (!slot.leg || slot.leg.closed) return
    const signal = new Cancellation()
    const late = new GatewayError('BACKEND_UNREACHABLE', 'no answer to a list request')
    const timer = setTimeout(() => signal.cancel(late), LIMIT_MS).unref()
    slot.inflight++
    const flight = (this.#flights.get(slot.owner) ?? 0) + 1
    this.#flights.set(slot.owner, flight)
    try {
      const lists = await fetchLists(slot.leg, signal, this.#note)
      // A late answer must not overwrite a newer one.
      if (slot.leg.closed || this.#flights.get(slot.owner) !== flight) return
      const profile = slot.profile.key
      this.#lists.set(slot.owner, { lists, profile })
      this.#onChange({ owner: slot.owner, profile })
    } finally {
      clearTimeout(timer)
      slot.inflight--
    }
  }
}
