import { readScopes } from './scopes.ts'

/** What a backend says about the way to a token: the Bearer challenge of RFC 6750 with that of RFC 9728 section 5.1. */
export interface Challenge {
  readonly resourceMetadata: string | undefined
  readonly scopes: readonly string[]
  readonly error: string | undefined
}

const MAX_LENGTH = 8192
/** A parameter, or the name of a scheme that begins a challenge. */
const PART = /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/gu

/** Of several challenges in one header the first for Bearer counts. `undefined`: there is none. */
export function bearerChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined || header.length > MAX_LENGTH) return undefined
  let found: Map<string, string> | undefined
  for (const [, name = '', quoted, plain] of header.matchAll(PART)) {
    const value = quoted?.replace(/\\(.)/gu, '$1') ?? plain
    if (value === undefined) {
      if (found) break
      if (name.toLowerCase() === 'bearer') found = new Map()
    } else if (found && !found.has(name.toLowerCase())) found.set(name.toLowerCase(), value)
  }
  return (
    found && {
      resourceMetadata: found.get('resource_metadata'),
      scopes: readScopes(found.get('scope')),
      error: found.get('error'),
    }
  )
}
