import type { Era } from '../../model/backend.ts'
import type { Caller } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { OwnerKey } from '../../model/ids.ts'
import { GATEWAY_OWNER } from '../../model/ids.ts'
import type { Principal } from '../../model/principal.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import type { Profile } from '../../model/profile.ts'
import { NO_PROFILE } from '../../model/profile.ts'
import type { Leg } from '../leg.ts'

export interface PoolSettings {
  /** Upstream connections of one backend that belong to clients. */
  maxPerBackend: number
  /** An owner's connection closes after this long without a call, milliseconds. */
  idleMs: number
}

/** A process may have to be downloaded first. */
const OPENING_LIMIT_MS = 120_000

/** Whose a connection is, and who uses it. */
export type User = Pick<Caller, 'owner' | 'principal'>

/** One upstream connection and who may use it. */
export interface Slot {
  readonly owner: OwnerKey
  /** Who used it last: the same one with another token, unless strangers may share it. */
  principal: Principal
  /** What a legacy server was told that it may ask for. Modern ones are told with each request. */
  readonly profile: Profile
  readonly era: Era
  readonly opening: Promise<Leg>
  /** Ends the opening. */
  readonly signal: Cancellation
  leg: Leg | undefined
  /** Calls that run on it. */
  inflight: number
  /** Resources that are followed over it: it is in use even while nobody calls. */
  holds: number
  lastUsed: number
  /** Health checks in a row without an answer. */
  missed: number
}

/** The upstream connections of one backend, by era, owner and profile. Two owners never meet on one. */
export class LegPool {
  readonly #slots = new Map<string, Slot>()
  /** Connections that were taken out and have not ended yet. */
  readonly #closing = new Set<Promise<void>>()
  readonly #settings: PoolSettings
  readonly #now: () => number
  /** Told of every connection that is taken out. */
  readonly #onDrop: (slot: Slot) => void

  constructor(settings: PoolSettings, now: () => number = Date.now, onDrop: (slot: Slot) => void = () => {}) {
    this.#settings = settings
    this.#onDrop = onDrop
    this.#now = now
  }

  find(era: Era, owner: OwnerKey, profile: Profile): Slot | undefined {
    return this.#slots.get(key(era, owner, profile))
  }

  /** Any live connection of this owner, whatever its era. */
  owned(owner: OwnerKey): Slot[] {
    return [...this.#slots.values()].filter((slot) => slot.owner === owner)
  }

  /** Where a connection is kept now. */
  slotOf(leg: Leg): Slot | undefined {
    return [...this.#slots.values()].find((slot) => slot.leg === leg)
  }

  /** Connections that stand. */
  live(): (Slot & { leg: Leg })[] {
    return [...this.#slots.values()].filter(
      (slot): slot is Slot & { leg: Leg } => slot.leg !== undefined && !slot.leg.closed,
    )
  }

  /**
   * Callers that come while it opens share the attempt, which has its own time: it ends with nobody's call.
   * Throws `BACKEND_BUSY` when every connection is in use.
   */
  open(era: Era, { owner, principal }: User, profile: Profile, opening: (signal: Cancellation) => Promise<Leg>): Slot {
    if (owner !== GATEWAY_OWNER) this.#makeRoom()
    const signal = new Cancellation()
    const slot = this.#slot(era, owner, profile, opening(signal), signal)
    slot.principal = principal
    const late = new GatewayError('BACKEND_UNREACHABLE', `no connection within ${OPENING_LIMIT_MS / 1000} s`)
    const timer = setTimeout(() => signal.cancel(late), OPENING_LIMIT_MS).unref()
    slot.opening.then(
      (leg) => {
        clearTimeout(timer)
        slot.leg = leg
      },
      () => {
        clearTimeout(timer)
        this.#forget(slot)
      },
    )
    return slot
  }

  /** Takes in a connection that stands already. */
  add(leg: Leg, { owner, principal }: User, profile = NO_PROFILE): Slot {
    const slot = this.#slot(leg.era, owner, profile, Promise.resolve(leg), new Cancellation())
    slot.leg = leg
    slot.principal = principal
    return slot
  }

  #slot(era: Era, owner: OwnerKey, profile: Profile, opening: Promise<Leg>, signal: Cancellation): Slot {
    const lastUsed = this.#now()
    const use = { inflight: 0, holds: 0, lastUsed, missed: 0 }
    const slot: Slot = { owner, principal: ANONYMOUS, profile, era, opening, signal, leg: undefined, ...use }
    const replaced = this.find(era, owner, profile)
    if (replaced) this.drop(replaced).catch(() => {})
    this.#slots.set(key(era, owner, profile), slot)
    return slot
  }

  /**
   * Hands the gateway's own connection to its first client: nobody has used it, so it carries no state of anybody.
   * `undefined` when there is none, or a listing is running on it.
   */
  adopt(era: Era, { owner, principal }: User): Slot | undefined {
    const spare = this.spare(era)
    if (!spare) return undefined
    this.#makeRoom()
    this.#forget(spare)
    const slot: Slot = { ...spare, owner, principal, lastUsed: this.#now() }
    this.#slots.set(key(era, owner, NO_PROFILE), slot)
    return slot
  }

  /** The gateway's own connection while it is not in use. */
  spare(era: Era): Slot | undefined {
    const spare = this.find(era, GATEWAY_OWNER, NO_PROFILE)
    return spare?.leg && !spare.leg.closed && !isUsed(spare) ? spare : undefined
  }

  touch(slot: Slot): void {
    slot.lastUsed = this.#now()
  }

  /** Takes a connection out and closes it; calls that run on it end as its leg ends them. */
  async drop(slot: Slot): Promise<void> {
    this.#forget(slot)
    this.#onDrop(slot)
    slot.signal.cancel(new GatewayError('CANCELLED', 'the connection is no longer wanted'))
    const closing = closeWhenOpen(slot).finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
    await closing
  }

  async dropOwner(owner: OwnerKey): Promise<void> {
    await Promise.all(this.owned(owner).map((slot) => this.drop(slot)))
  }

  /** Closes what has been idle for too long. */
  sweep(): void {
    const limit = this.#now() - this.#settings.idleMs
    for (const slot of this.#slots.values()) {
      const idle = slot.owner !== GATEWAY_OWNER && !isUsed(slot) && slot.lastUsed < limit
      if (idle || slot.leg?.closed) this.drop(slot).catch(() => {})
    }
  }

  async close(): Promise<void> {
    const dropped = [...this.#slots.values()].map((slot) => this.drop(slot))
    await Promise.all([...dropped, ...this.#closing])
  }

  #makeRoom(): void {
    const owned = [...this.#slots.values()].filter((slot) => slot.owner !== GATEWAY_OWNER)
    if (owned.length < this.#settings.maxPerBackend) return
    const idle = owned.filter((slot) => !isUsed(slot) && slot.leg).sort((a, b) => a.lastUsed - b.lastUsed)[0]
    if (!idle) {
      const limit = this.#settings.maxPerBackend
      throw new GatewayError(
        'BACKEND_BUSY',
        `all ${limit} connections to it are in use (key: operational.sessions.maxPerBackend)`,
      )
    }
    this.drop(idle).catch(() => {})
  }

  #forget(slot: Slot): void {
    const at = key(slot.era, slot.owner, slot.profile)
    if (this.#slots.get(at) === slot) this.#slots.delete(at)
  }
}

function isUsed({ inflight, holds }: Slot): boolean {
  return inflight > 0 || holds > 0
}

async function closeWhenOpen(slot: Slot): Promise<void> {
  const leg = await slot.opening.catch(() => undefined)
  await leg?.close()
}

function key(era: Era, owner: OwnerKey, profile: Profile): string {
  return era === 'modern' ? `m:${owner}` : `l${profile.key}:${owner}`
}
