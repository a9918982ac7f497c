import type { StoredToken } from './store.ts'

/** What is shown for one owner while it is good. All times in milliseconds since the epoch. */
export interface ShownToken {
  readonly token: StoredToken
  readonly headers: readonly string[]
  /** When a new one is asked for beside the call. */
  refreshAt: number
  /** Then it is not shown any more: it could expire on its way. */
  readonly until: number
}

/** Part of its life after which a token is replaced ahead of time. */
const FRESH = 0.8
const MARGIN = { part: 0.1, maxMs: 10_000 }

export function shownToken(token: StoredToken): ShownToken {
  const { expiresAt = Infinity, obtainedAt, access, refresh } = token
  const life = expiresAt - obtainedAt
  return {
    token,
    headers: Object.freeze(['authorization', `Bearer ${access}`]),
    refreshAt: refresh === undefined ? Infinity : obtainedAt + life * FRESH,
    until: expiresAt - Math.min(life * MARGIN.part, MARGIN.maxMs),
  }
}
