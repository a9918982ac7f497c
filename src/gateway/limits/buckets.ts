import type { BucketSettings } from '../../model/settings.ts'

/** One bucket that a call draws from. Equal keys are one bucket. */
export interface Draw {
  key: string
  settings: BucketSettings
}

/** Where buckets are kept: in this process, or shared by several. */
export interface BucketStore {
  /**
   * Takes a token from every bucket, or from none: then the milliseconds after which all of them have one. `now`:
   * milliseconds of a clock that never goes back.
   */
  take(draws: readonly Draw[], now: number): number | undefined | Promise<number | undefined>
}

interface Bucket {
  tokens: number
  /** When `tokens` was true. */
  at: number
}

/** Callers come and go; a bucket that has filled up again says nothing and is forgotten. */
const MAX_BUCKETS = 10_000

/** Token buckets in memory: each fills evenly, `maxTokens` in `refillMs`. */
export class MemoryBuckets implements BucketStore {
  readonly #buckets = new Map<string, Bucket>()

  get size(): number {
    return this.#buckets.size
  }

  take(draws: readonly Draw[], now: number): number | undefined {
    let wait = 0
    const levels = draws.map(({ key, settings }) => {
      const tokens = this.#level(key, settings, now)
      if (tokens < 1) wait = Math.max(wait, ((1 - tokens) * settings.refillMs) / settings.maxTokens)
      return tokens
    })
    if (wait > 0) return Math.ceil(wait)
    for (const [index, { key }] of draws.entries()) {
      // Behind the others: the front has rested longest.
      this.#buckets.delete(key)
      this.#buckets.set(key, { tokens: (levels[index] ?? 0) - 1, at: now })
    }
    if (this.#buckets.size > MAX_BUCKETS) this.#forget()
    return undefined
  }

  #level(key: string, { maxTokens, refillMs }: BucketSettings, now: number): number {
    const bucket = this.#buckets.get(key)
    if (!bucket) return maxTokens
    return Math.min(maxTokens, bucket.tokens + ((now - bucket.at) * maxTokens) / refillMs)
  }

  /** The one that has rested longest is the fullest, whoever it belongs to. */
  #forget(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key)
      return
    }
  }
}
