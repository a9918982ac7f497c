import { isDeepStrictEqual } from 'node:util'
import type { Backend } from '../backends/backend.ts'
import type { Apart } from '../backends/offer/apart.ts'
import type { Lock } from '../aggregation/pinning/lock.ts'
import type { PolicySet } from '../auth/policy/set.ts'
import type { BackendLeases } from '../backends/leases.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import type { Call, Caller, ClientPort, Context, Core, EntryCall } from '../model/call.ts'
import type { Catalogue } from '../model/catalogue.ts'
import { backendOf } from '../model/catalogue.ts'
import type { BackendId, OwnerKey } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import type { Sealer } from '../protocol/sealed.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { compose } from './compose.ts'
import type { Outbound, SharedCredentials } from './outbound.ts'
import { ownerOf } from './extensions/owner.ts'
import { dispatcher } from './dispatch.ts'
import type { BucketStore } from './limits/buckets.ts'
import type { LinkMemory } from './catalogue/link-memory.ts'
import { DefinitionGuard, type DefinitionNews } from './catalogue/definition-guard.ts'
import { Resolver } from './catalogue/resolve.ts'
import { CatalogueKeeper } from './catalogue/keeper.ts'
import { Composites } from './workflows/composites.ts'
import type { RunTasks } from './tasks/runs/run-tasks.ts'
import type { Runs } from './workflows/runs.ts'
import { PolicyGate } from './policy/gate.ts'
import type { Parking } from './questions/parking.ts'
import { goesOn } from './questions/request-state.ts'
import type { TaskIds } from './tasks/task-ids.ts'
import { authorizeLayer } from './layers/authorize.ts'
import { consentLayer } from './layers/consent.ts'
import { deadlineLayer } from './layers/deadline.ts'
import { callerLimitLayer, toolLimitLayer } from './layers/limits.ts'
import { Tally, observeLayer } from './layers/observe.ts'

export interface GenerationParts {
  leases: BackendLeases
  identity: Identity
  telemetry: Telemetry
  /** What outlives a generation. */
  lasting: Pick<Core, 'watch' | 'watchTasks'>
  clientOf: (owner: OwnerKey) => ClientPort | undefined
  parking: Parking
  sealer: () => Sealer
  outbound: Outbound
  links: LinkMemory
  taskIds: TaskIds
  buckets: BucketStore
  runs: Runs
  runTasks: RunTasks
  policies: PolicySet | undefined
  /** Definitions that were approved. Absent: all are. */
  lock: Lock | undefined
  news: DefinitionNews
  /** The generation that this one replaces. */
  previous: Generation | undefined
  /** Told when the lists of this generation change. With `apart`: only what they see has. */
  onChange: (before: Catalogue, after: Catalogue, apart?: Apart) => void
}

/** One configuration, alive: its backends, its catalogue, and the core composed over them. */
export class Generation {
  readonly config: GatewayConfig
  readonly backends: readonly Backend[]
  readonly keeper: CatalogueKeeper
  readonly composites: Composites
  readonly core: Core
  /** Whatever policies let this caller see of a catalogue. */
  readonly shownOf: (catalogue: Catalogue, caller: Caller) => Catalogue | Promise<Catalogue>
  /** Backends that were already running. */
  readonly kept: number
  /** Whether this caller may use a composite tool in this way. One that is no longer configured is forbidden to nobody. */
  readonly mayRun: (workflow: string, args: JsonObject, caller: Caller) => boolean
  /** What a resource leads to for this caller. */
  readonly seatOf: (uri: string, caller: Caller) => Backend | undefined
  /** What its backends are shown of their callers. */
  readonly credentials: SharedCredentials
  readonly #leases: BackendLeases
  readonly #keys: string[] = []
  readonly #outbound: Outbound
  /** Backends that were not running, until they are started. */
  readonly #fresh: Backend[]
  readonly #tally = new Tally()
  #returned = false

  constructor(config: GatewayConfig, parts: GenerationParts) {
    const { leases, identity, telemetry, previous, taskIds } = parts
    this.config = config
    this.#leases = leases
    this.#outbound = parts.outbound
    this.credentials = parts.outbound.acquire(config)
    const options = {
      identity,
      telemetry,
      maxMessageBytes: config.door.maxMessageBytes,
      pool: config.sessions,
      failure: config.failure,
      clientOf: parts.clientOf,
      tasksOf: (id: BackendId) => taskIds.namesOf(id),
      credentials: this.credentials,
    }
    try {
      const leased = config.backends.map((spec) => {
        const lease = leases.acquire(spec, options)
        this.#keys.push(lease.key)
        return lease
      })
      this.backends = leased.map(({ backend }) => backend)
      this.kept = leased.filter(({ fresh }) => !fresh).length
      this.composites = new Composites(config.compositeTools, config.workflows.limits)
      this.keeper = new CatalogueKeeper({
        backends: this.backends.filter(({ spec }) => !spec.disabled),
        settings: config.aggregation,
        telemetry,
        guard: new DefinitionGuard(parts.lock, parts.news),
        composites: this.composites,
        version: (previous?.keeper.catalogue.version ?? 0) + 1,
        claims: previous && namesAlike(previous.config, config) ? previous.keeper.claims : undefined,
        onChange: parts.onChange,
      })
      const { keeper } = this
      const byId = new Map<BackendId, Backend>(this.backends.map((backend) => [backend.spec.id, backend]))
      const served = this.backends.filter(({ spec }) => !spec.disabled)
      const resolver = new Resolver(keeper, served, parts.links, config.aggregation)
      const { lasting, parking, links } = parts
      const { vendorMethods: methods, timeouts, limits } = config
      const gate = parts.policies && new PolicyGate(parts.policies, telemetry)
      this.shownOf = (catalogue, { principal }) => gate?.view(catalogue, principal) ?? catalogue
      const dispatch = dispatcher({
        keeper,
        resolver,
        backends: byId,
        lasting,
        gate,
        parking,
        links,
        toolCalls: { ids: taskIds, ttlMs: timeouts.maxMs },
        beyond: {
          keeper,
          tasks: { backends: byId, ids: taskIds, links },
          runTasks: parts.runTasks,
          skills: { backends: served, resolver, links, maySee: gate && ((...asked) => gate.maySee(...asked)) },
          vendor: { backends: byId, methods, parking },
        },
        composites: { runs: parts.runs, tasks: parts.runTasks, sealer: parts.sealer },
      })
      const has = (call: EntryCall, caller: Caller) => {
        const entry = resolver.now(call, caller)
        return entry !== undefined && (gate?.allows(entry, call, caller) ?? true)
      }
      this.mayRun = (workflow, args, caller) => {
        const name = this.composites.names.get(workflow)
        const call = name !== undefined && ({ kind: 'tool', name, params: { name, arguments: args } } as const)
        const entry = call && resolver.now(call, caller)
        return !gate || !entry || gate.allows(entry, call, caller)
      }
      const waits = (call: Call, context: Context): boolean => goesOn(parts.sealer(), call, context)
      const { reserved } = this.composites
      const keepsOwnTime = (call: Call, { step }: Context): boolean =>
        step?.ownTimeout === true || (call.kind === 'tool' && reserved.has(call.name))
      this.core = compose(dispatch, [
        observeLayer(telemetry, this.#tally),
        deadlineLayer(timeouts, (call, context) => ownerOf(call, context, resolver, taskIds, methods), keepsOwnTime),
        ...(limits.perUser ? [callerLimitLayer(limits, parts.buckets, waits)] : []),
        ...(gate ? [authorizeLayer(gate)] : []),
        ...(limits.shared || limits.tools.size > 0 ? [toolLimitLayer(limits, parts.buckets, waits, has)] : []),
        consentLayer(parts.sealer),
      ])
      this.seatOf = (uri, caller) => {
        const entry = resolver.now({ kind: 'resource', uri, params: {} }, caller)
        const owner = entry && backendOf(entry)
        return owner === undefined ? undefined : byId.get(owner)
      }
      this.#fresh = leased.filter(({ fresh }) => fresh).map(({ backend }) => backend)
    } catch (error) {
      this.#giveBack()
      throw error
    }
  }

  /** Connects to the backends that were not running. */
  start(): void {
    this.keeper.tellComposites()
    for (const backend of this.#fresh.splice(0)) backend.start()
  }

  notify(owner: OwnerKey, method: string, params: JsonObject): void {
    for (const backend of this.backends) backend.notify(owner, method, params)
  }

  setLogLevel(owner: OwnerKey, level: string): void {
    for (const backend of this.backends) backend.setLogLevel(owner, level)
  }

  releaseOwner(owner: OwnerKey): void {
    for (const backend of this.backends) backend.release(owner).catch(() => {})
  }

  /**
   * Lets running calls finish for at most `graceMs`, then gives the backends back. Whether all calls finished.
   * May be called again with a shorter grace.
   */
  async retire(graceMs: number): Promise<boolean> {
    this.keeper.close()
    const finished = await this.#tally.idleWithin(graceMs)
    this.#giveBack()
    return finished
  }

  #giveBack(): void {
    if (this.#returned) return
    this.#returned = true
    for (const key of this.#keys.splice(0)) this.#leases.release(key)
    this.#outbound.release(this.credentials)
  }
}

/** Whether shown names come out the same, so that those which are settled stay with their backends. */
function namesAlike(a: GatewayConfig, b: GatewayConfig): boolean {
  const served = ({ backends }: GatewayConfig): BackendId[] =>
    backends.filter(({ disabled }) => !disabled).map(({ id }) => id)
  const composites = ({ compositeTools }: GatewayConfig): string[] => compositeTools.map(({ name }) => name)
  return (
    isDeepStrictEqual(a.aggregation, b.aggregation) &&
    isDeepStrictEqual(served(a), served(b)) &&
    isDeepStrictEqual(composites(a), composites(b))
  )
}
