import type { Caller, Core } from '../model/call.ts'
import { GatewayError } from '../model/errors.ts'
import type { OwnerKey } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

/** Where resources are followed: one generation. */
export interface Ground {
  core: Pick<Core, 'follow'>
  /** What a resource leads to for this caller: the same object as long as it is the same backend. */
  seatOf: (uri: string, caller: Caller) => object | undefined
}

interface Follow {
  readonly uri: string
  readonly caller: Caller
  readonly listener: (update: JsonObject) => void
  /** Absent while it does not stand. */
  unfollow: (() => void) | undefined
  /** The backend that it stood with last. */
  seat: object | undefined
  over: boolean
}

/**
 * Every resource that is followed by a client. Generations come and go under them: a new one is followed on before the
 * old one is left, and a client whose resource has moved to another backend, or was away, is told that it may have changed.
 */
export class Follows {
  readonly #follows = new Map<OwnerKey, Set<Follow>>()
  /** Those that no backend has taken on since a reload. */
  readonly #waiting = new Set<Follow>()
  readonly #ground: () => Ground
  #timer: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS

  constructor(ground: () => Ground) {
    this.#ground = ground
  }

  /** See `Core.follow`. */
  async follow(uri: string, caller: Caller, listener: (update: JsonObject) => void): Promise<() => void> {
    const follow: Follow = { uri, caller, listener, unfollow: undefined, seat: undefined, over: false }
    const { owner } = caller
    const siblings = this.#follows.get(owner)
    if (siblings) siblings.add(follow)
    else this.#follows.set(owner, new Set([follow]))
    try {
      await this.#stand(follow)
    } catch (error) {
      this.#end(follow)
      throw error
    }
    if (follow.over) throw new GatewayError('CANCELLED', 'the client has left')
    return () => this.#end(follow)
  }

  /** A client has left. */
  release(owner: OwnerKey): void {
    for (const follow of this.#follows.get(owner) ?? []) this.#end(follow)
  }

  /** There is another generation. */
  move(): void {
    for (const follows of this.#follows.values()) {
      // Those without a place are on their way, and look for it themselves.
      for (const follow of follows) if (follow.unfollow) void this.#again(follow)
    }
    this.retry()
  }

  /** Lists have changed: what was not there may be. */
  retry(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const follow of waiting) void this.#again(follow)
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const owner of this.#follows.keys()) this.release(owner)
  }

  async #again(follow: Follow): Promise<void> {
    const before = follow.unfollow && follow.seat
    try {
      await this.#stand(follow)
      if (follow.over) return
      this.#retryMs = FIRST_RETRY_MS
      if (follow.seat !== before) follow.listener({ uri: follow.uri })
    } catch {
      if (follow.over) return
      this.#waiting.add(follow)
      this.#timer ??= setTimeout(() => this.retry(), this.#retryMs).unref()
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
    }
  }

  /** The old place is left when the new one stands, or cannot be had. */
  async #stand(follow: Follow): Promise<void> {
    const { uri, caller, listener } = follow
    for (;;) {
      const ground = this.#ground()
      const old = follow.unfollow
      follow.unfollow = undefined
      let unfollow: (() => void) | undefined
      try {
        unfollow = await ground.core.follow(uri, caller, listener)
      } finally {
        old?.()
      }
      if (follow.over) return unfollow()
      follow.unfollow = unfollow
      follow.seat = ground.seatOf(uri, caller)
      // Another reload may have come meanwhile.
      if (ground === this.#ground()) return
    }
  }

  #end(follow: Follow): void {
    const siblings = this.#follows.get(follow.caller.owner)
    if (siblings?.delete(follow) && siblings.size === 0) this.#follows.delete(follow.caller.owner)
    this.#waiting.delete(follow)
    follow.over = true
    follow.unfollow?.()
    follow.unfollow = undefined
  }
}
