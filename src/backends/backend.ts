import type { BackendFault, BackendSpec, BackendState, Era, Health, NativeLists } from '../model/backend.ts'
import { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import type { OwnerKey } from '../model/ids.ts'
import { GATEWAY_OWNER } from '../model/ids.ts'
import type { FailureSettings } from '../model/settings.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { Breaker } from './breaker.ts'
import { createConnector } from './connector.ts'
import { HttpRefusal } from './http/refusal.ts'
import type { Connector, Leg, LegContext, Reply, UpstreamRequest } from './leg.ts'
import { SessionLost } from './leg.ts'
import { fetchLists } from './lists.ts'
import type { PoolSettings, Slot } from './pool.ts'
import { LegPool } from './pool.ts'

/** A backend that has said nothing for this long is named as failing; the attempt goes on. */
const PATIENCE_MS = 8000
/** One attempt to connect and list; a process may have to be downloaded first. */
const ATTEMPT_LIMIT_MS = { http: 30_000, sse: 30_000, stdio: 120_000, container: 300_000 } as const
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000
/** A connection that has held this long counts as recovered: the next failure starts with the first delay again. */
const STABLE_MS = 10_000
const LIST_DEBOUNCE_MS = 100
/** How long a call may wait for the attempt that it has caused. */
const REVIVAL_WAIT_MS = 1000

export interface BackendOptions {
  identity: Identity
  telemetry: Telemetry
  maxMessageBytes: number
  pool: PoolSettings
  failure: FailureSettings
}

/** One upstream server: connected, listed, watched, restarted, and called. It costs only itself when it fails. */
export class Backend {
  readonly spec: BackendSpec
  /** Last lists that it gave; kept while it is away. */
  lists: NativeLists | undefined
  state: BackendState
  readonly #options: BackendOptions
  readonly #listeners = new Set<() => void>()
  readonly #connector: Connector
  readonly #pool: LegPool
  readonly #breaker: Breaker
  /** What is known of the server's eras. Absent: not tried. */
  #speaks: Partial<Record<Era, boolean>>
  /** Learnt from the first legacy session over HTTP. */
  #httpKeepsState: boolean | undefined
  #attempt: { signal: Cancellation; started: number; done: Promise<void> } | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  #readySince = 0
  #refreshTimer: NodeJS.Timeout | undefined
  #healthTimer: NodeJS.Timeout | undefined
  #unauthenticated = false
  #closed = false

  constructor(spec: BackendSpec, options: BackendOptions) {
    this.spec = spec
    this.#options = options
    this.#connector = createConnector(spec.endpoint)
    this.#pool = new LegPool(options.pool)
    this.#breaker = new Breaker(options.failure.circuitBreaker)
    this.#speaks = configuredEras(spec)
    if (spec.disabled) this.state = { kind: 'disabled' }
    else if (spec.fault) this.state = { kind: 'failing', fault: spec.fault }
    else this.state = { kind: 'connecting' }
  }

  start(): void {
    if (this.state.kind === 'failing') this.#tellFailing(this.state.fault, undefined)
    if (this.state.kind !== 'connecting') return
    this.#connect()
    const { healthCheckIntervalMs } = this.#options.failure
    this.#healthTimer = setInterval(() => this.#check(), healthCheckIntervalMs).unref()
  }

  /** Calls the listener after every change of `state` or `lists`, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }

  get reachable(): boolean {
    return this.state.kind === 'ready'
  }

  get health(): Health {
    if (this.#unauthenticated) return 'unauthenticated'
    switch (this.state.kind) {
      case 'ready':
        return this.#pool.live().some(({ missed }) => missed > 0) || this.#breaker.state !== 'closed'
          ? 'degraded'
          : 'healthy'
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
  async call(era: Era, owner: OwnerKey, request: UpstreamRequest): Promise<Reply> {
    try {
      if (this.state.kind !== 'ready') await this.#revive()
    } catch (error) {
      throw this.#named(error)
    }
    if (!this.#breaker.admit()) throw this.#named(resting())
    try {
      let reply: Reply
      try {
        reply = await this.#callOnce(era, owner, request)
      } catch (error) {
        // The server forgot the session and did not run the request: a new session may.
        if (!(error instanceof SessionLost)) throw error
        reply = await this.#callOnce(era, owner, request)
      }
      this.#breaker.succeeded()
      return reply
    } catch (error) {
      throw this.#named(this.#judge(error, request))
    }
  }

  async #callOnce(era: Era, owner: OwnerKey, request: UpstreamRequest): Promise<Reply> {
    const slot = this.#slotFor(era, owner)
    slot.inflight++
    try {
      const leg = slot.leg ?? (await cancellable(slot.opening, request.signal))
      // Bytes may pass only between equal eras: the door cannot translate what it does not parse.
      return await leg.request(slot.era === era || !request.streaming ? request : { ...request, streaming: false })
    } catch (error) {
      if (error instanceof SessionLost) {
        this.#pool.drop(slot).catch(() => {})
        if (slot.owner === GATEWAY_OWNER) this.#connect()
      }
      throw error
    } finally {
      slot.inflight--
      this.#pool.touch(slot)
    }
  }

  #judge(error: unknown, request: UpstreamRequest): unknown {
    if (error instanceof SessionLost) {
      this.#breaker.failed()
      this.#connect()
      return forgetful()
    }
    if (!(error instanceof GatewayError) || error.code === 'BACKEND_ERROR' || error.code === 'BACKEND_BUSY') {
      this.#breaker.undecided()
    } else if (request.signal.cancelled && error.code !== 'DEADLINE_EXCEEDED') this.#breaker.undecided()
    else {
      this.#breaker.failed()
      // Find out whether the server is gone, before the next caller does.
      if (error.code !== 'DEADLINE_EXCEEDED' && this.spec.endpoint.kind === 'http') this.#connect()
    }
    return error
  }

  /** Failures say which backend they are about. */
  #named(error: unknown): unknown {
    if (!(error instanceof GatewayError) || !Object.hasOwn(VERDICTS, error.code)) return error
    const code = error.code as keyof typeof VERDICTS
    return new GatewayError(code, `backend "${this.spec.id}" ${VERDICTS[code]}: ${error.message}`, { cause: error })
  }

  #slotFor(era: Era, owner: OwnerKey): Slot {
    const own = this.#eraFor(era)
    const holder = this.#isShared(own) ? GATEWAY_OWNER : owner
    const slot = this.#pool.find(own, holder)
    if (slot && !slot.leg?.closed) return slot
    if (slot) this.#pool.drop(slot).catch(() => {})
    if (holder !== GATEWAY_OWNER && this.spec.endpoint.kind !== 'http') {
      const adopted = this.#pool.adopt(own, holder)
      if (adopted) return adopted
    }
    return this.#pool.open(own, holder, () => this.#open(own, new Cancellation()))
  }

  /** The caller's era, unless the server is known not to speak it. */
  #eraFor(era: Era): Era {
    if (this.#speaks[era] !== false) return this.#speaks[era] === true ? era : this.#untried(era)
    return era === 'legacy' ? 'modern' : 'legacy'
  }

  /** Whether the server also speaks the caller's era is found out beside the call, never in its way. */
  #untried(era: Era): Era {
    const other: Era = era === 'legacy' ? 'modern' : 'legacy'
    if (this.#speaks[other] !== true) return era
    this.#speaks[era] = false
    const signal = new Cancellation()
    const timer = setTimeout(() => signal.cancel(new GatewayError('DEADLINE_EXCEEDED', 'probe')), 10_000).unref()
    this.#connector
      .open(era, this.#legContext(), signal)
      .then(async (leg) => {
        this.#speaks[era] = true
        await leg.close()
      })
      .catch(() => {})
      .finally(() => clearTimeout(timer))
    return other
  }

  #isShared(era: Era): boolean {
    if (this.spec.sharing !== undefined) return this.spec.sharing === 'shared'
    if (this.spec.endpoint.kind === 'stdio') return false
    if (this.spec.endpoint.kind === 'container' && this.spec.endpoint.transport === 'stdio') return false
    return era === 'modern' || this.#httpKeepsState === false
  }

  async #open(era: Era | 'auto', signal: Cancellation): Promise<Leg> {
    const leg = await this.#connector.open(era, this.#legContext(), signal)
    this.#speaks[leg.era] = true
    if (era === 'auto' && leg.era === 'legacy') this.#speaks.modern = false
    // Another process only to learn what it also speaks would cost more than translating.
    if (leg.era === 'modern' && this.spec.endpoint.kind !== 'http') this.#speaks.legacy = false
    if (leg.era === 'legacy') this.#httpKeepsState = leg.keepsState
    return leg
  }

  #legContext(): LegContext {
    const { identity, telemetry, maxMessageBytes } = this.#options
    return {
      backend: this.spec.id,
      identity,
      telemetry,
      maxMessageBytes,
      onListChanged: () => this.#refreshSoon(),
      onLost: (error) => this.#onLost(error),
    }
  }

  /** Connects and lists. One attempt at a time; the state changes when it ends. */
  #connect(): void {
    if (this.#closed || this.#attempt || this.spec.fault || this.spec.disabled) return
    clearTimeout(this.#retry)
    const signal = new Cancellation()
    const patience = setTimeout(() => this.#losePatience(), PATIENCE_MS).unref()
    const limitMs = ATTEMPT_LIMIT_MS[this.spec.endpoint.kind]
    const limit = setTimeout(() => {
      signal.cancel(new GatewayError('BACKEND_UNREACHABLE', `no answer within ${limitMs / 1000} s`))
    }, limitMs).unref()
    const done = this.#list(signal)
      .catch((error: unknown) => this.#onFailure(error))
      .finally(() => {
        clearTimeout(patience)
        clearTimeout(limit)
        this.#attempt = undefined
      })
    this.#attempt = { signal, started: Date.now(), done }
  }

  async #list(signal: Cancellation): Promise<void> {
    const started = performance.now()
    const known = this.#pool.owned(GATEWAY_OWNER).find((slot) => slot.leg && !slot.leg.closed)
    const era = this.#speaks.modern === true ? 'modern' : this.#speaks.legacy === true ? 'legacy' : this.spec.era
    let slot = known
    if (!slot) {
      const opening = this.#open(era, signal)
      const opened = await opening
      slot = this.#pool.open(opened.era, GATEWAY_OWNER, () => opening)
      await slot.opening
    }
    slot.inflight++
    try {
      const leg = await slot.opening
      const lists = await fetchLists(leg, signal, (message) => this.#note(message))
      if (this.#closed) return
      this.#onListed(leg, lists, performance.now() - started)
    } catch (error) {
      await this.#pool.drop(slot)
      throw error instanceof SessionLost && !known ? forgetful() : error
    } finally {
      slot.inflight--
    }
  }

  #onListed(leg: Leg, lists: NativeLists, ms: number): void {
    const wasReady = this.state.kind === 'ready'
    this.lists = lists
    this.#unauthenticated = false
    if (!wasReady) {
      this.#readySince = Date.now()
      this.#breaker.succeeded()
    }
    this.state = { kind: 'ready', legs: { [leg.era]: leg.revision }, since: this.#readySince, ms }
    leg.listen()
    if (!wasReady) {
      this.#options.telemetry.emit('backend.ready', {
        backend: this.spec.id,
        transport: this.spec.endpoint.kind,
        revision: leg.revision,
        tools: lists.tools.length,
        resources: lists.resources.length + lists.templates.length,
        prompts: lists.prompts.length,
        ms,
      })
    }
    this.#changed()
  }

  #onFailure(error: unknown): void {
    if (this.#closed) return
    if (error instanceof SessionLost) {
      // The listing met a forgotten session; a new one is opened right away.
      this.#retry = setTimeout(() => this.#connect(), 0)
      return
    }
    this.#unauthenticated = error instanceof HttpRefusal && (error.status === 401 || error.status === 403)
    // It may come back as another version of itself.
    this.#speaks = configuredEras(this.spec)
    if (this.state.kind === 'ready' && Date.now() - this.#readySince > STABLE_MS) this.#retryMs = FIRST_RETRY_MS
    const delay = this.#retryMs
    this.#retryMs = Math.min(delay * 2, LAST_RETRY_MS)
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#connect(), delay).unref()
    this.#setFailing(faultOf(error), delay)
  }

  #setFailing(fault: BackendFault, retryInMs: number | undefined): void {
    const repeated = this.state.kind === 'failing' && this.state.fault.message === fault.message
    this.state = { kind: 'failing', fault, ...(retryInMs !== undefined && { until: Date.now() + retryInMs }) }
    if (!repeated) this.#tellFailing(fault, retryInMs)
    this.#changed()
  }

  #tellFailing(fault: BackendFault, retryInMs: number | undefined): void {
    this.#options.telemetry.emit('backend.failing', {
      backend: this.spec.id,
      transport: this.spec.endpoint.kind,
      fault,
      retryInMs,
    })
  }

  #losePatience(): void {
    if (this.state.kind === 'ready' || this.#closed) return
    this.#setFailing({ message: `no answer for ${PATIENCE_MS / 1000} s, still waiting` }, undefined)
  }

  /** A process ended by itself, or hangs. */
  #onLost(error: unknown): void {
    if (this.#closed) return
    const spare = this.#pool.owned(GATEWAY_OWNER).some((slot) => slot.leg && !slot.leg.closed)
    if (spare) return
    if (this.state.kind === 'ready' && Date.now() - this.#readySince > STABLE_MS) this.#retryMs = FIRST_RETRY_MS
    this.#setFailing(faultOf(error), 0)
    clearTimeout(this.#retry)
    const delay = this.#retryMs === FIRST_RETRY_MS ? 0 : this.#retryMs
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
    this.#retry = setTimeout(() => this.#connect(), delay).unref()
  }

  #refreshSoon(): void {
    if (this.#closed || this.#refreshTimer) return
    this.#refreshTimer = setTimeout(() => {
      this.#refreshTimer = undefined
      // A listing that is under way may have read the old state.
      if (this.#attempt) this.#attempt.done.finally(() => this.#connect()).catch(() => {})
      else this.#connect()
    }, LIST_DEBOUNCE_MS).unref()
  }

  /** A call has met a failing backend: if no attempt is running, it starts one. It waits for one that is young. */
  async #revive(): Promise<void> {
    if (this.state.kind === 'failing') {
      if (this.state.until !== undefined) this.#connect()
      await this.#settled(REVIVAL_WAIT_MS)
    } else if (this.state.kind === 'connecting') await this.#settled(PATIENCE_MS)
    const { state } = this
    if (state.kind === 'ready') return
    const { message, hint } =
      state.kind === 'failing'
        ? state.fault
        : state.kind === 'disabled'
          ? { message: 'it is disabled in the configuration', hint: undefined }
          : { message: 'it has not answered yet', hint: undefined }
    throw new GatewayError('BACKEND_UNREACHABLE', hint === undefined ? message : `${message} (${hint})`)
  }

  /** Resolves when the running attempt has ended, or `ms` after it began. */
  async #settled(ms: number): Promise<void> {
    if (!this.#attempt) return
    const { done, started } = this.#attempt
    const left = started + ms - Date.now()
    if (left <= 0) return
    let timer: NodeJS.Timeout | undefined
    await Promise.race([done, new Promise((resolve) => (timer = setTimeout(resolve, left)))])
    clearTimeout(timer)
  }

  /**
   * An HTTP server is asked over the gateway's own connection. Processes hang one by one: each is asked,
   * unless a call runs in it, which its own deadline judges.
   */
  #check(): void {
    this.#pool.sweep()
    if (this.state.kind !== 'ready' || this.#attempt) return
    const overHttp = this.spec.endpoint.kind === 'http'
    for (const slot of this.#pool.live()) {
      if (overHttp ? slot.owner === GATEWAY_OWNER : slot.inflight === 0) this.#checkSlot(slot, slot.leg)
    }
  }

  /** Any answer will do. */
  #checkSlot(slot: Slot, leg: Leg): void {
    const { healthCheckTimeoutMs, unhealthyThreshold } = this.#options.failure
    const signal = new Cancellation()
    const late = new GatewayError(
      'BACKEND_UNREACHABLE',
      `no answer to a health check within ${healthCheckTimeoutMs} ms`,
    )
    const timer = setTimeout(() => signal.cancel(late), healthCheckTimeoutMs).unref()
    const method = leg.era === 'legacy' ? 'ping' : 'server/discover'
    leg
      .request({ method, params: {}, patch: {}, signal, streaming: false })
      .then(() => {
        slot.missed = 0
      })
      .catch((error: unknown) => {
        if (error instanceof GatewayError && error.code === 'BACKEND_ERROR') slot.missed = 0
        else if (error instanceof SessionLost)
          this.#pool.drop(slot).then(
            () => this.#connect(),
            () => {},
          )
        else if (++slot.missed >= unhealthyThreshold) {
          this.#pool.drop(slot).catch(() => {})
          this.#onLost(error)
        }
      })
      .finally(() => clearTimeout(timer))
  }

  #note(message: string): void {
    this.#options.telemetry.emit('backend.note', { backend: this.spec.id, message })
  }

  /** A client has left: its connection goes. */
  async release(owner: OwnerKey): Promise<void> {
    await this.#pool.dropOwner(owner)
  }

  /** Cuts the running attempt, ends every connection and process. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    clearTimeout(this.#refreshTimer)
    clearInterval(this.#healthTimer)
    this.#attempt?.signal.cancel(new GatewayError('SHUTTING_DOWN', 'the gateway is stopping'))
    await this.#attempt?.done
    await this.#pool.close()
    await this.#connector.close()
  }
}

/** What the configuration says of the server's eras. */
function configuredEras({ era }: BackendSpec): Partial<Record<Era, boolean>> {
  if (era === 'auto') return {}
  return era === 'legacy' ? { modern: false } : { legacy: false }
}

function forgetful(): GatewayError {
  return new GatewayError('BACKEND_UNREACHABLE', 'it forgets every session as soon as it is opened')
}

const VERDICTS = {
  BACKEND_UNREACHABLE: 'cannot be reached',
  BACKEND_PROTOCOL: 'broke the protocol',
  BACKEND_BUSY: 'is busy',
  DEADLINE_EXCEEDED: 'did not answer in time',
} as const

function resting(): GatewayError {
  const key = 'operational.failureHandling.circuitBreaker'
  return new GatewayError('BACKEND_UNREACHABLE', `too many calls in a row failed; it rests (key: ${key})`)
}

function faultOf(error: unknown): BackendFault {
  return { message: error instanceof Error ? error.message : String(error) }
}

/** The wait ends with the caller; the connection goes on opening for the next one. */
async function cancellable<Value>(value: Promise<Value>, signal: Cancellation): Promise<Value> {
  return new Promise((resolve, reject) => {
    signal.onCancel(reject)
    value.then(resolve, reject)
  })
}
