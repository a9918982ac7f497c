import { GatewayError } from '../../model/errors.ts'

/** Why a token proves nothing. The texts are all that a client learns: nothing of a token is ever repeated. */
const REASONS = {
  malformed: 'the authorization header holds no well-formed bearer token',
  oversized: 'the token is too large',
  untrusted: 'the issuer of the token is not trusted here',
  algorithm: 'the token is not signed with an algorithm that is accepted here',
  type: 'the token is not an access token',
  extension: 'the token needs an extension that is not supported',
  bound: 'the token is bound to a key that cannot be checked here',
  key: 'the key that signed the token is not known',
  signature: 'the signature of the token is not valid',
  claims: 'the claims of the token are not well-formed',
  subject: 'the token does not name a usable subject',
  audience: 'the token was not issued for this resource',
  expiry: 'the token does not say when it expires',
  expired: 'the token has expired',
  early: 'the token is not valid yet',
  inactive: 'the token is not active',
  opaque: 'the token is not a JWT and cannot be checked here',
  unknown: 'the token is not known',
} as const

export type Reason = keyof typeof REASONS

/** The facts of a challenge (RFC 6750 section 3, RFC 9728 section 5.1). */
export interface ChallengeSource {
  /** Where the metadata of the protected resource is. */
  readonly metadataUrl: string | undefined
  /** What a token needs here. */
  readonly scopes: readonly string[]
}

/** Thrown while a token is checked; the challenge is added where it is known for which issuer. */
export class Unproven extends Error {
  readonly reason: Reason

  constructor(reason: Reason) {
    super(REASONS[reason])
    this.name = 'Unproven'
    this.reason = reason
  }
}

/** No token came: the challenge carries no error (RFC 6750 section 3.1). */
export function noToken(source: ChallengeSource): GatewayError<'UNAUTHENTICATED'> {
  return new GatewayError('UNAUTHENTICATED', 'authentication required', { challenge: challenge(source) })
}

export function invalidToken(reason: Reason, source: ChallengeSource): GatewayError<'UNAUTHENTICATED'> {
  const text = REASONS[reason]
  return new GatewayError('UNAUTHENTICATED', text, { challenge: challenge(source, 'invalid_token', text) })
}

/** A good token lacks a scope. The challenge names all that are needed, so that a client can step up at once. */
export function insufficientScope(source: ChallengeSource): GatewayError<'SCOPE_MISSING'> {
  const text = 'the token lacks a scope that is needed here'
  return new GatewayError('SCOPE_MISSING', text, { challenge: challenge(source, 'insufficient_scope', text) })
}

/** None of the values can hold a quote: scopes and URLs have none, texts are ours. */
function challenge({ metadataUrl, scopes }: ChallengeSource, error?: string, description?: string): string {
  const parameters = [
    ['error', error],
    ['error_description', description],
    ['resource_metadata', metadataUrl],
    ['scope', scopes.length > 0 ? scopes.join(' ') : undefined],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`]))
  // A scheme must be followed by at least one parameter (RFC 6750 section 3).
  return `Bearer ${parameters.join(', ') || 'realm="vmcp"'}`
}
