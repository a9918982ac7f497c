import { GatewayError } from '../../model/errors.ts'
import type { Identified } from '../../model/principal.ts'
import type { Secret } from '../../model/secret.ts'
import type { Token } from './token-answer.ts'

/** The name of RFC 8693 section 3 for a kind of token. */
export const tokenType = (name: 'access_token' | 'id_token' | 'jwt' | 'id-jag'): string =>
  `urn:ietf:params:oauth:token-type:${name}`

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/**
 * What an exchanged token depends on, besides the backend: the person, the client, and what the shown token allows, so
 * that a weaker token of the same person does not get what a stronger one was exchanged for.
 */
export const subjectKey = ({ key, scopes }: Identified): string => `${key}\n${scopes.join(' ')}`

/** Whether a key of `subjectKey` is one of the principal with this key. */
export const isKeyOf = (principal: string, key: string): boolean => key.startsWith(`${principal}\n`)

/** The token that the caller has shown. Throws `CREDENTIAL_UNAVAILABLE` for callers who are known by other means. */
export function proofOf(principal: Identified): Secret {
  if (principal.proof) return principal.proof
  const message = "this backend is shown a token that the caller's own is exchanged for, and the caller has shown none"
  throw new GatewayError('CREDENTIAL_UNAVAILABLE', message)
}

/**
 * When the caller's token says that it ends, milliseconds since the epoch: what is made of it is not shown later, though
 * the door may let its caller in a little longer. Throws `CREDENTIAL_UNAVAILABLE` when that is over.
 */
export function endOf({ claims, expiresAt }: Identified, now: number): number | undefined {
  const { exp } = claims
  const end = typeof exp === 'number' ? Math.min(exp * 1000, expiresAt ?? Infinity) : expiresAt
  if (end === undefined || end > now) return end
  throw new GatewayError('CREDENTIAL_UNAVAILABLE', "the caller's token has expired, so it is not exchanged any more")
}

/** Throws when a server hands back what it was given: the caller's own token must not reach a backend. */
export function notEcho(token: Token, subject: Secret): Token {
  if (token.value.reveal() !== subject.reveal()) return token
  throw new GatewayError(
    'CREDENTIAL_UNAVAILABLE',
    "the exchange returned the caller's own token instead of another one",
  )
}
