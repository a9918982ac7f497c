import { createHash } from 'node:crypto'
import { Secret } from './secret.ts'

/** Equal for equal settings. Secrets count by their value, which cannot be read from it. */
export function fingerprint(value: unknown): string {
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key, member) {
    const raw = this[key]
    return raw instanceof Secret ? raw.reveal() : (member as unknown)
  })
  return createHash('sha256')
    .update(text ?? '')
    .digest('base64url')
}
