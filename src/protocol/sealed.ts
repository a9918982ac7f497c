import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { JsonValue } from '../model/json.ts'
import type { SealingKey } from '../model/settings.ts'
import { type ByteKey, byteKey, NONCE_BYTES, nonces, openBytes, sealBytes } from './sealed-bytes.ts'

/** Nothing that we seal is longer; a longer token is refused before any work. */
const MAX_TOKEN = 8192

/**
 * Seals small values into opaque tokens. The first key seals, all open, so keys rotate.
 * `purpose` and whatever the token is bound to (principal, list) go in as `binding`: a token opened under another one fails.
 */
export class Sealer {
  readonly #keys: readonly (ByteKey & { readonly steady: Buffer })[]
  readonly #nonce = nonces()

  /** Without keys: one random key for this process. */
  constructor(keys: readonly SealingKey[] = []) {
    const all = keys.length > 0 ? keys : [{ id: 'process', key: randomBytes(32) }]
    this.#keys = all.map(({ key }) => ({
      ...byteKey(key, createHash('sha256').update(key).digest()),
      steady: createHmac('sha256', key).update('steady').digest(),
    }))
  }

  seal(value: JsonValue, binding: string): string {
    return this.#seal(JSON.stringify(value), binding, this.#nonce)
  }

  /**
   * The same token every time, as long as the first key stays: for names that are compared. Whoever sees two tokens sees
   * whether their values are equal, and nothing else.
   */
  sealSteadily(value: JsonValue, binding: string): string {
    const text = JSON.stringify(value)
    return this.#seal(text, binding, (steady) =>
      createHmac('sha256', steady)
        .update(JSON.stringify([binding, text]))
        .digest()
        .subarray(0, NONCE_BYTES),
    )
  }

  #seal(text: string, binding: string, nonceOf: (steady: Buffer) => Uint8Array): string {
    const [first] = this.#keys
    if (!first) throw new Error('no sealing key')
    const sealed = sealBytes(first, nonceOf(first.steady), text, binding)
    return Buffer.from(sealed.buffer).toString('base64url')
  }

  /** `undefined`: not ours, tampered with, sealed by a key we do not have, or bound to something else. */
  open(token: string, binding: string): JsonValue | undefined {
    if (token.length > MAX_TOKEN) return undefined
    const bytes = Buffer.from(token, 'base64url')
    // The decoder skips what is not base64: each token has one spelling only.
    if (bytes.toString('base64url') !== token) return undefined
    const text = openBytes(this.#keys, bytes, binding)
    return text === undefined ? undefined : (JSON.parse(text) as JsonValue)
  }
}
