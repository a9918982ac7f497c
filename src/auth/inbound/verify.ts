import type { JsonObject } from '../../model/json.ts'
import { signingKey, type UncheckedJwt } from '../issuer/jwt.ts'
import { fittingKeys, isAcceptedAlgorithm, type Key } from '../issuer/keys.ts'
import { type CheckedClaims, checkClaims } from './claims.ts'
import { checkHeader } from './header.ts'
import { identified } from './principal.ts'
import { Unproven } from './refusals.ts'
import type { Verified } from './token-cache.ts'
import type { Trusted } from './trusted.ts'

/** An answer of introspection counts this long at most: tokens that are revoked must cease to work. */
const INTROSPECTED_MS = 60_000

export type Checked = Omit<Verified, 'issuer'>

/**
 * Checks a JWT of a trusted issuer. What costs nothing comes first, so that tokens which would be refused anyhow make
 * nobody fetch keys; an attacker learns only about claims of his own making. Throws `Unproven`, `ISSUER_UNREACHABLE`.
 */
export async function verifyJwt(
  jwt: UncheckedJwt,
  trusted: Trusted,
  others: Prefixes,
  now: () => number,
): Promise<Checked> {
  const { issuer, keySource } = trusted
  if (!isAcceptedAlgorithm(jwt.algorithm)) throw new Unproven('algorithm')
  checkHeader(jwt.header)
  const begun = now()
  const claims = checkClaims(jwt.claims, issuer, begun, 'jwt')
  const key = (await match(jwt, await keySource.keys())) ?? (await match(jwt, await keySource.askAgain(begun)))
  // It may have been withdrawn while the signature was checked.
  if (!key || key.retired) throw new Unproven('key')
  return checked(jwt.token, jwt.claims, claims, trusted, others, key, claims.expiresAt ?? begun)
}

/** `undefined`: a newer key set may know the key. Throws `Unproven` when the key that the token names did not sign it. */
async function match(jwt: UncheckedJwt, keys: readonly Key[]): Promise<Key | undefined> {
  const fitting = fittingKeys(keys, jwt.algorithm, jwt.header['kid'])
  const key = await signingKey(jwt, fitting)
  if (!key && fitting.length > 0 && jwt.header['kid'] !== undefined) throw new Unproven('signature')
  return key
}

/** Lets the issuer of an opaque token check it. Throws `Unproven`, `ISSUER_UNREACHABLE`. */
export async function verifyOpaque(
  token: string,
  wasGood: boolean,
  trusted: Trusted,
  others: Prefixes,
  now: () => number,
): Promise<Checked> {
  if (!trusted.introspect) throw new Unproven('opaque')
  const answer = await trusted.introspect(token, wasGood)
  const claims = checkClaims(answer, trusted.issuer, now(), 'introspected')
  const until = Math.min(now() + INTROSPECTED_MS, claims.expiresAt ?? Infinity)
  return checked(token, answer, claims, trusted, others, undefined, until)
}

/** Prefixes of the subjects of other issuers. */
export type Prefixes = readonly string[]

function checked(
  token: string,
  received: JsonObject,
  claims: CheckedClaims,
  { issuer }: Trusted,
  others: Prefixes,
  key: Key | undefined,
  until: number,
): Checked {
  const principal = identified(issuer, claims, received, token)
  // Prefixes may begin alike ("" and "b:"): then a subject could be made to read as somebody of another issuer.
  const longer = others.filter((prefix) => prefix.length > issuer.subjectPrefix.length)
  if (longer.some((prefix) => principal.id.startsWith(prefix))) throw new Unproven('subject')
  return {
    principal,
    key,
    until,
    sufficient: issuer.requiredScopes.every((scope) => claims.scopes.includes(scope)),
  }
}
