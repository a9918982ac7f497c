import type { BackendSpec, Era, NativeLists } from '../../model/backend.ts'
import type { Caller, ClientPort } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import type { Credential } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import type { OwnerKey } from '../../model/ids.ts'
import { GATEWAY_OWNER, isOneClient } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Profile } from '../../model/profile.ts'
import { NO_PROFILE } from '../../model/profile.ts'
import { createConnector } from '../connector.ts'
import { EraKnowledge } from './eras.ts'
import type { Connector, Leg, LegContext } from '../leg.ts'
import type { Apart, Audience } from '../offer/apart.ts'
import { OwnLists } from '../offer/own-lists.ts'
import type { PoolSettings, Slot, User } from './pool.ts'
import { LegPool } from './pool.ts'

/** How long the search for a second era may take; nobody waits for it. */
const SECOND_ERA_MS = 10_000

/**
 * A first call waits this long for the stream of its connection: what the server says there before it stands is lost, and
 * a question among it would hang its call. It stands within milliseconds, unless the machine is busy.
 */
const STREAM_WAIT_MS = 2000
/** The same for servers that have been seen to begin their streams with the first event. */
const LATE_STREAM_WAIT_MS = 100

const NO_CONNECTOR: Connector = {
  open: async () => {
    throw new GatewayError('BACKEND_UNREACHABLE', 'its configuration is at fault')
  },
  close: async () => {},
}

/** What all legs of one backend have in common. */
export interface Hub extends Omit<
  LegContext,
  'profile' | 'principal' | 'client' | 'oneClient' | 'onUpdated' | 'onGap'
> {
  /** What the server is shown of its callers. */
  credential: Credential | undefined
  /** The legacy client that owns a connection, while it is there. */
  clientOf: (owner: OwnerKey) => ClientPort | undefined
  /** As `LegContext` has them, of one leg. */
  onUpdated: (leg: Leg, params: JsonObject) => void
  onGap: (leg: Leg) => void
  /** A connection was taken out, or its process has ended. */
  onGone: (leg: Leg) => void
  /** What callers see who have nothing of their own. */
  listsFor: (audience: Audience) => NativeLists | undefined
  /** Resolves when what the backend offers to everybody has been listed anew. */
  relisted: () => Promise<void>
}

/** The connections of one backend: which one serves whom, in which era. */
export class Connections {
  readonly pool: LegPool
  readonly ownLists: OwnLists
  readonly #spec: BackendSpec
  readonly #context: Hub
  readonly #connector: Connector
  readonly #eras: EraKnowledge
  /** Learnt from the first legacy session over HTTP. */
  #httpKeepsState: boolean | undefined
  /** The stream of the latest connection did not stand in time. */
  #lateStreams = false

  /** `onOwnChange` is told when what one owner's connection offers has changed. */
  constructor(spec: BackendSpec, settings: PoolSettings, context: Hub, onOwnChange: (apart: Apart) => void) {
    this.#spec = spec
    this.#context = context
    // A spec that is at fault may hold anything for an address.
    this.#connector = spec.fault ? NO_CONNECTOR : createConnector(spec.endpoint, context.credential)
    this.#eras = new EraKnowledge(spec)
    const note = (message: string): void => context.telemetry.emit('backend.note', { backend: spec.id, message })
    const relisted = isProcess(spec) ? undefined : context.relisted
    this.ownLists = new OwnLists({ listsFor: context.listsFor, relisted, onChange: onOwnChange, note })
    this.pool = new LegPool(settings, Date.now, (slot) => {
      this.ownLists.drop(slot.owner)
      if (slot.leg) context.onGone(slot.leg)
    })
  }

  /** Callers show the server something of their own: none of its connections and lists serves two principals. */
  get perCaller(): boolean {
    return this.#context.credential?.perCaller ?? false
  }

  /**
   * Finds out which era a server speaks that lets only its users in, in the name of this one. `undefined`: that is known.
   * Throws what opening a connection throws.
   */
  acquaint(caller: Caller, signal: Cancellation): Promise<void> | undefined {
    if (this.#eras.forListing !== 'auto') return undefined
    return this.#open('auto', caller, caller.profile, signal).then((leg) => {
      const profile = leg.era === 'legacy' ? caller.profile : NO_PROFILE
      // One may stand by now.
      if (this.pool.find(leg.era, caller.owner, profile)) return leg.close()
      this.pool.add(leg, caller, profile)
      return undefined
    })
  }

  /** The connection for a call. Throws `BACKEND_BUSY` when every one is in use. */
  slotForCall(caller: Caller): Slot {
    if (this.#eras.isUntried(caller.era)) this.#trySecondEra(caller)
    return this.slotFor(caller)
  }

  /** The same for what is no call: whoever only looks is served in the era that is known. */
  slotFor(caller: Caller): Slot {
    const era = this.#eras.serving(caller.era)
    const shared = this.#isShared(era)
    const holder = shared ? GATEWAY_OWNER : caller.owner
    // What many share is told of nobody's abilities.
    const profile = shared || era === 'modern' ? NO_PROFILE : caller.profile
    const slot = this.pool.find(era, holder, profile)
    if (slot && !slot.leg?.closed) {
      slot.principal = caller.principal
      return slot
    }
    const user = { owner: holder, principal: caller.principal }
    return (!shared && this.#inherit(era, user, profile)) || this.#openSlot(era, user, profile)
  }

  /** The connection that is the caller's alone, if it stands. */
  ownSlot({ era: callers, owner, profile }: Caller): Slot | undefined {
    const era = this.#eras.serving(callers)
    if (this.#isShared(era)) return undefined
    const slot = this.pool.find(era, owner, era === 'modern' ? NO_PROFILE : profile)
    return slot?.leg?.closed === false ? slot : undefined
  }

  /** Whether asking anew what it offers costs no process: the gateway's own connection stands, or costs only a request. */
  get canRelist(): boolean {
    return (
      this.#spec.endpoint.kind === 'http' || this.pool.owned(GATEWAY_OWNER).some(({ leg }) => leg?.closed === false)
    )
  }

  /** The era in which a caller of `era` is served. */
  servingEra(era: Era): Era {
    return this.#eras.serving(era)
  }

  /** Whether the server may list other things to callers like this one than to everybody. */
  listsApart({ era, profile }: Caller): boolean {
    if (this.perCaller) return true
    return (
      profile !== NO_PROFILE &&
      this.#spec.sharing !== 'shared' &&
      !(this.#eras.serving(era) === 'legacy' && this.#isShared('legacy'))
    )
  }

  /** The gateway's own connection, opened when there is none. */
  async own(signal: Cancellation): Promise<{ slot: Slot; fresh: boolean }> {
    const known = this.pool.owned(GATEWAY_OWNER).find((slot) => slot.leg && !slot.leg.closed)
    if (known) return { slot: known, fresh: false }
    const leg = await this.#open(this.#eras.forListing, GATEWAY_CALLER, NO_PROFILE, signal)
    // A call of a shared backend may have opened one meanwhile: two would be one too many.
    const rival = this.pool.find(leg.era, GATEWAY_OWNER, NO_PROFILE)
    if (rival && !rival.leg?.closed) {
      await leg.close()
      await rival.opening
      return { slot: rival, fresh: false }
    }
    return { slot: this.pool.add(leg, GATEWAY_CALLER), fresh: true }
  }

  /** What was learnt of the server may no longer be true. */
  forgetEras(): void {
    this.#eras.forget()
  }

  async close(): Promise<void> {
    await this.pool.close()
    await this.#connector.close()
  }

  /** A process that was started to be listed need not be started once more for its first client. */
  #inherit(era: Era, user: User, profile: Profile): Slot | undefined {
    if (this.#spec.endpoint.kind === 'http' || this.perCaller) return undefined
    if (profile === NO_PROFILE) return this.pool.adopt(era, user)
    // It was told that nobody is there to be asked: another one takes its place.
    const spare = this.pool.spare(era)
    if (!spare) return undefined
    const slot = this.#openSlot(era, user, profile)
    slot.opening.then(() => (spare.inflight === 0 ? this.pool.drop(spare) : undefined)).catch(() => {})
    return slot
  }

  #openSlot(era: Era, user: User, profile: Profile): Slot {
    return this.pool.open(era, user, profile, (signal) => this.#open(era, user, profile, signal))
  }

  async #open(era: Era | 'auto', user: User, profile: Profile, signal: Cancellation): Promise<Leg> {
    let opened: Leg | undefined
    const { clientOf, ...hub } = this.#context
    // A server may ask before the handshake is over, and a connection may pass to its first client.
    const userNow = (): User => (opened && this.pool.slotOf(opened)) ?? user
    const ownerNow = (): OwnerKey => userNow().owner
    const onListChanged = (): void => {
      const slot = opened && this.pool.slotOf(opened)
      if (slot && slot.owner !== GATEWAY_OWNER) this.ownLists.announced(slot)
      // What changed for one may have changed for all.
      this.#context.onListChanged()
    }
    const context: LegContext = {
      ...hub,
      profile,
      principal: () => userNow().principal,
      client: () => clientOf(ownerNow()),
      oneClient: () => isOneClient(ownerNow()),
      onListChanged,
      onUpdated: (params) => opened && hub.onUpdated(opened, params),
      onGap: () => opened && hub.onGap(opened),
      onLost: (error) => {
        // First what is known of all connections, so that nobody takes the backend for reachable.
        hub.onLost(error)
        if (opened) hub.onGone(opened)
      },
    }
    const leg = await this.#connector.open(era, context, signal)
    opened = leg
    this.#eras.opened(era, leg.era)
    if (leg.era === 'legacy') this.#httpKeepsState = leg.keepsState
    if (user.owner !== GATEWAY_OWNER) await this.#listen(leg)
    return leg
  }

  /**
   * Servers offer more to one session after a login, say, and tell only that one. Already the first call may be the
   * login; over HTTP it could overtake the request for the stream.
   */
  async #listen(leg: Leg): Promise<void> {
    const listening = leg.listen([])
    if (!listening || isProcess(this.#spec)) return
    const limitMs = this.#lateStreams ? LATE_STREAM_WAIT_MS : STREAM_WAIT_MS
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, limitMs, 'late')))
    this.#lateStreams = (await Promise.race([listening, late])) === 'late'
    clearTimeout(timer)
  }

  /** Whether the server also speaks the caller's era is found out beside the call, never in its way. */
  #trySecondEra({ era, principal }: Caller): void {
    this.#eras.learn(era, false)
    const signal = new Cancellation()
    const late = new GatewayError('BACKEND_UNREACHABLE', 'no answer to the search for a second era')
    const timer = setTimeout(() => signal.cancel(late), SECOND_ERA_MS).unref()
    const nothing = (): void => {}
    const deaf = {
      profile: NO_PROFILE,
      principal: () => principal,
      client: () => undefined,
      oneClient: () => false,
      onUpdated: nothing,
      onGap: nothing,
    }
    this.#connector
      .open(era, { ...this.#context, ...deaf }, signal)
      .then(async (leg) => {
        this.#eras.learn(era, true)
        await leg.close()
      })
      .catch(() => {})
      .finally(() => clearTimeout(timer))
  }

  #isShared(era: Era): boolean {
    const { sharing } = this.#spec
    if (this.perCaller) return false
    if (sharing !== undefined) return sharing === 'shared'
    return !isProcess(this.#spec) && (era === 'modern' || this.#httpKeepsState === false)
  }
}

function isProcess({ endpoint }: BackendSpec): boolean {
  return endpoint.kind === 'stdio' || (endpoint.kind === 'container' && endpoint.transport === 'stdio')
}
