/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/u
const MAX_SCOPES = 200

export const isScope = (value: unknown): value is string => typeof value === 'string' && SCOPE.test(value)

/** The scopes of a text with spaces, or of a list. What cannot be a scope is left out. */
export function readScopes(value: unknown): readonly string[] {
  const parts: unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
  return union(parts.slice(0, MAX_SCOPES).filter(isScope))
}

export const union = (...lists: readonly (readonly string[])[]): readonly string[] => [...new Set(lists.flat())]
