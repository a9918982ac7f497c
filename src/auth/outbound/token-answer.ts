import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import { Secret } from '../../model/secret.ts'

/** What a token endpoint has granted (RFC 6749 section 5.1). */
export interface Token {
  value: Secret
  /** Milliseconds since the epoch; `undefined`: the server did not say. */
  expiresAt: number | undefined
  scopes: readonly string[]
  refresh?: Secret
  /** As received: nobody has verified it. */
  idToken?: Secret
  /** `issued_token_type` of an exchange (RFC 8693 section 2.2.1). */
  issuedType?: string
}

/** How a token is used: as a bearer token, or not at all because it is no access token (RFC 8693 section 2.2.1). */
export type TokenUse = 'bearer' | 'n_a'

/** What stands in a header or a form without further thought (RFC 6750 section 2.1 and more). */
const TOKEN = /^[\x21-\x7e]+$/u
const MAX_SCOPES = 1000

/**
 * Reads a token from an answer with status 200. `asked`: the scopes that are meant when the answer names none (RFC 6749
 * section 5.1). Throws an `Error` that quotes nothing of the answer.
 */
export function readToken(text: string, use: TokenUse, asked: readonly string[], now: number): Token {
  const answer = objectOf(text)
  if (answer === undefined) throw new Error('an answer that is not a JSON object')
  const { access_token: value, token_type: type, scope, refresh_token: refresh, id_token: idToken } = answer
  if (!isToken(value)) throw new Error('an answer without a usable access_token')
  if (typeof type !== 'string' || type.toLowerCase() !== use) throw new Error(`a token that is not of type ${use}`)
  if (scope !== undefined && scope !== null && typeof scope !== 'string') throw new Error('a scope that is not text')
  const issuedType = answer['issued_token_type']
  return {
    value: new Secret(value),
    expiresAt: expiry(answer['expires_in'], now),
    scopes: typeof scope === 'string' ? scope.split(' ', MAX_SCOPES).filter((one) => one !== '') : asked,
    ...(isToken(refresh) && { refresh: new Secret(refresh) }),
    ...(isToken(idToken) && { idToken: new Secret(idToken) }),
    ...(typeof issuedType === 'string' && { issuedType }),
  }
}

/** The JSON object that a text is. */
export function objectOf(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as JsonValue
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isToken = (value: JsonValue | undefined): value is string => typeof value === 'string' && TOKEN.test(value)

/** Some servers send the number as text. */
function expiry(seconds: JsonValue | undefined, now: number): number | undefined {
  const number = typeof seconds === 'string' && seconds !== '' ? Number(seconds) : seconds
  if (number === undefined || number === null) return undefined
  if (typeof number !== 'number' || !(number >= 0)) throw new Error('an expires_in that is no number of seconds')
  return now + number * 1000
}
