import { hkdfSync } from 'node:crypto'
import type { SealingKey } from '../../model/settings.ts'
import { type ByteKey, byteKey, nonces, openBytes, sealBytes } from '../../protocol/sealed-bytes.ts'
import type { Sealing } from '../../workflow/store/file-store.ts'

const PURPOSE = 'vmcp workflow runs'
const KEY_BYTES = 32
const NAME_BYTES = 4

/** Seals runs with keys that seal nothing else. `keys`: the first seals, all open; asked each time, for they rotate. */
export function runSealing(keys: () => readonly SealingKey[]): Sealing {
  const known = new Map<string, ByteKey>()
  const derived = ({ key }: SealingKey): ByteKey => {
    const id = key.toString('base64')
    let made = known.get(id)
    if (!made) {
      const bytes = Buffer.from(hkdfSync('sha256', key, '', PURPOSE, KEY_BYTES + NAME_BYTES))
      known.set(id, (made = byteKey(bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES))))
    }
    return made
  }
  const sealingKey = (): ByteKey => {
    const [first] = keys()
    if (!first) throw new Error('no sealing key')
    return derived(first)
  }
  const nonce = nonces()
  return {
    key: () => sealingKey().tag.toString('hex'),
    seal: (text, binding) => sealBytes(sealingKey(), nonce(), text, binding),
    open: (sealed, binding) => openBytes(keys().map(derived), sealed, binding),
  }
}
