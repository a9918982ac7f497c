import { isObject } from '../../model/json.ts'
import type { CacheHint, ListKind } from '../../model/catalogue.ts'
import type { Listing } from './lists.ts'
import { LISTS } from './lists.ts'

/**
 * A server that neither announces changes nor says how long its lists hold is asked again after this long: whoever adds
 * a tool finds it within a minute, and an idle gateway asks nobody.
 */
const UNSAID_TTL_MS = 60_000
/** However short-lived a server calls its lists: its callers together do not have it list more often. */
const LEAST_AGE_MS = 1000

const KINDS = Object.keys(LISTS) as ListKind[]

/** What may still be said of a list now: one whose changes are announced stays as fresh as it was when it came. */
export function hintNow(listing: Listing, kind: ListKind, now: number): CacheHint | undefined {
  const hint = listing.hints[kind]
  if (!hint || isAnnounced(listing, kind)) return hint
  return { ...hint, ttlMs: Math.max(0, Math.floor(hint.ttlMs - (now - listing.at))) }
}

/** Whether a list among these has passed its time, and nobody would have said if it had changed. */
export function isOutdated(listing: Listing, now: number): boolean {
  const age = now - listing.at
  return KINDS.some(
    (kind) => isUnheard(listing, kind) && age >= Math.max(listing.hints[kind]?.ttlMs ?? UNSAID_TTL_MS, LEAST_AGE_MS),
  )
}

/** Whether this list may have changed unheard, and was not asked for just now. */
export function mayHaveChanged(listing: Listing, kind: ListKind, now: number): boolean {
  return isUnheard(listing, kind) && now - listing.at >= LEAST_AGE_MS
}

function isUnheard(listing: Listing, kind: ListKind): boolean {
  return listing.leg.capabilities[LISTS[kind].capability] !== undefined && !isAnnounced(listing, kind)
}

function isAnnounced({ leg }: Listing, kind: ListKind): boolean {
  const capability = leg.capabilities[LISTS[kind].capability]
  return isObject(capability) && capability['listChanged'] === true && leg.hears
}
