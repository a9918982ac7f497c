import { diffCatalogues } from '../aggregation/diff.ts'
import { BackendLeases } from '../backends/leases.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import type { Change, Core } from '../model/call.ts'
import type { OwnerKey } from '../model/ids.ts'
import { Sealer } from '../protocol/sealed.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { Generation } from './generation.ts'

/** How long calls of an old generation may go on after a reload. */
const RETIRE_GRACE_MS = 60_000

/** The gateway behind its doors: one current generation, swapped whole. */
export class Gateway {
  readonly identity: Identity
  readonly telemetry: Telemetry
  readonly sealer: Sealer
  readonly startedAt = Date.now()
  /** What doors call. It follows the current generation. */
  readonly core: Core
  readonly #leases = new BackendLeases()
  readonly #watchers = new Set<{ owner: OwnerKey; listener: (change: Change) => void }>()
  readonly #retiring = new Set<Promise<boolean>>()
  #current: Generation

  constructor(config: GatewayConfig, identity: Identity, telemetry: Telemetry) {
    this.identity = identity
    this.telemetry = telemetry
    this.sealer = new Sealer(config.sealingKeys)
    this.core = {
      catalogue: (context) => this.#current.core.catalogue(context),
      invoke: (call, context) => this.#current.core.invoke(call, context),
      watch: ({ owner }, listener) => {
        const watcher = { owner, listener }
        this.#watchers.add(watcher)
        return () => this.#watchers.delete(watcher)
      },
    }
    this.#current = this.#generation(config, undefined)
  }

  get current(): Generation {
    return this.#current
  }

  /** Swaps in a generation built from `config`. Unchanged backends carry over; running calls finish where they are. */
  reload(config: GatewayConfig): void {
    const old = this.#current
    const next = this.#generation(config, old)
    this.#current = next
    const retiring = old.retire(RETIRE_GRACE_MS).finally(() => this.#retiring.delete(retiring))
    this.#retiring.add(retiring)
    this.telemetry.emit('config.reloaded', { backends: next.backends.length, kept: next.kept })
    this.#announce(diffCatalogues(old.keeper.catalogue, next.keeper.catalogue))
  }

  /** A client is gone for good: what is open upstream in its name is closed. */
  release(owner: OwnerKey): void {
    this.#current.releaseOwner(owner)
  }

  /** Ends every backend after running calls have had `graceMs`. Whether nothing was cut short. */
  async close(graceMs: number): Promise<boolean> {
    const finished = await this.#current.retire(graceMs)
    await this.#leases.closeAll()
    return finished
  }

  #generation(config: GatewayConfig, previous: Generation | undefined): Generation {
    const generation: Generation = new Generation(config, {
      leases: this.#leases,
      identity: this.identity,
      telemetry: this.telemetry,
      watch: (caller, listener) => this.core.watch(caller, listener),
      previous,
      onChange: (change, owner) => {
        if (generation === this.#current) this.#announce(change, owner)
      },
    })
    return generation
  }

  /** `only`: nobody else sees what has changed. */
  #announce(change: Change, only?: OwnerKey): void {
    if (!change.tools && !change.prompts && !change.resources) return
    for (const { owner, listener } of this.#watchers) if (only === undefined || owner === only) listener(change)
  }
}
