import type { Secret } from '../../model/secret.ts'

/** How long a token is shown. Both in milliseconds since the epoch. */
export interface Lifetime {
  /** From then on a new one is asked for beside the call. */
  readonly refreshAt: number
  /** From then on it is not shown any more: it could expire on its way. */
  readonly until: number
}

/** Part of its life after which a token is replaced ahead of time. */
const FRESH = 0.8
const MARGIN = { part: 0.1, maxMs: 10_000 }

/** Of a token that expires then. Without an end it is shown for ever. */
export function lifetime(obtainedAt: number, expiresAt = Infinity): Lifetime {
  const life = expiresAt - obtainedAt
  return {
    refreshAt: obtainedAt + life * FRESH,
    until: expiresAt - Math.min(life * MARGIN.part, MARGIN.maxMs),
  }
}

/** The value of the header that shows a token (RFC 6750 section 2.1). */
export const bearer = (token: Secret): string => `Bearer ${token.reveal()}`

export const bearerHeaders = (token: Secret): readonly string[] => Object.freeze(['authorization', bearer(token)])

/** Of callers who have nothing to show. */
export const NOTHING: readonly string[] = Object.freeze([])
