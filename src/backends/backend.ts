import type { BackendSpec, BackendState, Era, Health, NativeLists } from '../model/backend.ts'
import type { Caller, ClientPort } from '../model/call.ts'
import type { ListKind } from '../model/catalogue.ts'
import { Cancellation } from '../model/cancellation.ts'
import type { Credential } from '../model/credential.ts'
import { ConsentNeeded } from '../model/credential.ts'
import type { ErrorCode } from '../model/errors.ts'
import { GatewayError } from '../model/errors.ts'
import type { BackendId, OwnerKey } from '../model/ids.ts'
import { GATEWAY_OWNER } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import { principalKey } from '../model/principal.ts'
import { NO_PROFILE } from '../model/profile.ts'
import { withSignIn } from '../model/sign-in.ts'
import type { FailureSettings } from '../model/settings.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { Breaker } from './breaker.ts'
import { Connections } from './connections/connections.ts'
import { HealthChecks } from './health-checks.ts'
import type { Reply, TaskNames, UpstreamRequest } from './leg.ts'
import { EraChanged, SessionLost, forgetfulServer } from './leg.ts'
import { isOutdated, mayHaveChanged } from './offer/lists-age.ts'
import type { Listing } from './offer/lists.ts'
import { fetchLists } from './offer/lists.ts'
import type { PoolSettings, Slot } from './connections/pool.ts'
import type { Apart, Audience } from './offer/apart.ts'
import { AudienceLists } from './offer/audience-lists.ts'
import type { UpdateListener } from './following/subscriptions.ts'
import { Subscriptions } from './following/subscriptions.ts'
import { Supervisor } from './supervisor.ts'
import { isTurnedAway } from './turned-away.ts'

export interface BackendOptions {
  identity: Identity
  telemetry: Telemetry
  maxMessageBytes: number
  pool: PoolSettings
  failure: FailureSettings
  /** The legacy client that is behind an owner, while its session lives. */
  clientOf: (owner: OwnerKey) => ClientPort | undefined
  tasksOf: (backend: BackendId) => TaskNames
  credentials: CredentialSource
}

/** Where credentials come from. */
export interface CredentialSource {
  /** Another one where they would be others. */
  readonly key: string
  /** What a backend is shown of its callers. `undefined`: nothing besides fixed headers. */
  for: (spec: BackendSpec) => Credential | undefined
}

/** One upstream server, called over the right connection. It costs only itself when it fails. */
export class Backend {
  readonly spec: BackendSpec
  readonly #connections: Connections
  readonly #supervisor: Supervisor
  readonly #health: HealthChecks
  readonly #credential: Credential | undefined
  readonly #breaker: Breaker
  readonly #audienceLists: AudienceLists
  readonly #subscriptions: Subscriptions
  readonly #apartListeners = new Set<(apart: Apart) => void>()
  readonly #unsubscribe: (() => void) | undefined
  readonly #note: (message: string) => void
  #toldAway: string | undefined

  constructor(spec: BackendSpec, options: BackendOptions) {
    const { identity, telemetry, maxMessageBytes, failure, clientOf, tasksOf } = options
    const tell = (apart: Apart): void => {
      for (const listener of this.#apartListeners) listener(apart)
    }
    this.spec = spec
    this.#note = (message) => telemetry.emit('backend.note', { backend: spec.id, message })
    const credential = options.credentials.for(spec)
    this.#credential = credential
    this.#breaker = new Breaker(failure.circuitBreaker)
    this.#connections = new Connections(
      spec,
      options.pool,
      {
        backend: spec.id,
        credential,
        identity,
        telemetry,
        maxMessageBytes,
        clientOf,
        tasks: tasksOf(spec.id),
        onListChanged: () => this.#onListChanged(),
        onUpdated: (leg, params) => this.#subscriptions.updated(leg, params),
        onGap: (leg) => this.#subscriptions.gap(leg),
        onGone: (leg) => this.#subscriptions.lost(leg),
        onLost: (error) => this.#supervisor.onLost(error),
        listsFor: (audience) => this.#audienceLists.get(this.#known(audience)) ?? this.lists,
        relisted: () => this.#relisted(),
      },
      tell,
    )
    this.#subscriptions = new Subscriptions({
      slotFor: (caller) => this.#connections.slotForCall(caller),
      isReady: () => this.state.kind === 'ready',
      onFault: (slot, error) => this.#onFault(slot, error),
    })
    this.#audienceLists = new AudienceLists({
      audienceOf: (caller) => this.#audienceOf(caller),
      fetch: (caller) => this.#listFor(caller),
      base: () => this.lists,
      closed: ({ code }) => (code === 'CONSENT_NEEDED' ? withSignIn(spec.id, this.lists) : undefined),
      onAway: (why) => this.#tellAway(why),
      onChange: tell,
      max: this.perCaller ? MAX_PRINCIPALS : MAX_PROFILES,
    })
    this.#supervisor = new Supervisor(spec, this.#connections, telemetry, {
      onRecovery: () => {
        this.#breaker.succeeded()
        this.#subscriptions.wake()
      },
      onNewLists: ({ at }) => this.#audienceLists.invalidate(at),
      listen: (leg) => void leg.listen(this.#subscriptions.listenedOn(leg)),
    })
    this.#unsubscribe = credential?.subscribe((principal) => this.#onCredential(principal))
    this.#health = new HealthChecks(this.#connections.pool, this.#supervisor, spec.endpoint.kind, failure)
  }

  start(): void {
    this.#supervisor.start()
    if (!this.spec.disabled && !this.spec.fault) this.#health.start()
  }

  /** Calls the listener after every change of `state` or `lists`, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    return this.#supervisor.subscribe(listener)
  }

  /** The same for what only some callers see. */
  subscribeApart(listener: (apart: Apart) => void): () => void {
    this.#apartListeners.add(listener)
    return () => this.#apartListeners.delete(listener)
  }

  get state(): BackendState {
    return this.#supervisor.state
  }

  /** Last lists that it gave; kept while it is away. */
  get lists(): NativeLists | undefined {
    return this.#supervisor.listing?.lists
  }

  /** What it offers to some callers and not to everybody. */
  listsApart(apart: Apart): NativeLists | undefined {
    const { owner } = apart
    return (owner && this.#connections.ownLists.get(owner)) ?? this.#audienceLists.get(this.#known(apart))
  }

  /** Each principal may see something else: callers show the server something of their own. */
  get perCaller(): boolean {
    return this.#connections.perCaller
  }

  /** Where what they see comes from. */
  listingFor(apart: Apart): Listing | undefined {
    const { owner } = apart
    const { ownLists } = this.#connections
    const shared = this.#audienceLists.listing(this.#known(apart)) ?? this.#supervisor.listing
    const own = owner && ownLists.listing(owner)
    return own && (ownLists.get(owner) || !shared || own.at > shared.at) ? own : shared
  }

  /** Whom it offers something of their own. */
  get apart(): Apart[] {
    return [...this.#connections.ownLists.apart, ...this.#audienceLists.apart]
  }

  /** Finds out what it offers to this caller. `undefined`: that is known. */
  prepare(caller: Caller): Promise<void> | undefined {
    if (this.state.kind !== 'ready' || !this.#connections.listsApart(caller)) return undefined
    return this.#audienceLists.prepare(caller)
  }

  /** Whether it did not let this caller in when it was last asked. */
  turnsAway(caller: Caller): boolean {
    const why = this.perCaller ? this.#audienceLists.away(this.#audienceOf(caller)) : this.#supervisor.closed
    return why !== undefined
  }

  /** Goes in as this caller, who may have signed in by now. Throws `CONSENT_NEEDED` while it has not. */
  async enter(caller: Caller, signal: Cancellation): Promise<void> {
    try {
      if (this.perCaller) {
        await this.#audienceLists.enter(caller)
      } else {
        await this.#supervisor.relist(signal)
        if (this.#supervisor.closed) throw this.#supervisor.closed
      }
    } catch (error) {
      throw this.#named(error)
    }
  }

  /** Has it asked anew beside this caller, when what they see has passed its time and nobody would tell of a change. */
  freshen(caller: Caller): void {
    const now = performance.now()
    this.#relistFor(caller, new Cancellation(), (listing) => isOutdated(listing, now))?.catch(() => {})
  }

  /**
   * For a caller who names what is not listed: asks anew what there is. `undefined`: a change would have been announced,
   * or it was asked for just now. Resolves after 2 s at most.
   */
  lookAgain(caller: Caller, kind: ListKind, signal: Cancellation): Promise<void> | undefined {
    const now = performance.now()
    const asked = this.#relistFor(caller, signal, (listing) => mayHaveChanged(listing, kind, now))
    return asked && withinMs(asked, LOOK_AGAIN_MS, signal)
  }

  /** The era in which a caller of `era` is served, as far as that is known. */
  servingEra(era: Era): Era {
    return this.#connections.servingEra(era)
  }

  get reachable(): boolean {
    return this.state.kind === 'ready'
  }

  get health(): Health {
    // Its users are let in.
    if (this.#supervisor.unauthenticated && !this.perCaller) return 'unauthenticated'
    switch (this.state.kind) {
      case 'ready': {
        const misses = this.#connections.pool.live().some(({ missed }) => missed > 0)
        const shaky = misses || this.#breaker.state !== 'closed' || this.#audienceLists.lacking
        return shaky ? 'degraded' : 'healthy'
      }
      case 'failing':
        return 'unhealthy'
      case 'connecting':
      case 'disabled':
        return 'unknown'
    }
  }

  /** Revision that the backend was last reached with. */
  get revision(): string | undefined {
    return this.state.kind === 'ready' ? (this.state.legs.modern ?? this.state.legs.legacy) : undefined
  }

  /**
   * One request in the caller's own era where the server speaks it, over the owner's connection.
   * Throws what `Leg.request` throws, named, and `BACKEND_UNREACHABLE` at once while the backend is away.
   */
  async call(received: UpstreamRequest): Promise<Reply> {
    const request = this.spec.sharing === 'shared' ? nobodys(received) : received
    try {
      if (this.state.kind !== 'ready') await this.#supervisor.revive(request.signal)
      if (!this.#breaker.admit()) throw resting()
    } catch (error) {
      throw this.#named(error, true)
    }
    try {
      let reply: Reply
      try {
        reply = await this.#callOnce(request)
      } catch (error) {
        // The server did not run the request: a new session may.
        if (error instanceof EraChanged && isNew(request)) await this.#supervisor.relist(request.signal)
        else if (!(error instanceof SessionLost)) throw error
        // It may have been found to be away meanwhile, and another server to stand in its place.
        if (this.state.kind !== 'ready') await this.#supervisor.revive(request.signal)
        reply = await this.#callOnce(request)
      }
      this.#breaker.succeeded()
      return reply
    } catch (error) {
      throw this.#named(this.#judge(error, request))
    }
  }

  /**
   * A request that stays open while its caller listens. Whether it stands says nothing about calls: the breaker is not
   * asked, and not told. Throws as `call` does.
   */
  async listen(received: UpstreamRequest): Promise<void> {
    try {
      if (this.state.kind !== 'ready') await this.#supervisor.revive(received.signal)
      await this.#callOnce(this.spec.sharing === 'shared' ? nobodys(received) : received)
    } catch (error) {
      throw this.#named(error instanceof SessionLost ? forgetfulServer() : error)
    }
  }

  /**
   * Has the listener told of changes of a resource, from when this resolves until the returned function is called, with
   * the params of `notifications/resources/updated`; after a gap too, in which something may have changed. Throws what
   * `Subscriptions.follow` throws, named, and `BACKEND_UNREACHABLE` while the backend is away.
   */
  async follow(caller: Caller, uri: string, listener: UpdateListener): Promise<() => void> {
    try {
      if (this.state.kind !== 'ready') await this.#supervisor.revive(new Cancellation())
      return await this.#subscriptions.follow(caller, uri, listener)
    } catch (error) {
      throw this.#named(error instanceof SessionLost ? forgetfulServer() : error)
    }
  }

  /** Tries to reach a backend that is away. Throws `BACKEND_UNREACHABLE`, with cause and way out. */
  async wake(signal: Cancellation): Promise<void> {
    try {
      await this.#supervisor.revive(signal)
    } catch (error) {
      throw this.#named(error)
    }
  }

  /** Asks anew what it offers. */
  async relist(signal: Cancellation): Promise<void> {
    this.#audienceLists.invalidate()
    await this.#supervisor.relist(signal)
  }

  /** A client has left: its connection goes. */
  async release(owner: OwnerKey): Promise<void> {
    await this.#connections.pool.dropOwner(owner)
  }

  /** Ends every connection and process. */
  async close(): Promise<void> {
    this.#health.stop()
    this.#unsubscribe?.()
    this.#credential?.close()
    this.#subscriptions.close()
    await this.#supervisor.close()
    await this.#connections.close()
  }

  /** What the server said of itself on the connection that this caller has for itself. `undefined`: it has none. */
  ownCapabilities(caller: Caller): JsonObject | undefined {
    return this.#connections.ownSlot(caller)?.leg?.capabilities
  }

  /** A notification of a legacy client to the legacy servers that it alone uses. */
  notify(owner: OwnerKey, method: string, params: JsonObject): void {
    for (const { leg } of this.#connections.pool.owned(owner)) leg?.notify(method, params)
  }

  /** How much the servers that this client has for itself are to write. */
  setLogLevel(owner: OwnerKey, level: string): void {
    for (const { leg } of this.#connections.pool.owned(owner)) leg?.setLogLevel(level)
  }

  #onListChanged(): void {
    this.#audienceLists.invalidate()
    this.#supervisor.refreshSoon()
  }

  /** A principal has got something to show, or has lost it. */
  #onCredential(principal: string | undefined): void {
    if (this.perCaller) void this.#audienceLists.relist(principal)
    else this.#supervisor.refreshSoon()
  }

  #audienceOf({ profile, principal }: Pick<Caller, 'profile' | 'principal'>): Audience {
    return this.#known({ profile: profile.key, principal: principalKey(principal) })
  }

  /** As far as this server tells callers apart. */
  #known({ profile, principal }: Audience): Audience {
    return this.perCaller && principal !== undefined ? { profile, principal } : { profile }
  }

  /** Asks anew for those lists that are due, over the connection that they come from. `undefined`: none is. */
  #relistFor(caller: Caller, signal: Cancellation, isDue: (listing: Listing) => boolean): Promise<void> | undefined {
    if (this.state.kind !== 'ready') return undefined
    const base = this.#supervisor.listing
    const { ownLists, canRelist } = this.#connections
    const { owner } = caller
    const audience = this.#audienceOf(caller)
    const slot = this.#connections.ownSlot(caller)
    if (ownLists.get(owner) || !canRelist) {
      const known = this.listingFor({ owner, ...audience })
      return slot && known && isDue(known) ? ownLists.refresh(slot) : undefined
    }
    const relisted = base && isDue(base) ? this.#supervisor.relist(signal, LOOK_AGAIN_MS) : undefined
    // No process is started for it.
    const canAsk = (slot || this.spec.endpoint.kind === 'http') && this.#connections.listsApart(caller)
    const apart = canAsk ? this.#audienceLists.listing(audience) : undefined
    if (!apart || !isDue(apart)) return relisted
    // What everybody sees comes first: it is compared with that.
    return Promise.resolve(relisted).then(() => this.#audienceLists.refresh(caller))
  }

  async #listFor(caller: Caller): Promise<Listing> {
    const signal = new Cancellation()
    const late = new GatewayError('BACKEND_UNREACHABLE', 'no answer to a list request')
    const timer = setTimeout(() => signal.cancel(late), LIST_LIMIT_MS).unref()
    try {
      await this.#acquaint(caller, signal)
      return await this.#listOver(this.#connections.slotFor(caller), caller, signal)
    } finally {
      clearTimeout(timer)
    }
  }

  /** What the gateway itself could not find out about a server that lets only its users in. */
  #acquaint(caller: Caller, signal: Cancellation): Promise<void> | undefined {
    return this.perCaller || this.#supervisor.closed ? this.#connections.acquaint(caller, signal) : undefined
  }

  /** Once for each cause. */
  #tellAway({ code, message }: GatewayError): void {
    if (code !== 'CREDENTIAL_UNAVAILABLE' || this.#toldAway === message) return
    this.#toldAway = message
    this.#note(`${VERDICTS[code]}: ${message}`)
  }

  async #listOver(slot: Slot, caller: Caller, signal: Cancellation): Promise<Listing> {
    slot.inflight++
    try {
      const leg = slot.leg ?? (await cancellable(slot.opening, signal))
      return await fetchLists(leg, signal, () => {}, caller)
    } finally {
      slot.inflight--
      this.#connections.pool.touch(slot)
    }
  }

  async #callOnce(request: UpstreamRequest): Promise<Reply> {
    const { pool } = this.#connections
    const acquaintance = this.#acquaint(request.caller, request.signal)
    if (acquaintance) await acquaintance
    const slot = this.#connections.slotForCall(request.caller)
    slot.inflight++
    const ended = (): void => {
      slot.inflight--
      pool.touch(slot)
    }
    try {
      const leg = slot.leg ?? (await cancellable(slot.opening, request.signal))
      // Bytes may pass only between equal eras: the door cannot translate what it does not parse.
      const reply = await leg.request(
        slot.era === request.caller.era || !request.streaming ? request : { ...request, streaming: false },
      )
      if (reply.kind === 'stream') reply.stream.onFinish(ended)
      else ended()
      return reply
    } catch (error) {
      ended()
      if (error instanceof SessionLost || error instanceof EraChanged) this.#abandon(slot, error)
      throw error
    }
  }

  /** This connection is of no use any more. */
  #abandon(slot: Slot, error: SessionLost | EraChanged): void {
    const { pool } = this.#connections
    pool.drop(slot).catch(() => {})
    if (error instanceof EraChanged) {
      this.#connections.forgetEras()
      // Another server stands there: the gateway's own connection leads nowhere either.
      for (const own of pool.owned(GATEWAY_OWNER)) pool.drop(own).catch(() => {})
    }
    if (slot.owner === GATEWAY_OWNER || error instanceof EraChanged) this.#supervisor.connect()
  }

  /** A subscription has failed. */
  #onFault(slot: Slot, error: unknown): void {
    if (error instanceof SessionLost || error instanceof EraChanged) return this.#abandon(slot, error)
    const away = error instanceof GatewayError && error.code === 'BACKEND_UNREACHABLE'
    if (away && this.spec.endpoint.kind === 'http') this.#supervisor.connect()
  }

  /** The next listing that ends, if one ends soon. */
  #relisted(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        unsubscribe()
        resolve()
      }
      const unsubscribe = this.#supervisor.subscribe(done)
      const timer = setTimeout(done, RELISTING_MS).unref()
    })
  }

  /** What a failed call says about the backend. */
  #judge(error: unknown, request: UpstreamRequest): unknown {
    if (error instanceof SessionLost) {
      this.#breaker.failed()
      this.#supervisor.connect()
      return forgetfulServer()
    }
    const code = error instanceof GatewayError ? error.code : undefined
    const givenUp = request.signal.cancelled && code !== 'DEADLINE_EXCEEDED'
    if (code === 'BACKEND_ERROR') this.#breaker.succeeded()
    else if (code === undefined || SAYS_NOTHING.has(code) || givenUp || (this.perCaller && isTurnedAway(error)))
      this.#breaker.undecided()
    else {
      this.#breaker.failed()
      // Find out whether the server is gone, before the next caller does.
      if (code !== 'DEADLINE_EXCEEDED' && this.spec.endpoint.kind === 'http') this.#supervisor.connect()
    }
    return error
  }

  /** Failures say which backend they are about. */
  #named(error: unknown, unsent = false): unknown {
    if (!(error instanceof GatewayError) || error instanceof ConsentNeeded || !Object.hasOwn(VERDICTS, error.code))
      return error
    const code = error.code as keyof typeof VERDICTS
    const extra = { cause: error, unsent: unsent || error.unsent }
    return new GatewayError(code, `backend "${this.spec.id}" ${VERDICTS[code]}: ${error.message}`, extra)
  }
}

/** Failures that say nothing about whether the server can be had. */
const SAYS_NOTHING: ReadonlySet<ErrorCode> = new Set([
  'BACKEND_BUSY',
  'CONSENT_NEEDED',
  'CREDENTIAL_UNAVAILABLE',
] as const)

/** Clients declare a handful of different capabilities; what a hostile one makes up beyond is not kept. */
const MAX_PROFILES = 50
/** Principals whose lists are kept. */
const MAX_PRINCIPALS = 5000

/** How long the owner of a connection waits for what everybody sees before its own lists are compared with that. */
const RELISTING_MS = 2000

/** How long a caller waits who names what is not listed. */
const LOOK_AGAIN_MS = 2000

/** How long a listing for one audience may take. */
const LIST_LIMIT_MS = 30_000

const VERDICTS = {
  BACKEND_UNREACHABLE: 'cannot be reached',
  BACKEND_PROTOCOL: 'broke the protocol',
  BACKEND_BUSY: 'is busy',
  CONSENT_NEEDED: 'wants its user to sign in',
  CREDENTIAL_UNAVAILABLE: 'wants a credential that cannot be had',
  DEADLINE_EXCEEDED: 'did not answer in time',
} as const

function resting(): GatewayError {
  const key = 'operational.failureHandling.circuitBreaker'
  return new GatewayError('BACKEND_UNREACHABLE', `too many calls in a row failed; it rests (key: ${key})`)
}

/** A connection that is everybody's is told of nobody's abilities, and nobody gets its log lines (contract 4). */
function nobodys(request: UpstreamRequest): UpstreamRequest {
  const { onNotification, caller } = request
  return {
    ...request,
    caller: { ...caller, profile: NO_PROFILE, logLevel: undefined },
    ask: undefined,
    onNotification: request.progress
      ? (notification) => {
          if (notification.method === 'notifications/progress') onNotification?.(notification)
        }
      : undefined,
  }
}

/** A further round of a call belongs to the server that asked in the first one (2026-07-28, multi round-trip requests). */
function isNew({ params }: UpstreamRequest): boolean {
  return params['inputResponses'] === undefined && params['requestState'] === undefined
}

/** The wait ends with the caller; the connection goes on opening for the next one. */
async function cancellable<Value>(value: Promise<Value>, signal: Cancellation): Promise<Value> {
  return new Promise((resolve, reject) => {
    signal.onCancel(reject)
    value.then(resolve, reject)
  })
}

/** Resolves with the promise, after `ms`, or when nobody waits any more. */
async function withinMs(promise: Promise<void>, ms: number, signal: Cancellation): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([
    promise,
    new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))),
    new Promise<void>((resolve) => signal.onCancel(() => resolve())),
  ])
  clearTimeout(timer)
}
