import type { Identified } from '../../model/principal.ts'
import { putYoungest } from '../bounded.ts'
import type { Key } from '../issuer/keys.ts'
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
  /** Whether it was good until its time was over, and must be asked about anew: nobody can make up such a token. */
  wasGood(digest: string): boolean
  clear(): void
}

export function createTokenCache(max = MAX_TOKENS): TokenCache {
  const entries = new Map<string, Verified>()
  /** Of opaque tokens: others need nobody to be asked. */
  const over = new Map<string, true>()
  return {
    get(digest, now) {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      if (entry.until > now && entry.key?.retired !== true) return entry
      entries.delete(digest)
      if (!entry.key) putYoungest(over, digest, true, max)
      return undefined
    },
    set(digest, verified) {
      over.delete(digest)
      putYoungest(entries, digest, verified, max)
    },
    wasGood: (digest) => over.has(digest),
    clear() {
      entries.clear()
      over.clear()
    },
  }
}
