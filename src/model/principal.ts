import type { JsonObject } from './json.ts'
import type { Secret } from './secret.ts'

/** Who is asking. */
export type Principal = { kind: 'anonymous' } | Identified

/** Somebody who showed a token. Verified tokens of one person over time differ in everything but `key`. */
export interface Identified {
  readonly kind: 'identified'
  /**
   * Issuer, subject and client: what sessions, cursors, tasks and parked calls belong to. Minted in `auth/inbound`;
   * printable, no secret.
   */
  readonly key: string
  /** The subject with the prefix of its issuer: the name that policies know. */
  readonly id: string
  readonly issuer: string
  readonly subject: string
  /** `client_id`, else `azp`. */
  readonly client: string | undefined
  readonly scopes: readonly string[]
  /** As the issuer gave them, frozen. */
  readonly claims: JsonObject
  /** Milliseconds since the epoch; `undefined`: it does not end by itself. */
  readonly expiresAt: number | undefined
  /** The token itself, to be exchanged for others; never sent to a backend. */
  readonly proof: Secret | undefined
}

export const ANONYMOUS: Principal = { kind: 'anonymous' }

/** A stable key: equal for the same principal whatever token it shows. */
export function principalKey(principal: Principal): string {
  return principal.kind === 'anonymous' ? 'anonymous' : principal.key
}

/** The key of somebody identified. Lists of JSON cannot be confused, whatever characters their members have. */
export function identityKey(issuer: string, subject: string, client: string | undefined): string {
  return JSON.stringify([issuer, subject, client ?? null])
}

/** Whom a key of `identityKey` stands for; `undefined`: it is no such key. */
export function identityOf(key: string): { issuer: string; subject: string; client: string | undefined } | undefined {
  const members = membersOf(key)
  const [issuer, subject, client] = members
  if (members.length !== 3 || typeof issuer !== 'string' || typeof subject !== 'string') return undefined
  if (client !== null && typeof client !== 'string') return undefined
  return { issuer, subject, client: client ?? undefined }
}

function membersOf(key: string): readonly unknown[] {
  try {
    const value = JSON.parse(key) as unknown
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
