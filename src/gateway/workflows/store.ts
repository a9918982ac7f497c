import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
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

interface Derived {
  key: Buffer
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
      known.set(id, (made = { key: bytes.subarray(0, 32), tag: bytes.subarray(32) }))
    }
    return made
  }
  return {
    seal: (text, binding) => {
      const [first] = keys()
      if (!first) throw new Error('no sealing key')
      const { key, tag } = derived(first)
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: MAC_BYTES }).setAAD(Buffer.from(binding))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([tag, iv, cipher.getAuthTag(), body])
    },
    open: (given, binding) => {
      const sealed = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
      const [ivAt, macAt, bodyAt] = [TAG_BYTES, TAG_BYTES + IV_BYTES, TAG_BYTES + IV_BYTES + MAC_BYTES]
      const key = keys()
        .map(derived)
        .find(({ tag }) => tag.equals(sealed.subarray(0, ivAt)))
      if (!key || sealed.length < bodyAt) return undefined
      try {
        const decipher = createDecipheriv(CIPHER, key.key, sealed.subarray(ivAt, macAt), { authTagLength: MAC_BYTES })
        decipher.setAAD(Buffer.from(binding)).setAuthTag(sealed.subarray(macAt, bodyAt))
        return Buffer.concat([decipher.update(sealed.subarray(bodyAt)), decipher.final()]).toString('utf8')
      } catch {
        return undefined
      }
    },
  }
}
