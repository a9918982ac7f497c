import { z } from 'zod'
import { BYTES } from '../bytes.ts'
import { DURATION } from '../../model/duration.ts'

/** What stands in the file, short enough for one line. */
export function found(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'nothing (null)'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** What is said of a key that must be there and is not. */
export const MISSING = 'required, but missing'

export const expected = (what: string) => (issue: { input?: unknown }) =>
  issue.input === undefined ? MISSING : `expected ${what}, found ${found(issue.input)}`

/** A text of a certain form; the message names the form, not the pattern. */
export const text = (what: string, pattern: RegExp) =>
  z.string({ error: expected(what) }).regex(pattern, { error: expected(what) })

/** A Go duration, kept as written. */
export const duration = () => text('a duration such as 30s', DURATION)

const SIZE = 'a size such as 8Mi or a number of bytes'

/** A size in bytes, kept as written. */
export const bytes = () => z.union([z.int().min(1), text(SIZE, BYTES)], { error: expected(SIZE) })

/** An http or https URL; a reference such as `${HOST}` may stand in it. */
export const url = () => text('a URL that begins with http:// or https://', /^(https?:\/\/[^/]|\$\{)/u)

/** Any text but the empty one. */
export const name = () => text('a name', /\S/u)

/** The name of an environment variable. */
export const variable = () => text('the name of an environment variable', /^[A-Za-z_][A-Za-z0-9_]*$/u)

/** A file's path. Relative ones start at the folder of the file that names them. */
export const path = () => text('a path', /^[^\0]+$/u)

/** An HTTP field name (RFC 9110 section 5.1). */
export const headerName = () => text('the name of an HTTP header', /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u)

export const texts = () => z.array(z.string())
export const textMap = () => z.record(z.string(), z.string())
export const port = () => z.int().min(1).max(65_535)
