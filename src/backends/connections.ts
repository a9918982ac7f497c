import type { BackendSpec, Era } from '../model/backend.ts'
import { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import type { OwnerKey } from '../model/ids.ts'
import { GATEWAY_OWNER } from '../model/ids.ts'
import { createConnector } from './connector.ts'
import { EraKnowledge } from './eras.ts'
import type { Connector, Leg, LegContext } from './leg.ts'
import { OwnLists } from './own-lists.ts'
import type { PoolSettings, Slot } from './pool.ts'
import { LegPool } from './pool.ts'

/** How long the search for a second era may take; nobody waits for it. */
const SECOND_ERA_MS = 10_000

const NO_CONNECTOR: Connector = {
  open: async () => {
    throw new GatewayError('BACKEND_UNREACHABLE', 'its configuration is at fault')
  },
  close: async () => {},
}

/** The connections of one backend: which one serves whom, in which era. */
export class Connections {
  readonly pool: LegPool
  readonly ownLists: OwnLists
  readonly #spec: BackendSpec
  readonly #context: LegContext
  readonly #connector: Connector
  readonly #eras: EraKnowledge
  /** Learnt from the first legacy session over HTTP. */
  #httpKeepsState: boolean | undefined

  /** `onOwnChange` is told when what one owner's connection offers has changed. */
  constructor(spec: BackendSpec, settings: PoolSettings, context: LegContext, onOwnChange: (owner: OwnerKey) => void) {
    this.#spec = spec
    this.#context = context
    // A spec that is at fault may hold anything for an address.
    this.#connector = spec.fault ? NO_CONNECTOR : createConnector(spec.endpoint)
    this.#eras = new EraKnowledge(spec)
    this.ownLists = new OwnLists(onOwnChange, (message) =>
      context.telemetry.emit('backend.note', { backend: spec.id, message }),
    )
    this.pool = new LegPool(settings, Date.now, (slot) => this.ownLists.drop(slot.owner))
  }

  /** The connection for a call. Throws `BACKEND_BUSY` when every one is in use. */
  slotFor(caller: Era, owner: OwnerKey): Slot {
    if (this.#eras.isUntried(caller)) this.#trySecondEra(caller)
    const era = this.#eras.serving(caller)
    const holder = this.#isShared(era) ? GATEWAY_OWNER : owner
    const slot = this.pool.find(era, holder)
    if (slot && !slot.leg?.closed) return slot
    const adopted = holder !== GATEWAY_OWNER && this.#spec.endpoint.kind !== 'http' && this.pool.adopt(era, holder)
    return adopted || this.pool.open(era, holder, (signal) => this.#open(era, signal))
  }

  /** The gateway's own connection, opened when there is none. */
  async own(signal: Cancellation): Promise<{ slot: Slot; fresh: boolean }> {
    const known = this.pool.owned(GATEWAY_OWNER).find((slot) => slot.leg && !slot.leg.closed)
    if (known) return { slot: known, fresh: false }
    const leg = await this.#open(this.#eras.forListing, signal)
    // A call of a shared backend may have opened one meanwhile: two would be one too many.
    const rival = this.pool.find(leg.era, GATEWAY_OWNER)
    if (rival && !rival.leg?.closed) {
      await leg.close()
      await rival.opening
      return { slot: rival, fresh: false }
    }
    return { slot: this.pool.add(leg, GATEWAY_OWNER), fresh: true }
  }

  /** What was learnt of the server may no longer be true. */
  forgetEras(): void {
    this.#eras.forget()
  }

  async close(): Promise<void> {
    await this.pool.close()
    await this.#connector.close()
  }

  async #open(era: Era | 'auto', signal: Cancellation): Promise<Leg> {
    let opened: Leg | undefined
    const onListChanged = (): void => {
      const slot = opened && this.pool.slotOf(opened)
      if (slot && slot.owner !== GATEWAY_OWNER) this.ownLists.announced(slot)
      // What changed for one may have changed for all.
      this.#context.onListChanged()
    }
    const leg = await this.#connector.open(era, { ...this.#context, onListChanged }, signal)
    opened = leg
    this.#eras.opened(era, leg.era)
    if (leg.era === 'legacy') this.#httpKeepsState = leg.keepsState
    return leg
  }

  /** Whether the server also speaks the caller's era is found out beside the call, never in its way. */
  #trySecondEra(era: Era): void {
    this.#eras.learn(era, false)
    const signal = new Cancellation()
    const late = new GatewayError('BACKEND_UNREACHABLE', 'no answer to the search for a second era')
    const timer = setTimeout(() => signal.cancel(late), SECOND_ERA_MS).unref()
    this.#connector
      .open(era, this.#context, signal)
      .then(async (leg) => {
        this.#eras.learn(era, true)
        await leg.close()
      })
      .catch(() => {})
      .finally(() => clearTimeout(timer))
  }

  #isShared(era: Era): boolean {
    const { sharing, endpoint } = this.#spec
    if (sharing !== undefined) return sharing === 'shared'
    const isProcess = endpoint.kind === 'stdio' || (endpoint.kind === 'container' && endpoint.transport === 'stdio')
    return !isProcess && (era === 'modern' || this.#httpKeepsState === false)
  }
}
