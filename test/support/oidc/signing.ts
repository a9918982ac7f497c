import { createHmac } from 'node:crypto'
import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose'

/** A key pair of an issuer, with which a test may sign whatever it likes. */
export interface SigningKey {
  alg: string
  kid: string
  /** With private members. */
  privateJwk: JWK
  publicJwk: JWK
  /** A JWT with these claims, and these members over those of an ordinary header. `undefined` removes one. */
  mint(claims: object, header?: Record<string, unknown>): Promise<string>
}

export async function signingKey(alg: string, kid: string = alg): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const marks = { kid, alg, use: 'sig' }
  return {
    alg,
    kid,
    privateJwk: { ...(await exportJWK(privateKey)), ...marks },
    publicJwk: { ...(await exportJWK(publicKey)), ...marks },
    mint(claims, header = {}) {
      const whole = JSON.parse(JSON.stringify({ alg, kid, typ: 'at+jwt', ...header })) as { alg: string }
      const payload = new TextEncoder().encode(JSON.stringify(claims))
      const crit = Object.fromEntries(((whole as { crit?: string[] }).crit ?? []).map((name) => [name, true]))
      return new CompactSign(payload).setProtectedHeader(whole).sign(privateKey, { crit })
    },
  }
}

const part = (value: object | string) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A JWT without a signature. */
export const unsigned = (claims: object, alg = 'none'): string => `${part({ alg, typ: 'at+jwt' })}.${part(claims)}.`

/** A JWT whose HMAC key is a text that everybody knows, such as a public key. */
export function hmacSigned(claims: object, secret: string, header: object = {}): string {
  const signed = `${part({ alg: 'HS256', typ: 'at+jwt', ...header })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

/** The same token with one member of its claims changed and the signature kept. */
export function tampered(token: string, change: object): string {
  const [head, body = '', signature] = token.split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object
  return `${head}.${part({ ...claims, ...change })}.${signature}`
}
