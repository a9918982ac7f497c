import type { IncomingMessage } from 'node:http'

/**
 * Whether a header comes more than once. Of those that Node keeps the first of, a server on the way may have judged
 * the other one. `name` in lower case.
 */
export function isRepeated({ rawHeaders }: IncomingMessage, name: string): boolean {
  let found = false
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const other = rawHeaders[at] ?? ''
    if (other.length !== name.length || other.toLowerCase() !== name) continue
    if (found) return true
    found = true
  }
  return false
}
