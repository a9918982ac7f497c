import type { BackendSpec, BackendState, Era, Health, NativeLists } from '../model/backend.ts'
import type { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import type { OwnerKey } from '../model/ids.ts'
import { GATEWAY_OWNER } from '../model/ids.ts'
import type { FailureSettings } from '../model/settings.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { Breaker } from './breaker.ts'
import { Connections } from './connections.ts'
import { HealthChecks } from './health-checks.ts'
import type { Reply, UpstreamRequest } from './leg.ts'
import { EraChanged, SessionLost, forgetfulServer } from './leg.ts'
import type { PoolSettings } from './pool.ts'
import { Supervisor } from './supervisor.ts'

export interface BackendOptions {
  identity: Identity
  telemetry: Telemetry
  maxMessageBytes: number
  pool: PoolSettings
  failure: FailureSettings
}

/** One upstream server, called over the right connection. It costs only itself when it fails. */
export class Backend {
  readonly spec: BackendSpec
  readonly #connections: Connections
  readonly #supervisor: Supervisor
  readonly #health: HealthChecks
  readonly #breaker: Breaker
  readonly #ownListeners = new Set<(owner: OwnerKey) => void>()

  constructor(spec: BackendSpec, options: BackendOptions) {
    const { identity, telemetry, maxMessageBytes, failure } = options
    this.spec = spec
    this.#breaker = new Breaker(failure.circuitBreaker)
    this.#connections = new Connections(
      spec,
      options.pool,
      {
        backend: spec.id,
        identity,
        telemetry,
        maxMessageBytes,
        onListChanged: () => this.#supervisor.refreshSoon(),
        onLost: (error) => this.#supervisor.onLost(error),
      },
      (owner) => {
        for (const listener of this.#ownListeners) listener(owner)
      },
    )
    this.#supervisor = new Supervisor(spec, this.#connections, telemetry, () => this.#breaker.succeeded())
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

  /** The same for what only one owner sees. */
  subscribeOwn(listener: (owner: OwnerKey) => void): () => void {
    this.#ownListeners.add(listener)
    return () => this.#ownListeners.delete(listener)
  }

  get state(): BackendState {
    return this.#supervisor.state
  }

  /** Last lists that it gave; kept while it is away. */
  get lists(): NativeLists | undefined {
    return this.#supervisor.lists
  }

  /** What it offers on this owner's connection, when that differs. */
  ownLists(owner: OwnerKey): NativeLists | undefined {
    return this.#connections.ownLists.get(owner)
  }

  /** Owners whose connection offers something of its own. */
  get ownersApart(): Iterable<OwnerKey> {
    return this.#connections.ownLists.owners
  }

  get reachable(): boolean {
    return this.state.kind === 'ready'
  }

  get health(): Health {
    if (this.#supervisor.unauthenticated) return 'unauthenticated'
    switch (this.state.kind) {
      case 'ready': {
        const shaky = this.#connections.pool.live().some(({ missed }) => missed > 0) || this.#breaker.state !== 'closed'
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
  async call(era: Era, owner: OwnerKey, request: UpstreamRequest): Promise<Reply> {
    try {
      if (this.state.kind !== 'ready') await this.#supervisor.revive(request.signal)
      if (!this.#breaker.admit()) throw resting()
    } catch (error) {
      throw this.#named(error)
    }
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

  /** A client has left: its connection goes. */
  async release(owner: OwnerKey): Promise<void> {
    await this.#connections.pool.dropOwner(owner)
  }

  /** Ends every connection and process. */
  async close(): Promise<void> {
    this.#health.stop()
    await this.#supervisor.close()
    await this.#connections.close()
  }

  async #callOnce(era: Era, owner: OwnerKey, request: UpstreamRequest): Promise<Reply> {
    const { pool } = this.#connections
    const slot = this.#connections.slotFor(era, owner)
    slot.inflight++
    const ended = (): void => {
      slot.inflight--
      pool.touch(slot)
    }
    try {
      const leg = slot.leg ?? (await cancellable(slot.opening, request.signal))
      // Bytes may pass only between equal eras: the door cannot translate what it does not parse.
      const reply = await leg.request(
        slot.era === era || !request.streaming ? request : { ...request, streaming: false },
      )
      if (reply.kind === 'stream') reply.stream.onFinish(ended)
      else ended()
      return reply
    } catch (error) {
      ended()
      if (error instanceof SessionLost || error instanceof EraChanged) {
        pool.drop(slot).catch(() => {})
        if (error instanceof EraChanged) this.#connections.forgetEras()
        if (slot.owner === GATEWAY_OWNER) this.#supervisor.connect()
      }
      throw error
    }
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
    else if (code === undefined || code === 'BACKEND_BUSY' || givenUp) this.#breaker.undecided()
    else {
      this.#breaker.failed()
      // Find out whether the server is gone, before the next caller does.
      if (code !== 'DEADLINE_EXCEEDED' && this.spec.endpoint.kind === 'http') this.#supervisor.connect()
    }
    return error
  }

  /** Failures say which backend they are about. */
  #named(error: unknown): unknown {
    if (!(error instanceof GatewayError) || !Object.hasOwn(VERDICTS, error.code)) return error
    const code = error.code as keyof typeof VERDICTS
    return new GatewayError(code, `backend "${this.spec.id}" ${VERDICTS[code]}: ${error.message}`, { cause: error })
  }
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

/** The wait ends with the caller; the connection goes on opening for the next one. */
async function cancellable<Value>(value: Promise<Value>, signal: Cancellation): Promise<Value> {
  return new Promise((resolve, reject) => {
    signal.onCancel(reject)
    value.then(resolve, reject)
  })
}
