import type { Identified } from '../../model/principal.ts'
import type { Key } from './keys.ts'
import type { Trusted } from './trusted.ts'

/** A token that was found good. */
export interface Verified {
  readonly principal: Identified
  readonly issuer: Trusted
  /** What signed it; absent for opaque tokens. */
  readonly key: Key | undefined
  /** Milliseconds since the epoch; later it must be verified anew. */
  readonly until: number
  /** Whether it carries every required scope. */
  readonly sufficient: boolean
}

const MAX_TOKENS = 10_000

/** Verified tokens by their digest. The oldest gives way. */
export interface TokenCache {
  /** `undefined`: unknown, over, or signed by a key that was withdrawn. */
  get(digest: string, now: number): Verified | undefined
  set(digest: string, verified: Verified): void
  clear(): void
}

export function createTokenCache(max = MAX_TOKENS): TokenCache {
  const entries = new Map<string, Verified>()
  return {
    get(digest, now) {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      if (entry.until > now && entry.key?.retired !== true) return entry
      entries.delete(digest)
      return undefined
    },
    set(digest, verified) {
      entries.delete(digest)
      const oldest = entries.size >= max ? entries.keys().next().value : undefined
      if (oldest !== undefined) entries.delete(oldest)
      entries.set(digest, verified)
    },
    clear: () => entries.clear(),
  }
}
