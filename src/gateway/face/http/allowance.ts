import type { ServerResponse } from 'node:http'
import { GatewayError } from '../../../model/errors.ts'
import type { Principal } from '../../../model/principal.ts'

/** Bodies that one user may have on their way at a time, bytes: as much again as the largest single one, at least. */
const LEAST_BODIES = 64 * 1024 * 1024

interface Used {
  requests: number
  bytes: number
}

export interface AllowanceSettings {
  /** Requests and streams of one user that are open at once. */
  maxOpenPerUser: number
  maxRequestBytes: number
}

/**
 * What one user may have open at once, so that nobody takes the whole door. Anonymous callers are not told apart: they
 * have what the server has.
 */
export class Allowance {
  readonly #settings: AllowanceSettings
  readonly #used = new Map<string, Used>()

  constructor(settings: AllowanceSettings) {
    this.#settings = settings
  }

  get size(): number {
    return this.#used.size
  }

  /** Counts a request until its response has ended. Throws `TOO_MANY_OPEN`. */
  enter(principal: Principal, res: ServerResponse): void {
    if (principal.kind === 'anonymous') return
    const { key } = principal
    const used = this.#used.get(key) ?? { requests: 0, bytes: 0 }
    const { maxOpenPerUser } = this.#settings
    if (used.requests >= maxOpenPerUser) {
      throw tooMany(
        `at most ${maxOpenPerUser} requests of one user may be open at once (key: rateLimiting.connections)`,
      )
    }
    used.requests++
    this.#used.set(key, used)
    res.once('close', () => {
      if (--used.requests === 0) this.#used.delete(key)
    })
  }

  /** Counts the bytes of a body until the returned function is called; `grow` throws `TOO_MANY_OPEN`. */
  body(principal: Principal): { grow: (bytes: number) => void; release: () => void } | undefined {
    const used = principal.kind === 'anonymous' ? undefined : this.#used.get(principal.key)
    if (!used) return undefined
    const limit = Math.max(LEAST_BODIES, 2 * this.#settings.maxRequestBytes)
    let own = 0
    return {
      grow(bytes) {
        if (used.bytes + bytes > limit) throw tooMany('the bodies of your requests are too large together')
        own += bytes
        used.bytes += bytes
      },
      release() {
        used.bytes -= own
        own = 0
      },
    }
  }
}

function tooMany(why: string): GatewayError {
  return new GatewayError('TOO_MANY_OPEN', `Too Many Requests: ${why}`)
}
