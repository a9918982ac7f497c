import type { CacheHint } from '../model/catalogue.ts'

/** Of a list that is merged from several: it is as fresh as the stalest of them, and private when one of them is. */
export function mergeHints(own: CacheHint, others: readonly (CacheHint | undefined)[]): CacheHint {
  let { ttlMs, cacheScope } = own
  for (const hint of others) {
    if (!hint) continue
    ttlMs = Math.min(ttlMs, hint.ttlMs)
    if (hint.cacheScope === 'private') cacheScope = 'private'
  }
  return { ttlMs, cacheScope }
}
