import { GatewayError } from '../../../model/errors.ts'
import type { Principal } from '../../../model/principal.ts'
import { principalKey } from '../../../model/principal.ts'
import type { Gateway } from '../../gateway.ts'
import type { Handshake } from '../answering/handshake.ts'
import { EventMemory } from './streams/event-memory.ts'
import { Session } from './session.ts'

const MAX_SESSIONS = 10_000
const IDLE_MS = 30 * 60_000
const SWEEP_MS = 60_000
/** What is kept, over all sessions, for clients that lose a stream. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024

/** The legacy sessions of one gateway. */
export class Sessions {
  readonly #gateway: Gateway
  readonly #sessions = new Map<string, { session: Session; unwatch: () => void }>()
  readonly #memory = new EventMemory(MAX_KEPT_BYTES)
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
    const session = new Session(principal, handshake, this.#memory)
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
    // Its latest token says what it may do now.
    session.principal = principal
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
    for (const { session } of this.#sessions.values()) session.streams.closeGets()
  }

  closeAll(why: string): void {
    clearInterval(this.#timer)
    for (const { session } of this.#sessions.values()) this.close(session, why)
  }

  #sweep(): void {
    const now = Date.now()
    for (const { session } of this.#sessions.values()) {
      if (session.idle && session.lastSeen < now - IDLE_MS) this.close(session, 'idle')
      else session.streams.sweep(now)
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
