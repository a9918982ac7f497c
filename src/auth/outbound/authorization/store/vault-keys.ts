import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { SealingKey } from '../../../../model/settings.ts'
import { ensuredKey, fileKey } from '../../../key-file.ts'
import type { SealedWith } from './store-fault.ts'

/** What seals a file: the first key seals, all open. */
export interface VaultKeys {
  seal(text: string): Promise<string>
  /** `undefined`: it was not sealed with any of these keys, or has been changed since. */
  open(sealed: string): Promise<string | undefined>
  /** What it says it was sealed with, true or not; `undefined`: it says nothing. */
  sealedWith(sealed: string): SealedWith | undefined
  /** Holds the key where none is configured. */
  readonly keyFile: string
}

const CIPHER = 'aes-256-gcm'
const PURPOSE = 'vmcp token store'
const IV_BYTES = 12
const TAG_BYTES = 16
/** Of a key that comes from the key file. */
const FILE_ID = 'file'
/** Of a name that is repeated to people: the file may be anybody's. */
const MAX_ID = 100

/** Without configured keys that of `keyFile`, which is generated at first use. */
export function createVaultKeys(configured: readonly SealingKey[], keyFile: string): VaultKeys {
  const derived = configured.map(({ id, key }) => ({ id, key: derive(key) }))
  return {
    async seal(text) {
      const { id, key } = derived[0] ?? { id: FILE_ID, key: derive(ensuredKey(keyFile)) }
      const head = Buffer.from(JSON.stringify({ v: 1, key: id })).toString('base64url')
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(head))
      const body = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${head}.${body.toString('base64url')}\n`
    },
    async open(sealed) {
      const [head = '', body = ''] = sealed.trim().split('.')
      const bytes = Buffer.from(body, 'base64url')
      const keys = derived.filter(({ id }) => id === idOf(head)).map(({ key }) => key)
      const kept = idOf(head) === FILE_ID ? fileKey(keyFile) : undefined
      if (kept) keys.push(derive(kept))
      for (const key of keys) {
        try {
          const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
          decipher.setAAD(Buffer.from(head)).setAuthTag(bytes.subarray(-TAG_BYTES))
          const text = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES))
          return Buffer.concat([text, decipher.final()]).toString('utf8')
        } catch {
          // Not this key.
        }
      }
      return undefined
    },
    sealedWith(sealed) {
      const id = idOf(sealed.split('.', 1)[0] ?? '')
      if (typeof id !== 'string') return undefined
      return id === FILE_ID ? { file: keyFile } : { id: id.slice(0, MAX_ID) }
    },
    keyFile,
  }
}

/** The key of other seals must not open this file, nor the other way round. */
const derive = (key: Buffer): Buffer => Buffer.from(hkdfSync('sha256', key, '', PURPOSE, 32))

function idOf(head: string): unknown {
  try {
    return (JSON.parse(Buffer.from(head, 'base64url').toString()) as { key?: unknown } | null)?.key
  } catch {
    return undefined
  }
}
