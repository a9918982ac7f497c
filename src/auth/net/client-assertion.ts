import { createPrivateKey, type KeyObject, randomUUID, sign, type SignKeyObjectInput, constants } from 'node:crypto'
import { promisify } from 'node:util'

/** How keys of one type sign (RFC 7518 section 3.1). */
interface Signing {
  algorithm: string
  hash: string | null
  options: Omit<SignKeyObjectInput, 'key'>
}

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
const POINTS = { dsaEncoding: 'ieee-p1363' } as const

/** By key type, and the curve for keys on one. */
const SIGNINGS: Readonly<Record<string, Signing>> = {
  rsa: { algorithm: 'RS256', hash: 'sha256', options: {} },
  'rsa-pss': { algorithm: 'PS256', hash: 'sha256', options: PSS },
  'ec prime256v1': { algorithm: 'ES256', hash: 'sha256', options: POINTS },
  'ec secp384r1': { algorithm: 'ES384', hash: 'sha384', options: POINTS },
  'ec secp521r1': { algorithm: 'ES512', hash: 'sha512', options: POINTS },
  ed25519: { algorithm: 'EdDSA', hash: null, options: {} },
}

/** Seconds. */
const LIFE = 60

const signAsync = promisify<string | null, Buffer, SignKeyObjectInput, Buffer>(sign)

/** Proves once who the client is (RFC 7523 section 3). `audience`: the issuer, or its token endpoint. */
export type ClientAssertion = (clientId: string, audience: string, now: number) => Promise<string>

/**
 * Signs with a private key in PEM; its type decides the algorithm. Throws an `Error`, without any of the text, when
 * that cannot be read or its type cannot sign.
 */
export function createClientAssertion(pem: string): ClientAssertion {
  const key = privateKey(pem)
  const { asymmetricKeyType: type = '', asymmetricKeyDetails: details } = key
  const signing = SIGNINGS[details?.namedCurve === undefined ? type : `${type} ${details.namedCurve}`]
  if (!signing) throw new Error(`keys of type ${type} cannot sign: expected RSA, EC (P-256, P-384, P-521) or Ed25519`)
  const { algorithm, hash, options } = signing
  return async (clientId, audience, now) => {
    const issued = Math.floor(now / 1000)
    const text = [
      { alg: algorithm, typ: 'JWT' },
      { iss: clientId, sub: clientId, aud: audience, jti: randomUUID(), iat: issued, nbf: issued, exp: issued + LIFE },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const signature = await signAsync(hash, Buffer.from(text), { key, ...options })
    return `${text}.${signature.toString('base64url')}`
  }
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new Error('the private key cannot be read: expected PEM without a passphrase')
  }
}
