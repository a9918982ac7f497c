import { isDeepStrictEqual } from 'node:util'
import { diffCatalogues } from '../aggregation/diff.ts'
import type { Lock } from '../aggregation/pinning/lock.ts'
import type { PolicySet } from '../auth/policy/set.ts'
import { BackendLeases } from '../backends/leases.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { isAmong } from '../backends/offer/apart.ts'
import type { ClientPort, Core } from '../model/call.ts'
import type { Catalogue } from '../model/catalogue.ts'
import type { OwnerKey } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import type { SealingKey, WorkflowSettings } from '../model/settings.ts'
import { Sealer } from '../protocol/sealed.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { lazyStore } from '../workflow/store/lazy-store.ts'
import type { RunStore } from '../workflow/store/run-store.ts'
import { Follows } from './follows.ts'
import { Generation } from './generation.ts'
import type { Seen, Watcher } from './announce.ts'
import { announce } from './announce.ts'
import { Outbound } from './outbound.ts'
import { DefinitionNews } from './catalogue/definition-guard.ts'
import { LinkMemory } from './catalogue/link-memory.ts'
import { MemoryBuckets } from './limits/buckets.ts'
import { Parking } from './questions/parking.ts'
import { sealingKeysOf } from './sealing-keys.ts'
import { TaskIds } from './tasks/task-ids.ts'
import { TaskWatches } from './tasks/watches.ts'
import { RunTasks } from './tasks/runs/run-tasks.ts'
import { RunWatches } from './tasks/runs/run-watches.ts'
import { Runs } from './workflows/runs.ts'
import { chooseStore, mayHoldRuns } from './workflows/choose-store.ts'

/** How long calls of an old generation may go on after a reload. */
const RETIRE_GRACE_MS = 60_000

export interface GatewayOptions {
  /** Those of `incomingAuth.authz`, prepared. */
  policies?: PolicySet | undefined
  /** The definitions that may be shown. Absent: all. */
  lock?: Lock | undefined
  /** Where the gateway keeps what must outlive it (contract 4). Absent: nothing does. */
  stateFolder?: string | undefined
  /** Where somebody else serves the pages at which users sign in: scheme, host and port. */
  pagesAt?: string | undefined
}

/** The gateway behind its doors: one current generation, swapped whole. */
export class Gateway {
  readonly identity: Identity
  readonly telemetry: Telemetry
  readonly startedAt = Date.now()
  /** What doors call. It follows the current generation. */
  readonly core: Core
  /** Of composite tools. */
  readonly runs: Runs
  readonly #outbound: Outbound
  readonly #leases = new BackendLeases()
  readonly #watchers = new Set<Watcher>()
  readonly #reloadListeners = new Set<() => void>()
  readonly #follows = new Follows(() => this.#current)
  /** Legacy clients whose session lives. */
  readonly #clients = new Map<OwnerKey, ClientPort>()
  /** Links that callers have been shown. */
  readonly #links = new LinkMemory(() => performance.now())
  readonly #parking = new Parking(() => this.#sealer)
  readonly #taskIds = new TaskIds(() => this.#sealer)
  readonly #runTasks: RunTasks
  readonly #taskWatches: TaskWatches
  readonly #buckets = new MemoryBuckets()
  readonly #news: DefinitionNews
  readonly #stateFolder: string | undefined
  /** Replaced, with calls that still run. */
  readonly #retiring = new Set<Generation>()
  #current: Generation
  #started = false
  #sealer: Sealer
  #sealingKeys: readonly SealingKey[]
  /** Where runs lie, once there are some: until the gateway ends. */
  #storage: WorkflowSettings['storage'] | undefined

  /** Throws without policies where the configuration has some. */
  constructor(
    config: GatewayConfig,
    identity: Identity,
    telemetry: Telemetry,
    { policies, lock, stateFolder, pagesAt }: GatewayOptions = {},
  ) {
    this.#outbound = new Outbound(telemetry, stateFolder)
    this.#outbound.address = pagesAt
    this.identity = identity
    this.telemetry = telemetry
    this.#news = new DefinitionNews(telemetry)
    this.#stateFolder = stateFolder
    this.#sealingKeys = sealingKeysOf(config, stateFolder)
    this.#sealer = new Sealer(this.#sealingKeys)
    this.core = {
      catalogue: (caller, occasion) => this.#current.core.catalogue(caller, occasion),
      invoke: (call, context) => this.#current.core.invoke(call, context),
      watch: (caller, listener) => this.#current.core.watch(caller, listener),
      follow: (uri, caller, listener) => this.#follows.follow(uri, caller, listener),
      watchTasks: (...asked) => this.#current.core.watchTasks(...asked),
    }
    this.runs = new Runs({
      store: lazyStore({
        open: () => this.#openStore(),
        mayHoldRuns: () => mayHoldRuns({ ...this.#current.config.workflows, stateFolder }),
      }),
      settings: () => this.#current.config.workflows,
      telemetry,
      core: this.core,
      shownName: (workflow) => this.#current.composites.names.get(workflow),
      plan: (definition, ended, caller) => {
        const { composites, keeper } = this.#current
        return composites.plan(definition, ended, keeper.toolsFor(caller))
      },
    })
    this.#runTasks = new RunTasks({
      runs: this.runs,
      ids: this.#taskIds,
      mayUse: (...asked) => this.#current.mayRun(...asked),
    })
    this.#taskWatches = new TaskWatches(
      this.#taskIds,
      (id) => this.#current.backends.find(({ spec }) => spec.id === id),
      new RunWatches(this.#runTasks),
    )
    this.#current = this.#generation(config, undefined, policies, lock)
  }

  /** Connects to the backends. `pagesAt`: where the pages are reached at which users sign in. Doors call it. */
  start(pagesAt?: string): void {
    this.#outbound.address ??= pagesAt
    this.#started = true
    this.#current.start()
  }

  get current(): Generation {
    return this.#current
  }

  /** Whether tokens outlive the process. */
  get sealsForGood(): boolean {
    return this.#sealingKeys.length > 0
  }

  get sealer(): Sealer {
    return this.#sealer
  }

  /**
   * Swaps in a generation built from `config`. Unchanged backends carry over; running calls finish where they are.
   * Throws when it cannot be built; the current one then goes on.
   */
  reload(config: GatewayConfig, policies?: PolicySet, lock?: Lock): void {
    const old = this.#current
    const next = this.#generation(config, old, policies, lock)
    this.#current = next
    if (this.#started) next.start()
    // Equal keys, none included, keep the tokens that are on their way valid.
    const keys = sealingKeysOf(config, this.#stateFolder)
    if (!isDeepStrictEqual(keys, this.#sealingKeys)) {
      this.#sealingKeys = keys
      this.#sealer = new Sealer(keys)
    }
    this.#tellStorage()
    this.runs.replan()
    this.#retiring.add(old)
    void old.retire(RETIRE_GRACE_MS).finally(() => this.#retiring.delete(old))
    this.telemetry.emit('config.reloaded', { backends: next.backends.length, kept: next.kept })
    this.#follows.move()
    this.#follows.retry()
    const seenIn = (generation: Generation): Seen => {
      return (caller) => generation.shownOf(generation.keeper.view(caller), caller)
    }
    this.#announce(this.#watchers, seenIn(old), seenIn(next))
    for (const listener of this.#reloadListeners) listener()
  }

  /** Calls the listener after every reload, until the returned function is called. */
  onReload(listener: () => void): () => void {
    this.#reloadListeners.add(listener)
    return () => this.#reloadListeners.delete(listener)
  }

  /** A legacy client has come: backends that it has for itself may turn to it. */
  admit(owner: OwnerKey, client: ClientPort): void {
    this.#clients.set(owner, client)
  }

  /** What a legacy client tells the servers behind the gateway (that its roots have changed). */
  notify(owner: OwnerKey, method: string, params: JsonObject): void {
    this.#current.notify(owner, method, params)
  }

  /** How much the servers that one legacy client has for itself are to write. */
  setLogLevel(owner: OwnerKey, level: string): void {
    this.#current.setLogLevel(owner, level)
  }

  /** A client is gone for good: what is open upstream in its name is closed. */
  release(owner: OwnerKey): void {
    this.#clients.delete(owner)
    this.#follows.release(owner)
    this.#links.forget(owner)
    this.#current.releaseOwner(owner)
  }

  /** Ends every backend after running calls, of replaced generations too, have had `graceMs`. Whether none was cut. */
  async close(graceMs: number): Promise<boolean> {
    this.#parking.close()
    this.#follows.close()
    const generations = [this.#current, ...this.#retiring]
    const finished = await Promise.all(generations.map((generation) => generation.retire(graceMs)))
    await this.runs.close()
    await this.#leases.closeAll()
    return finished.every(Boolean)
  }

  async #openStore(): Promise<RunStore> {
    const { storage } = this.#current.config.workflows
    const store = await chooseStore({ storage, stateFolder: this.#stateFolder }, () => this.#sealingKeys)
    this.#storage = storage
    return store
  }

  /** Runs do not move while they go on. */
  #tellStorage(): void {
    const { storage } = this.#current.config.workflows
    if (!this.#storage || isDeepStrictEqual(storage, this.#storage)) return
    this.telemetry.emit('workflow-store.stays', { place: placeOf(this.#storage), wanted: placeOf(storage) })
  }

  #announce(watchers: Iterable<Watcher>, before: Seen, after: Seen): void {
    announce(watchers, before, after).catch((error: unknown) => {
      this.telemetry.emit('internal.error', { incident: 'announcing what has changed', error })
    })
  }

  #generation(
    config: GatewayConfig,
    previous: Generation | undefined,
    policies: PolicySet | undefined,
    lock: Lock | undefined,
  ): Generation {
    if (config.incomingAuth.authz?.type === 'cedar' && !policies) throw new Error('the policies were not prepared')
    const generation: Generation = new Generation(config, {
      leases: this.#leases,
      identity: this.identity,
      telemetry: this.telemetry,
      lasting: {
        watch: (caller, listener) => {
          const watcher = { caller, listener, ended: false }
          this.#watchers.add(watcher)
          return () => {
            watcher.ended = true
            this.#watchers.delete(watcher)
          }
        },
        watchTasks: (ids, caller, listener, flow) => this.#taskWatches.watch(ids, caller, listener, flow),
      },
      clientOf: (owner) => this.#clients.get(owner),
      parking: this.#parking,
      sealer: () => this.#sealer,
      outbound: this.#outbound,
      links: this.#links,
      taskIds: this.#taskIds,
      buckets: this.#buckets,
      runs: this.runs,
      runTasks: this.#runTasks,
      policies,
      lock,
      news: this.#news,
      previous,
      onChange: (before, after, apart) => {
        if (generation !== this.#current) return
        this.runs.replan()
        if (diffCatalogues(before, after).resources) this.#follows.retry()
        const concerned = [...this.#watchers].filter(({ caller }) => !apart || isAmong(apart, caller))
        const seenIn = (catalogue: Catalogue): Seen => {
          return (caller) => generation.shownOf(catalogue, caller)
        }
        this.#announce(concerned, seenIn(before), seenIn(after))
      },
    })
    return generation
  }
}

const placeOf = ({ provider, path }: WorkflowSettings['storage']): string => path ?? provider
