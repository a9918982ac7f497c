import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomFillSync,
} from 'node:crypto'
import { join } from 'node:path'
import type { SealingKey, WorkflowSettings } from '../../model/settings.ts'
import { parseJson } from '../../protocol/json.ts'
import { openFileStore, type Sealing } from '../../workflow/store/file-store.ts'
import { createMemoryStore } from '../../workflow/store/memory-store.ts'
import type { RunStore } from '../../workflow/store/run-store.ts'

export interface StoreParts {
  storage: WorkflowSettings['storage']
  /** Where the file lies, unless `storage` says it. Absent: nothing is kept in files. */
  stateFolder: string | undefined
  /** The first seals, all open. Asked each time: keys rotate. */
  keys: () => readonly SealingKey[]
}

/** Where runs lie. A file is opened when it is needed, and again after it could not be. */
export function runStore({ storage, stateFolder, keys }: StoreParts): RunStore {
  const folder = storage.path ?? (stateFolder && join(stateFolder, 'workflows'))
  if (storage.provider === 'memory' || folder === undefined) return createMemoryStore(parseJson)
  return opened(() => openFileStore({ folder, sealing: sealingWith(keys), parse: parseJson }))
}

/** The store that `open` gives, once it is used. */
function opened(open: () => Promise<RunStore>): RunStore {
  let store: Promise<RunStore> | undefined
  const use = (): Promise<RunStore> =>
    (store ??= open().catch((error: unknown) => {
      store = undefined
      throw error
    }))
  return {
    create: async (...given) => (await use()).create(...given),
    read: async (...given) => (await use()).read(...given),
    update: async (...given) => (await use()).update(...given),
    list: async (...given) => (await use()).list(...given),
    renew: async (...given) => (await use()).renew(...given),
    erase: async (...given) => (await use()).erase(...given),
    close: async () => store && (await store).close(),
  }
}

const CIPHER = 'aes-256-gcm'
const PURPOSE = 'vmcp workflow runs'
const TAG_BYTES = 4
const IV_BYTES = 12
const MAC_BYTES = 16
const IV_AT = TAG_BYTES
const MAC_AT = IV_AT + IV_BYTES
const BODY_AT = MAC_AT + MAC_BYTES

/** Of so many seals at once: asking for each alone costs more than the rest of it. */
const NONCES = 256

interface Derived {
  /** Made once: from bytes each use would make it anew. */
  key: KeyObject
  /** Names the key, and tells nothing of it. */
  tag: Buffer
}

/** AES-256-GCM with keys that seal nothing else: tag of the key, nonce, code, text. */
function sealingWith(keys: () => readonly SealingKey[]): Sealing {
  const known = new Map<string, Derived>()
  const derived = ({ key }: SealingKey): Derived => {
    const id = key.toString('base64')
    let made = known.get(id)
    if (!made) {
      const bytes = Buffer.from(hkdfSync('sha256', key, '', PURPOSE, 32 + TAG_BYTES))
      known.set(id, (made = { key: createSecretKey(bytes.subarray(0, 32)), tag: bytes.subarray(32) }))
    }
    return made
  }
  const nonces = new Uint8Array(NONCES * IV_BYTES)
  let next = nonces.length
  const nonce = (): Uint8Array => {
    if (next === nonces.length) {
      randomFillSync(nonces)
      next = 0
    }
    next += IV_BYTES
    return nonces.subarray(next - IV_BYTES, next)
  }
  const sealingKey = (): Derived => {
    const [first] = keys()
    if (!first) throw new Error('no sealing key')
    return derived(first)
  }
  return {
    key: () => sealingKey().tag.toString('hex'),
    seal: (text, binding) => {
      const { key, tag } = sealingKey()
      const iv = nonce()
      const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: MAC_BYTES }).setAAD(Buffer.from(binding))
      const body = cipher.update(text, 'utf8')
      // Of this mode it is empty, and makes the code.
      cipher.final()
      // Not of the pool: it is sent to another thread, and all of its memory with it.
      const sealed = new Uint8Array(BODY_AT + body.length)
      sealed.set(tag)
      sealed.set(iv, IV_AT)
      sealed.set(cipher.getAuthTag(), MAC_AT)
      sealed.set(body, BODY_AT)
      return sealed
    },
    open: (given, binding) => {
      const sealed = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
      const key = keys()
        .map(derived)
        .find(({ tag }) => tag.equals(sealed.subarray(0, IV_AT)))
      if (!key || sealed.length < BODY_AT) return undefined
      try {
        const decipher = createDecipheriv(CIPHER, key.key, sealed.subarray(IV_AT, MAC_AT), { authTagLength: MAC_BYTES })
        decipher.setAAD(Buffer.from(binding)).setAuthTag(sealed.subarray(MAC_AT, BODY_AT))
        return Buffer.concat([decipher.update(sealed.subarray(BODY_AT)), decipher.final()]).toString('utf8')
      } catch {
        return undefined
      }
    },
  }
}
