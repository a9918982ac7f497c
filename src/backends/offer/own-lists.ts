import type { NativeLists } from '../../model/backend.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { OwnerKey } from '../../model/ids.ts'
import { principalKey } from '../../model/principal.ts'
import type { Apart, Audience } from './apart.ts'
import type { Listing } from './lists.ts'
import { fetchLists, sameLists } from './lists.ts'
import type { Slot } from '../connections/pool.ts'

const DEBOUNCE_MS = 100
const LIMIT_MS = 30_000

export interface OwnListsOptions {
  /** What callers see who have nothing of their own. */
  listsFor: (audience: Audience) => NativeLists | undefined
  /**
   * Resolves when what the server offers to everybody has been listed anew. Absent: a process, whose announcements are
   * about itself. An HTTP server may announce on each connection what concerns all: then nobody has anything of their own.
   */
  relisted: (() => Promise<void>) | undefined
  /** Told when what one owner sees has changed. */
  onChange: (apart: Apart) => void
  note: (message: string) => void
}

/**
 * What a server offers on one owner's connection, once it has announced a change there: it may add tools for one
 * session (after a login, say) that others do not have. Nobody but the owner sees them.
 */
export class OwnLists {
  /** What was last found on each connection, `apart` when others do not see the same. */
  readonly #known = new Map<OwnerKey, { listing: Listing; apart: boolean; audience: Audience }>()
  readonly #refreshing = new Map<OwnerKey, Promise<void>>()
  readonly #timers = new Map<OwnerKey, NodeJS.Timeout>()
  /** Numbers the requests for lists. */
  readonly #flights = new Map<OwnerKey, number>()
  readonly #options: OwnListsOptions

  constructor(options: OwnListsOptions) {
    this.#options = options
  }

  /** `undefined`: the same as everybody. */
  get(owner: OwnerKey): NativeLists | undefined {
    const known = this.#known.get(owner)
    return known?.apart ? known.listing.lists : undefined
  }

  /** As it was last given on the owner's own connection. `undefined`: it was not asked for there. */
  listing(owner: OwnerKey): Listing | undefined {
    return this.#known.get(owner)?.listing
  }

  /** Who sees something of their own. */
  get apart(): Apart[] {
    return [...this.#known].filter(([, { apart }]) => apart).map(([owner, { audience }]) => ({ owner, ...audience }))
  }

  /** The server has announced a change on this connection. */
  announced(slot: Slot): void {
    clearTimeout(this.#timers.get(slot.owner))
    const timer = setTimeout(() => {
      this.#timers.delete(slot.owner)
      this.#fetch(slot, true).catch(() => {})
    }, DEBOUNCE_MS).unref()
    this.#timers.set(slot.owner, timer)
  }

  /** Asks on this connection what it offers now. One request at a time; resolves when it is known, or cannot be had. */
  refresh(slot: Slot): Promise<void> {
    const { owner } = slot
    let running = this.#refreshing.get(owner)
    if (!running) {
      running = this.#fetch(slot, false)
        .catch(() => {})
        .finally(() => this.#refreshing.delete(owner))
      this.#refreshing.set(owner, running)
    }
    return running
  }

  /** The owner's connection is gone, and what it offered with it. */
  drop(owner: OwnerKey): void {
    clearTimeout(this.#timers.get(owner))
    this.#timers.delete(owner)
    this.#flights.delete(owner)
    const known = this.#known.get(owner)
    if (this.#known.delete(owner) && known?.apart) this.#options.onChange({ owner, ...known.audience })
  }

  /** `announced`: the server may say the same of what it offers to everybody. */
  async #fetch(slot: Slot, announced: boolean): Promise<void> {
    if (!slot.leg || slot.leg.closed) return
    const signal = new Cancellation()
    const late = new GatewayError('BACKEND_UNREACHABLE', 'no answer to a list request')
    const timer = setTimeout(() => signal.cancel(late), LIMIT_MS).unref()
    slot.inflight++
    const flight = (this.#flights.get(slot.owner) ?? 0) + 1
    this.#flights.set(slot.owner, flight)
    try {
      const { listsFor, relisted, onChange, note } = this.#options
      const base = announced ? relisted?.() : undefined
      const [listing] = await Promise.all([fetchLists(slot.leg, signal, note), base])
      // A late answer must not overwrite a newer one.
      if (slot.leg.closed || this.#flights.get(slot.owner) !== flight) return
      const { owner } = slot
      const audience = { profile: slot.profile.key, principal: principalKey(slot.principal) }
      const before = this.#known.get(owner)
      const apart = !sameLists(listing.lists, listsFor(audience))
      this.#known.set(owner, { listing, apart, audience })
      if (before?.apart ? !apart || !sameLists(before.listing.lists, listing.lists) : apart)
        onChange({ owner, ...audience })
    } finally {
      clearTimeout(timer)
      slot.inflight--
    }
  }
}
