import { createHash } from 'node:crypto'

/** What the APIs of language models take as the name of a tool: fewer characters than MCP itself allows. */
const LONGEST = 64
const GUARDED = /^[A-Za-z0-9_-]{1,64}$/
const HASH_LENGTH = 8

/**
 * The name guard (contract 4): at most 64 characters of `[A-Za-z0-9_-]`. Other characters become `_`, a longer name is cut
 * and ends in `_` and a hash of the whole original. A guarded name comes back unchanged; two short names may become one.
 */
export function guardName(name: string): string {
  if (GUARDED.test(name)) return name
  const cut = sanitize(name.slice(0, 2 * LONGEST + 2))
  if (name.length <= 2 * LONGEST && cut.length <= LONGEST) return cut === '' ? '_' : cut
  return `${cut.slice(0, LONGEST - HASH_LENGTH - 1)}_${shortHash(name)}`
}

/** One `_` for each character as people count them: a surrogate pair is one. */
const sanitize = (name: string): string => name.replace(/[^A-Za-z0-9_-]/gu, '_')

/** What stands in front of the names of a backend. */
export function prefixOf(format: string, backend: string): string {
  return format.replaceAll('{workload}', () => backend)
}

/** Stable across restarts and platforms. */
export function shortHash(text: string): string {
  // As UTF-16: in UTF-8 every lone surrogate becomes the same replacement character, and different names one hash.
  return createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('hex').slice(0, HASH_LENGTH)
}
