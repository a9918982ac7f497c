import { randomUUID } from 'node:crypto'
import type { Change } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { SessionId } from '../../model/ids.ts'
import { sessionOwner } from '../../model/ids.ts'
import type { Principal } from '../../model/principal.ts'
import { principalKey } from '../../model/principal.ts'
import type { Gateway } from '../gateway.ts'
import { notificationText } from '../../protocol/jsonrpc.ts'
import { NO_CHANGE, mergeChanges, noticesOf } from './changes.ts'
import type { Handshake } from './handshake.ts'
import { LegacyClient } from './legacy-client.ts'

const MAX_SESSIONS = 10_000
const IDLE_MS = 30 * 60_000
const SWEEP_MS = 60_000
const MAX_STREAMS = 4

/** A stream on which a session receives what is not an answer to its requests. */
export interface SessionStream {
  send(json: string): boolean
  close(): void
}

/** One legacy client that shook hands over HTTP. */
export class Session extends LegacyClient {
  readonly id: SessionId
  lastSeen = Date.now()
  /** GET streams, oldest first. Each message goes to the newest. */
  #streams: SessionStream[] = []
  /** Changes that nobody could be told of yet. */
  #missed: Change = NO_CHANGE

  constructor(principal: Principal, handshake: Handshake) {
    const id = randomUUID() as string as SessionId
    super(principal, sessionOwner(id), handshake, (json) => this.#streams.at(-1)?.send(json) ?? false)
    this.id = id
  }

  get idle(): boolean {
    return this.#streams.length === 0 && this.running.size === 0 && !this.isAsked
  }

  /** A client that lost its stream without our noticing must not be locked out: the oldest goes instead. */
  attach(stream: SessionStream): void {
    this.#streams.push(stream)
    if (this.#streams.length > MAX_STREAMS) this.#streams.shift()?.close()
    const missed = this.#missed
    this.#missed = NO_CHANGE
    this.tell(missed)
  }

  detach(stream: SessionStream): void {
    this.#streams = this.#streams.filter((other) => other !== stream)
    this.lastSeen = Date.now()
  }

  tell(change: Change): void {
    const stream = this.#streams.at(-1)
    if (stream) for (const method of noticesOf(change)) stream.send(notificationText(method, {}))
    else this.#missed = mergeChanges(this.#missed, change)
  }

  /** Calls that run go on. */
  endStreams(): void {
    for (const stream of this.#streams) stream.close()
    this.#streams = []
  }

  override end(reason: Error): void {
    super.end(reason)
    this.endStreams()
  }
}

/** The legacy sessions of one gateway. */
export class Sessions {
  readonly #gateway: Gateway
  readonly #sessions = new Map<string, { session: Session; unwatch: () => void }>()
  readonly #timer: NodeJS.Timeout

  constructor(gateway: Gateway) {
    this.#gateway = gateway
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Throws `SESSIONS_EXHAUSTED` when every place is taken by a session in use. */
  open(principal: Principal, handshake: Handshake): Session {
    if (this.#sessions.size >= MAX_SESSIONS) this.#makeRoom()
    const session = new Session(principal, handshake)
    const unwatch = this.#gateway.core.watch(session, (change) => session.tell(change))
    this.#gateway.admit(session.owner, session)
    this.#sessions.set(session.id, { session, unwatch })
    const { client, revision } = handshake
    this.#gateway.telemetry.emit('session.opened', { client, revision, sessions: this.#sessions.size })
    return session
  }

  /** Throws `SESSION_MISSING` and `SESSION_UNKNOWN`; a session of somebody else is unknown. */
  find(id: string | undefined, principal: Principal): Session {
    if (id === undefined) {
      throw new GatewayError(
        'SESSION_MISSING',
        'Bad Request: the header Mcp-Session-Id is required (send initialize first)',
      )
    }
    const session = this.#sessions.get(id)?.session
    if (!session || principalKey(session.principal) !== principalKey(principal)) {
      throw new GatewayError('SESSION_UNKNOWN', 'Session not found')
    }
    session.lastSeen = Date.now()
    return session
  }

  close(session: Session, why: string): void {
    const entry = this.#sessions.get(session.id)
    if (!entry) return
    this.#sessions.delete(session.id)
    entry.unwatch()
    session.end(new GatewayError('CANCELLED', `the session ended: ${why}`))
    this.#gateway.release(session.owner)
    this.#gateway.telemetry.emit('session.closed', { why, sessions: this.#sessions.size })
  }

  endStreams(): void {
    for (const { session } of this.#sessions.values()) session.endStreams()
  }

  closeAll(why: string): void {
    clearInterval(this.#timer)
    for (const { session } of this.#sessions.values()) this.close(session, why)
  }

  #sweep(): void {
    const limit = Date.now() - IDLE_MS
    for (const { session } of this.#sessions.values()) {
      if (session.idle && session.lastSeen < limit) this.close(session, 'idle')
    }
  }

  #makeRoom(): void {
    let oldest: Session | undefined
    for (const { session } of this.#sessions.values()) {
      if (session.idle && (!oldest || session.lastSeen < oldest.lastSeen)) oldest = session
    }
    if (!oldest)
      throw new GatewayError('SESSIONS_EXHAUSTED', `all ${MAX_SESSIONS} sessions are in use; try again later`)
    this.close(oldest, 'made room for a new one')
  }
}
