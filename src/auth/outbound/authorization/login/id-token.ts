import type { JsonObject } from '../../../../model/json.ts'
import { readJwt, signingKey, type UncheckedJwt } from '../../../issuer/jwt.ts'
import type { KeySource } from '../../../issuer/key-source.ts'
import { fittingKeys, isAcceptedAlgorithm, type Key } from '../../../issuer/keys.ts'
import { unavailable } from '../unavailable.ts'

/** What an ID token must say. */
export interface Expected {
  readonly issuer: string
  readonly clientId: string
  /** Absent: the token was not asked for by a browser, but renewed. */
  readonly nonce?: string
}

export interface IdentityClaims {
  readonly subject: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

const SKEW_MS = 60_000

/** OpenID Connect Core 1.0 section 3.1.3.7. Throws `CREDENTIAL_UNAVAILABLE`, `ISSUER_UNREACHABLE`. */
export async function verifyIdToken(
  token: string,
  expected: Expected,
  keySource: KeySource,
  now: () => number,
): Promise<IdentityClaims> {
  const jwt = unchecked(token)
  if (!jwt || !isAcceptedAlgorithm(jwt.algorithm)) throw refused('is not signed as it must be')
  const { typ: type, crit } = jwt.header
  // An access token of the same issuer is no proof that somebody has signed in here.
  if (type !== undefined && !(typeof type === 'string' && type.toLowerCase() === 'jwt'))
    throw refused('is of another type')
  if (crit !== undefined) throw refused('needs an extension that is not known')
  const begun = now()
  const claims = checked(jwt.claims, expected, begun)
  const signer = async (keys: Promise<readonly Key[]>) =>
    signingKey(jwt, fittingKeys(await keys, jwt.algorithm, jwt.header['kid']))
  const key = (await signer(keySource.keys())) ?? (await signer(keySource.askAgain(begun)))
  if (!key || key.retired) throw refused('is not signed by a key of the issuer')
  return claims
}

function unchecked(token: string): UncheckedJwt | undefined {
  try {
    return readJwt(token)
  } catch {
    return undefined
  }
}

function checked(claims: JsonObject, { issuer, clientId, nonce }: Expected, now: number): IdentityClaims {
  const { iss, aud, azp, sub, exp, iat, nbf } = claims
  if (iss !== issuer) throw refused('is of another issuer')
  const audiences = Array.isArray(aud) ? aud : [aud]
  if (!audiences.includes(clientId)) throw refused('is meant for another client')
  if ((azp !== undefined || audiences.length > 1) && azp !== clientId) throw refused('was issued to another client')
  if (typeof exp !== 'number' || !Number.isFinite(exp * 1000) || exp * 1000 + SKEW_MS <= now)
    throw refused('has expired')
  if (typeof iat !== 'number' || iat * 1000 > now + SKEW_MS) throw refused('is not valid yet')
  if (typeof nbf === 'number' && nbf * 1000 > now + SKEW_MS) throw refused('is not valid yet')
  if (nonce !== undefined && claims['nonce'] !== nonce) throw refused('answers another sign-in')
  if (typeof sub !== 'string' || sub === '') throw refused('names nobody')
  return { subject: sub, expiresAt: exp * 1000 }
}

const refused = (why: string) => unavailable(`the ID token of the sign-in ${why}`)
