import type { BackendFault, BackendSpec, BackendState } from '../model/backend.ts'
import { Cancellation } from '../model/cancellation.ts'
import { ConsentNeeded } from '../model/credential.ts'
import { GatewayError } from '../model/errors.ts'
import { Secret } from '../model/secret.ts'
import { withSignIn } from '../model/sign-in.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { Connections } from './connections/connections.ts'
import type { Leg } from './leg.ts'
import { SessionLost, forgetfulServer } from './leg.ts'
import type { Listing } from './offer/lists.ts'
import { fetchLists, sameLists } from './offer/lists.ts'
import { isTurnedAway } from './turned-away.ts'

/** A backend that has said nothing for this long is named as failing; the attempt goes on. */
const PATIENCE_MS = 8000
/** One attempt to connect and list; a process may have to be downloaded first. */
const ATTEMPT_LIMIT_MS = { http: 30_000, sse: 30_000, stdio: 120_000, container: 300_000 } as const
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000
/** A connection that has held this long counts as recovered: the next failure starts with the first delay again. */
const STABLE_MS = 10_000
const LIST_DEBOUNCE_MS = 100
/** How long a call may wait for an attempt that has just begun; processes take a while to start. */
const REVIVAL_WAIT_MS = { http: 1000, sse: 1000, stdio: 2000, container: 2000 } as const

/**
 * Keeps one backend alive: connects and lists it, lists it again when it says so, tries again when it fails.
 * The one owner of its state.
 */
export class Supervisor {
  state: BackendState
  /** Last lists that it gave; kept while it is away. */
  listing: Listing | undefined
  /** It refuses our credentials. */
  unauthenticated = false
  /** Why it lets nobody in, when only the user can help. */
  closed: GatewayError | undefined
  readonly #spec: BackendSpec
  readonly #connections: Connections
  readonly #telemetry: Telemetry
  readonly #listeners = new Set<() => void>()
  /** Told when the backend has come back. */
  readonly #onRecovery: () => void
  /** Told when it offers something else than before. */
  readonly #onNewLists: (listing: Listing) => void
  #attempt: { signal: Cancellation; started: number; done: Promise<void> } | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  #readySince = 0
  #refresh: NodeJS.Timeout | undefined
  #closed = false

  /** Has the server tell of changes over its connection. */
  readonly #listen: (leg: Leg) => void

  constructor(
    spec: BackendSpec,
    connections: Connections,
    telemetry: Telemetry,
    {
      onRecovery,
      onNewLists,
      listen,
    }: { onRecovery: () => void; onNewLists: (listing: Listing) => void; listen: (leg: Leg) => void },
  ) {
    this.#spec = spec
    this.#connections = connections
    this.#telemetry = telemetry
    this.#onRecovery = onRecovery
    this.#onNewLists = onNewLists
    this.#listen = listen
    if (spec.disabled) this.state = { kind: 'disabled' }
    else if (spec.fault) this.state = { kind: 'failing', fault: spec.fault }
    else this.state = { kind: 'connecting' }
  }

  start(): void {
    if (this.state.kind === 'failing') this.#tellFailing(this.state.fault, undefined)
    this.connect()
  }

  /** Calls the listener after every change of `state` or `lists`, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get attempting(): boolean {
    return this.#attempt !== undefined
  }

  /** Connects and lists. One attempt at a time; the state changes when it ends. */
  connect(asked: 'schedule' | 'call' = 'schedule'): void {
    if (this.#closed || this.#attempt || this.#spec.fault || this.#spec.disabled) return
    clearTimeout(this.#retry)
    const started = performance.now()
    const signal = new Cancellation()
    const patience = setTimeout(() => this.#losePatience(), PATIENCE_MS).unref()
    const limitMs = ATTEMPT_LIMIT_MS[this.#spec.endpoint.kind]
    const limit = setTimeout(() => {
      signal.cancel(new GatewayError('BACKEND_UNREACHABLE', `no answer within ${limitMs / 1000} s`))
    }, limitMs).unref()
    const done = this.#list(signal)
      .catch((error: unknown) => {
        if (isTurnedAway(error) && (this.#connections.perCaller || error.code === 'CONSENT_NEEDED')) {
          this.#onClosedToUs(error, started)
        } else this.#onFailure(error, asked)
      })
      .finally(() => {
        clearTimeout(patience)
        clearTimeout(limit)
        this.#attempt = undefined
      })
    this.#attempt = { signal, started: Date.now(), done }
  }

  /** The backend says that its lists changed, or they may have changed unseen. */
  refreshSoon(): void {
    if (this.#closed || this.#refresh) return
    this.#refresh = setTimeout(() => {
      this.#refresh = undefined
      // A listing that is under way may have read the old state.
      if (this.#attempt) this.#attempt.done.finally(() => this.connect()).catch(() => {})
      else this.connect()
    }, LIST_DEBOUNCE_MS).unref()
  }

  /** Lists once more and waits for that, `ms` at most: as long as for a call that wakes it. */
  async relist(signal: Cancellation, ms = PATIENCE_MS): Promise<void> {
    this.connect()
    await this.#settled(ms, signal)
  }

  /** A leg that lives with a connection of its own has lost it by itself, or hangs. */
  onLost(error: unknown): void {
    if (this.#closed) return
    // Another one that stands says that the server can be had: one session's crash is its own.
    if (this.#connections.pool.live().length > 0) {
      // A stateless one says nothing of the kind by itself.
      if (this.#spec.endpoint.kind === 'http') this.connect()
      return
    }
    this.onAway(error)
  }

  /** Nobody answers any more, over no connection. */
  onAway(error: unknown): void {
    if (this.#closed) return
    // After a time of health it is started again at once.
    const delay = this.#nextDelay()
    this.#failAndRetry(error, delay === FIRST_RETRY_MS ? 0 : delay)
  }

  /**
   * For a call that has met a failing backend: starts an attempt when none is running, and waits for one that is young.
   * Throws `BACKEND_UNREACHABLE` when it is still away.
   */
  async revive(signal: Cancellation): Promise<void> {
    if (this.state.kind === 'failing') {
      // A caller who is there is worth an attempt before its time.
      if (this.state.until !== undefined) this.connect('call')
      await this.#settled(REVIVAL_WAIT_MS[this.#spec.endpoint.kind], signal)
    } else if (this.state.kind === 'connecting') await this.#settled(PATIENCE_MS, signal)
    const fault = faultOfState(this.state)
    if (!fault) return
    const { message, hint } = fault
    throw new GatewayError('BACKEND_UNREACHABLE', hint === undefined ? message : `${message} (${hint})`)
  }

  /** Cuts the running attempt; none follows. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    clearTimeout(this.#refresh)
    this.#attempt?.signal.cancel(new GatewayError('SHUTTING_DOWN', 'the gateway is stopping'))
    await this.#attempt?.done
  }

  async #list(signal: Cancellation): Promise<void> {
    const started = performance.now()
    const { slot, fresh } = await this.#connections.own(signal)
    slot.inflight++
    try {
      const leg = await slot.opening
      const listing = await fetchLists(leg, signal, (message) => this.#note(message))
      if (!this.#closed) this.#onListed(leg, listing, performance.now() - started)
    } catch (error) {
      await this.#connections.pool.drop(slot)
      throw error instanceof SessionLost && fresh ? forgetfulServer() : error
    } finally {
      slot.inflight--
    }
  }

  /** It lets nobody in but its users, so each of them sees what it offers to them. */
  #onClosedToUs(error: GatewayError, started: number): void {
    if (this.#closed) return
    const { id, endpoint } = this.#spec
    const known = this.closed !== undefined
    // Where callers differ, each has a sign-in of their own.
    if (!this.#connections.perCaller) this.closed = error
    const ms = performance.now() - started
    const before = this.state
    if (before.kind !== 'ready') {
      this.#readySince = Date.now()
      this.#onRecovery()
    }
    this.unauthenticated = true
    if (!known && this.listing?.leg !== NOTHING_FOR_US.leg) {
      const lists = this.closed ? withSignIn(id, undefined) : NOTHING_FOR_US.lists
      this.listing = { ...NOTHING_FOR_US, lists, at: started }
    }
    this.state = { kind: 'ready', legs: {}, since: this.#readySince, ms }
    if (before.kind !== 'ready') {
      const page = error instanceof ConsentNeeded ? new Secret(error.url) : undefined
      this.#telemetry.emit('backend.personal', { backend: id, transport: endpoint.kind, page, ms })
    }
    this.#changed()
  }

  #onListed(leg: Leg, listing: Listing, ms: number): void {
    const before = this.state
    const recovered = before.kind !== 'ready'
    if (recovered) this.#readySince = Date.now()
    const known = this.listing?.lists
    // What has not changed stays the same object: nothing is built anew for it.
    const same = known !== undefined && sameLists(known, listing.lists)
    const lists = same ? known : listing.lists
    this.listing = { ...listing, lists }
    if (known && !same) this.#onNewLists(listing)
    this.unauthenticated = false
    this.closed = undefined
    const legs = { [leg.era]: leg.revision }
    this.state = { kind: 'ready', legs, since: this.#readySince, ms: before.kind === 'ready' ? before.ms : ms }
    this.#listen(leg)
    if (recovered) {
      this.#onRecovery()
      this.#telemetry.emit('backend.ready', {
        backend: this.#spec.id,
        transport: this.#spec.endpoint.kind,
        revision: leg.revision,
        tools: lists.tools.length,
        resources: lists.resources.length + lists.templates.length,
        prompts: lists.prompts.length,
        ms,
      })
    }
    this.#changed()
  }

  #onFailure(error: unknown, asked: 'schedule' | 'call'): void {
    if (this.#closed) return
    if (error instanceof SessionLost) {
      // The listing met a forgotten session; a new one is opened right away.
      this.#retry = setTimeout(() => this.connect(), 0)
      return
    }
    this.unauthenticated = isTurnedAway(error)
    this.closed = undefined
    this.#connections.forgetEras()
    // Attempts that callers asked for say nothing about how long to wait: they must not make it longer.
    this.#failAndRetry(error, asked === 'call' ? this.#retryMs : this.#nextDelay())
  }

  #nextDelay(): number {
    if (this.state.kind === 'ready' && Date.now() - this.#readySince > STABLE_MS) this.#retryMs = FIRST_RETRY_MS
    const delay = this.#retryMs
    this.#retryMs = Math.min(delay * 2, LAST_RETRY_MS)
    return delay
  }

  #failAndRetry(error: unknown, delay: number): void {
    this.#setFailing(faultOf(error), delay)
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.connect(), delay).unref()
  }

  #losePatience(): void {
    if (this.state.kind === 'ready' || this.#closed) return
    this.#setFailing(SLOW, undefined)
  }

  #setFailing(fault: BackendFault, retryInMs: number | undefined): void {
    const repeated = this.state.kind === 'failing' && this.state.fault.message === fault.message
    this.state = { kind: 'failing', fault, ...(retryInMs !== undefined && { until: Date.now() + retryInMs }) }
    if (!repeated) this.#tellFailing(fault, retryInMs)
    this.#changed()
  }

  #tellFailing(fault: BackendFault, retryInMs: number | undefined): void {
    const { id, endpoint } = this.#spec
    this.#telemetry.emit('backend.failing', { backend: id, transport: endpoint.kind, fault, retryInMs })
  }

  /** Resolves when the running attempt has ended, `ms` after it began, or when nobody waits any more. */
  async #settled(ms: number, signal: Cancellation): Promise<void> {
    if (!this.#attempt) return
    const { done, started } = this.#attempt
    const left = started + ms - Date.now()
    if (left <= 0) return
    let timer: NodeJS.Timeout | undefined
    await Promise.race([
      done,
      new Promise((resolve) => (timer = setTimeout(resolve, left))),
      new Promise<void>((resolve) => signal.onCancel(() => resolve())),
    ])
    clearTimeout(timer)
  }

  #note(message: string): void {
    this.#telemetry.emit('backend.note', { backend: this.#spec.id, message })
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

function faultOf(error: unknown): BackendFault {
  const message = error instanceof Error ? error.message : String(error)
  const detail = error instanceof GatewayError ? error.detail : undefined
  return detail === undefined ? { message } : { message, detail }
}

const NOTHING_FOR_US: Omit<Listing, 'at'> = {
  lists: { tools: [], prompts: [], resources: [], templates: [] },
  hints: { tools: undefined, prompts: undefined, resources: undefined, templates: undefined },
  leg: { capabilities: {}, hears: false },
}

const SLOW: BackendFault = {
  message: `no answer for ${PATIENCE_MS / 1000} s, still waiting`,
  hint: 'is it starting, downloading, or waiting for input?',
}

/** Why a backend in this state cannot be called. */
function faultOfState(state: BackendState): BackendFault | undefined {
  switch (state.kind) {
    case 'ready':
      return undefined
    case 'failing':
      return state.fault
    case 'disabled':
      return { message: 'it is disabled in the configuration' }
    case 'connecting':
      return { message: 'it has not answered yet' }
  }
}
