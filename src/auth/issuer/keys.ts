import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'

/** A public key of an issuer. It stays the same object as long as the issuer publishes it unchanged. */
export interface Key {
  readonly id: string | undefined
  readonly material: KeyObject
  /** `kty`, and the curve for keys on one. */
  readonly family: string
  /** The algorithm it is restricted to. */
  readonly algorithm: string | undefined
  readonly fingerprint: string
  /** The issuer does not publish it any more: what it has signed proves nothing. */
  retired: boolean
}

/** Signature algorithms that are accepted, and the keys that fit. There is neither `none` nor a shared secret. */
const FAMILIES: ReadonlyMap<string, string> = new Map([
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((name) => [name, 'RSA'] as const),
  ['ES256', 'EC P-256'],
  ['ES384', 'EC P-384'],
  ['ES512', 'EC P-521'],
  ['EdDSA', 'OKP Ed25519'],
  ['Ed25519', 'OKP Ed25519'],
])

/** Beyond, keys are ignored: trying them and importing them costs time. */
const MAX_KEYS = 100
/** How many keys are tried for a token that names none. */
const MAX_TRIED = 8
/** Smaller keys are weak, larger ones make a signature slow to check. */
const RSA_BITS = { min: 2048, max: 8192 }

export const isAcceptedAlgorithm = (name: string): boolean => FAMILIES.has(name)

/**
 * The usable keys of a key set (RFC 7517); others are ignored, so that one odd key takes nothing from the rest.
 * Keys of `previous` that are still there are taken over, the others are retired. `undefined`: it is no key set.
 */
export function readKeySet(document: JsonObject, previous: readonly Key[]): readonly Key[] | undefined {
  const list = document['keys']
  if (!Array.isArray(list)) return undefined
  const known = new Map(previous.map((key) => [key.fingerprint, key]))
  const keys = list.slice(0, MAX_KEYS).flatMap((jwk) => {
    const key = isObject(jwk) ? readKey(jwk) : undefined
    return key ? [known.get(key.fingerprint) ?? key] : []
  })
  for (const key of previous) key.retired = !keys.includes(key)
  return keys
}

function readKey(jwk: JsonObject): Key | undefined {
  const { kty, crv, kid, alg, use, key_ops: operations } = jwk
  const family = familyOf(kty, crv)
  if (family === undefined) return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined
  if (alg !== undefined && (typeof alg !== 'string' || FAMILIES.get(alg) !== family)) return undefined
  const material = importKey(jwk)
  if (!material || !isSound(material)) return undefined
  const id = typeof kid === 'string' ? kid : undefined
  const marks = JSON.stringify([id ?? null, alg ?? null])
  const fingerprint = createHash('sha256')
    .update(material.export({ type: 'spki', format: 'der' }))
    .update(marks)
  return { id, material, family, algorithm: alg, fingerprint: fingerprint.digest('base64'), retired: false }
}

function familyOf(kty: JsonValue | undefined, crv: JsonValue | undefined): string | undefined {
  if (kty === 'RSA') return kty
  if ((kty !== 'EC' && kty !== 'OKP') || typeof crv !== 'string') return undefined
  return [...FAMILIES.values()].find((family) => family === `${kty} ${crv}`)
}

/** Of public members only: a key set that shows private ones must not make us keep them. */
function importKey({ kty, n, e, crv, x, y }: JsonObject): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty, n, e, crv, x, y } as JsonWebKey, format: 'jwk' })
  } catch {
    return undefined
  }
}

function isSound({ asymmetricKeyDetails: details }: KeyObject): boolean {
  const bits = details?.modulusLength
  return bits === undefined || (bits >= RSA_BITS.min && bits <= RSA_BITS.max)
}

/** The keys that may have signed a token with this algorithm and `kid`. Without `kid`: all that fit, a few at most. */
export function fittingKeys(keys: readonly Key[], algorithm: string, kid: JsonValue | undefined): readonly Key[] {
  const family = FAMILIES.get(algorithm)
  const fitting = keys.filter(
    (key) => key.family === family && (key.algorithm === undefined || isSame(key.algorithm, algorithm)),
  )
  return (kid === undefined ? fitting : fitting.filter(({ id }) => id === kid)).slice(0, MAX_TRIED)
}

/** Of algorithms of one family. `Ed25519` is the precise name of what was called `EdDSA` (RFC 9864). */
const isSame = (a: string, b: string): boolean => a === b || FAMILIES.get(a) === 'OKP Ed25519'
