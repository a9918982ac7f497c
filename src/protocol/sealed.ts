import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import type { JsonValue } from '../model/json.ts'
import type { SealingKey } from '../model/settings.ts'

const ALGORITHM = 'aes-256-gcm'
const KEY_TAG = 4
const IV = 12
const TAG = 16
/** Nothing that we seal is longer; a longer token is refused before any work. */
const MAX_TOKEN = 8192

/**
 * Seals small values into opaque tokens (AES-256-GCM). The first key seals, all open, so keys rotate.
 * `purpose` and whatever the token is bound to (principal, list) go in as `binding`: a token opened under another one fails.
 */
export class Sealer {
  readonly #keys: readonly { tag: Buffer; key: Buffer; steady: Buffer }[]

  /** Without keys: one random key for this process. */
  constructor(keys: readonly SealingKey[] = []) {
    const all = keys.length > 0 ? keys : [{ id: 'process', key: randomBytes(32) }]
    this.#keys = all.map(({ key }) => ({
      key,
      tag: createHash('sha256').update(key).digest().subarray(0, KEY_TAG),
      steady: createHmac('sha256', key).update('steady').digest(),
    }))
  }

  seal(value: JsonValue, binding: string): string {
    return this.#seal(JSON.stringify(value), binding, () => randomBytes(IV))
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
        .subarray(0, IV),
    )
  }

  #seal(text: string, binding: string, ivOf: (steady: Buffer) => Buffer): string {
    const [first] = this.#keys
    if (!first) throw new Error('no sealing key')
    const iv = ivOf(first.steady)
    const cipher = createCipheriv(ALGORITHM, first.key, iv)
    cipher.setAAD(Buffer.from(binding, 'utf8'))
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([first.tag, iv, cipher.getAuthTag(), body]).toString('base64url')
  }

  /** `undefined`: not ours, tampered with, sealed by a key we do not have, or bound to something else. */
  open(token: string, binding: string): JsonValue | undefined {
    if (token.length > MAX_TOKEN) return undefined
    const bytes = Buffer.from(token, 'base64url')
    // The decoder skips what is not base64: each token has one spelling only.
    if (bytes.length <= KEY_TAG + IV + TAG || bytes.toString('base64url') !== token) return undefined
    const key = this.#keys.find(({ tag }) => tag.equals(bytes.subarray(0, KEY_TAG)))
    if (!key) return undefined
    try {
      const decipher = createDecipheriv(ALGORITHM, key.key, bytes.subarray(KEY_TAG, KEY_TAG + IV))
      decipher.setAAD(Buffer.from(binding, 'utf8'))
      decipher.setAuthTag(bytes.subarray(KEY_TAG + IV, KEY_TAG + IV + TAG))
      const body = Buffer.concat([decipher.update(bytes.subarray(KEY_TAG + IV + TAG)), decipher.final()])
      return JSON.parse(body.toString('utf8')) as JsonValue
    } catch {
      return undefined
    }
  }
}
