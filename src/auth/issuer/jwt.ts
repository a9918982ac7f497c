import { compactVerify } from 'jose'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import type { Key } from './keys.ts'

/** A JWT that was taken apart and not checked. */
export interface UncheckedJwt {
  readonly token: string
  readonly algorithm: string
  readonly header: JsonObject
  readonly claims: JsonObject
}

const COMPACT = /^([\w-]+)\.([\w-]*)\.[\w-]*$/u

/** `undefined`: it is no JWT. Throws an `Error` for a JWT without claims. */
export function readJwt(token: string): UncheckedJwt | undefined {
  const [, head = '', body = ''] = COMPACT.exec(token) ?? []
  const header = decode(head)
  const algorithm = isObject(header) ? header['alg'] : undefined
  if (!isObject(header) || typeof algorithm !== 'string') return undefined
  const claims = decode(body)
  if (!isObject(claims)) throw new Error('a JWT without claims')
  return { token, algorithm, header, claims }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function decode(part: string): JsonValue | undefined {
  try {
    return JSON.parse(UTF8.decode(Buffer.from(part, 'base64url'))) as JsonValue
  } catch {
    return undefined
  }
}

/** The key of `keys` that signed the token; `undefined`: none did. */
export async function signingKey({ token, algorithm }: UncheckedJwt, keys: readonly Key[]): Promise<Key | undefined> {
  for (const key of keys) {
    const signed = await compactVerify(token, key.material, { algorithms: [algorithm] }).then(
      () => true,
      () => false,
    )
    if (signed) return key
  }
  return undefined
}
