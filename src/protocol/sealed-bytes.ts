import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto'

const CIPHER = 'aes-256-gcm'
const TAG_BYTES = 4
export const NONCE_BYTES = 12
const CODE_BYTES = 16
const NONCE_AT = TAG_BYTES
const CODE_AT = NONCE_AT + NONCE_BYTES
const TEXT_AT = CODE_AT + CODE_BYTES

/** Of so many seals at once: asking for each alone costs more than the rest of it. */
const NONCES = 256

/** A key as it seals. */
export interface ByteKey {
  /** Made once: from bytes each use would make it anew. */
  readonly key: KeyObject
  /** Names the key, and tells nothing of it. */
  readonly tag: Buffer
}

/** `bytes`: 32. Of `name` the first four bytes stand before whatever the key seals. */
export const byteKey = (bytes: Uint8Array, name: Buffer): ByteKey => ({
  key: createSecretKey(bytes),
  tag: name.subarray(0, TAG_BYTES),
})

/** Never the same twice: two texts under one nonce would open each other. */
export function nonces(): () => Uint8Array {
  const pool = new Uint8Array(NONCES * NONCE_BYTES)
  let next = pool.length
  return () => {
    if (next === pool.length) {
      randomFillSync(pool)
      next = 0
    }
    next += NONCE_BYTES
    return pool.subarray(next - NONCE_BYTES, next)
  }
}

/** A text under AES-256-GCM: tag of the key, nonce, code, text. It opens under its `binding` only. */
export function sealBytes({ key, tag }: ByteKey, nonce: Uint8Array, text: string, binding: string): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: CODE_BYTES }).setAAD(Buffer.from(binding))
  const body = cipher.update(text, 'utf8')
  // Of this mode it is empty, and makes the code.
  cipher.final()
  // Not of a pool: it may be sent to another thread, and all of its memory with it.
  const sealed = new Uint8Array(TEXT_AT + body.length)
  sealed.set(tag)
  sealed.set(nonce, NONCE_AT)
  sealed.set(cipher.getAuthTag(), CODE_AT)
  sealed.set(body, TEXT_AT)
  return sealed
}

/** `undefined`: not ours, tampered with, sealed by none of these keys, or bound to something else. */
export function openBytes(keys: readonly ByteKey[], given: Uint8Array, binding: string): string | undefined {
  const sealed = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
  const named = sealed.subarray(0, NONCE_AT)
  const found = keys.find(({ tag }) => tag.equals(named))
  if (!found || sealed.length < TEXT_AT) return undefined
  try {
    const nonce = sealed.subarray(NONCE_AT, CODE_AT)
    const decipher = createDecipheriv(CIPHER, found.key, nonce, { authTagLength: CODE_BYTES })
    decipher.setAAD(Buffer.from(binding)).setAuthTag(sealed.subarray(CODE_AT, TEXT_AT))
    return Buffer.concat([decipher.update(sealed.subarray(TEXT_AT)), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
