import type { Issuer } from '../../model/issuer.ts'
import { isDeep, type JsonObject, type JsonValue } from '../../model/json.ts'
import { Unproven } from './refusals.ts'

/** Clocks of issuers may be this much ahead of ours, and this much behind where an expiry is concerned. */
const SKEW_MS = 60_000
const EXPIRY_SKEW_MS = 30_000
const MAX_DEPTH = 8
const MAX_CLAIMS = 200
/** Of a subject and of a client; the latter may be a URL. */
const MAX_NAME_LENGTH = 2048

/** What is taken from the claims of a token that is valid now. */
export interface CheckedClaims {
  readonly subject: string
  readonly client: string | undefined
  readonly scopes: readonly string[]
  /** From when on it is refused, milliseconds since the epoch. */
  readonly expiresAt: number | undefined
}

/**
 * Checks the claims of a token of `issuer`, whose signature is somebody else's concern. Introspected ones may leave
 * out `iss` and `exp` (RFC 7662 section 2.2). Throws `Unproven`.
 */
export function checkClaims(
  claims: JsonObject,
  issuer: Issuer,
  now: number,
  kind: 'jwt' | 'introspected',
): CheckedClaims {
  if (Object.keys(claims).length > MAX_CLAIMS || isDeep(claims, MAX_DEPTH)) throw new Unproven('oversized')
  const { iss, aud, sub, cnf } = claims
  if (iss !== issuer.name && !(kind === 'introspected' && iss === undefined)) throw new Unproven('untrusted')
  // Whoever holds a bound token need not be whom it was issued to.
  if (cnf !== undefined) throw new Unproven('bound')
  if (!audiences(aud).some((audience) => issuer.audiences.includes(audience))) throw new Unproven('audience')
  const expiry = moment(claims['exp'])
  if (expiry === undefined && kind === 'jwt') throw new Unproven('expiry')
  const expiresAt = expiry === undefined ? undefined : expiry + EXPIRY_SKEW_MS
  if (expiresAt !== undefined && expiresAt <= now) throw new Unproven('expired')
  for (const name of ['nbf', 'iat']) {
    if ((moment(claims[name]) ?? 0) > now + SKEW_MS) throw new Unproven('early')
  }
  if (!isName(sub)) throw new Unproven('subject')
  return { subject: sub, client: client(claims), scopes: scopes(claims), expiresAt }
}

function audiences(aud: JsonValue | undefined): readonly string[] {
  const list = Array.isArray(aud) ? aud : [aud]
  return list.filter((audience) => typeof audience === 'string')
}

/** In milliseconds. */
function moment(claim: JsonValue | undefined): number | undefined {
  if (claim === undefined) return undefined
  if (typeof claim !== 'number' || !Number.isFinite(claim)) throw new Unproven('claims')
  return claim * 1000
}

/** Text that can be shown, compared and logged as it is. */
const NAME = /^[^\p{Cc}\p{Cs}]+$/u

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_NAME_LENGTH && NAME.test(value)

/** `client_id` (RFC 9068), else `azp` (OpenID Connect). */
function client({ client_id: id, azp }: JsonObject): string | undefined {
  const name = id ?? azp
  if (name === undefined || isName(name)) return name
  throw new Unproven('claims')
}

/** `scope` is a text with spaces (RFC 9068), `scp` a list or such a text. */
function scopes({ scope, scp }: JsonObject): readonly string[] {
  const found = [scope, scp].flat().filter((value) => typeof value === 'string')
  return [...new Set(found.flatMap((value) => value.split(' ')).filter((value) => value !== ''))]
}
