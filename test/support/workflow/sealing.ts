import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

import type { Sealing } from '../../../src/workflow/store/file-store.ts'

/** AES-256-GCM, as the gateway has it. */
export function sealingWith(key: Buffer): Sealing {
  return {
    key: () => key.toString('hex'),
    seal: (text, binding) => {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv)
      cipher.setAAD(Buffer.from(binding))
      const body = cipher.update(text, 'utf8')
      cipher.final()
      return Buffer.concat([iv, cipher.getAuthTag(), body])
    },
    open: (sealed, binding) => {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
        decipher.setAAD(Buffer.from(binding))
        decipher.setAuthTag(sealed.subarray(12, 28))
        return decipher.update(sealed.subarray(28), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        return undefined
      }
    },
  }
}

export const TEST_KEY = Buffer.alloc(32, 7)
