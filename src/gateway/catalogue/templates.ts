import type { Catalogue, Entry } from '../../model/catalogue.ts'

/** What could not be matched in a bounded time is not worth matching. */
const MAX_URI = 8192

/** The entry that a URI leads to: the resource itself, else the first template that fits. */
export function resolveResource(catalogue: Catalogue, uri: string): Entry | undefined {
  const exact = catalogue.resources.get(uri) ?? catalogue.templates.get(uri)
  if (exact || uri.length > MAX_URI) return exact
  let unreachable: Entry | undefined
  for (const entry of catalogue.templates.values()) {
    if (!matchesTemplate(entry.shown, uri)) continue
    if (entry.visibility === 'listed') return entry
    if (entry.visibility === 'unreachable') unreachable ??= entry
  }
  return unreachable
}

/**
 * A part of a template. `stop`: what its value cannot hold; `first`: the character that its value begins with,
 * of an expression that may also be absent.
 */
type Part = { literal: string } | { literal?: never; stop: string; first: string | undefined }

const parsed = new Map<string, readonly Part[]>()
const MAX_PARSED = 10_000

/**
 * Whether a URI can come from a URI template (RFC 6570). No regular expression is built from the template,
 * which a backend chose: part by part, the places of the URI that can be reached are marked, so the time is
 * linear in the URI.
 */
export function matchesTemplate(template: string, uri: string): boolean {
  if (template.length > MAX_URI || uri.length > MAX_URI) return false
  const parts = partsOf(template)
  const [begin] = parts
  // Most templates are out after this.
  if (begin?.literal !== undefined && !uri.startsWith(begin.literal)) return false
  let reached = new Uint8Array(uri.length + 1)
  reached[0] = 1
  for (const part of parts) {
    reached = part.literal === undefined ? afterValue(part, reached, uri) : afterLiteral(part.literal, reached, uri)
    if (!reached.includes(1)) return false
  }
  return reached[uri.length] === 1
}

function afterLiteral(literal: string, reached: Uint8Array, uri: string): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(reached.length)
  for (let at = reached.indexOf(1); at !== -1; at = reached.indexOf(1, at + 1)) {
    if (uri.startsWith(literal, at)) next[at + literal.length] = 1
  }
  return next
}

function afterValue(
  { stop, first }: Part & { literal?: never },
  reached: Uint8Array,
  uri: string,
): Uint8Array<ArrayBuffer> {
  const next = first === undefined ? new Uint8Array(reached.length) : new Uint8Array(reached)
  let inside = false
  for (let at = 0; at < uri.length; at++) {
    const char = uri.charAt(at)
    if (reached[at] === 1 && (first === undefined || char === first)) inside = true
    if (stop.includes(char)) inside = false
    if (inside) next[at + 1] = 1
  }
  return next
}

/** Operators whose values begin with a character of their own. A query may begin with `?` and go on with `&`. */
const OPERATORS = '#./;?&'

function partsOf(template: string): readonly Part[] {
  const known = parsed.get(template)
  if (known) return known
  const parts: Part[] = []
  let at = 0
  for (const match of template.matchAll(/\{([+#./;?&]?)[^{}]*?(\*?)\}/g)) {
    if (match.index > at) parts.push({ literal: template.slice(at, match.index) })
    const [expression, operator = '', explode] = match
    const plain = operator === '' && explode === ''
    // Some frameworks let `{path*}` stand for several segments.
    parts.push({ stop: plain ? '/?#' : '', first: OPERATORS.includes(operator || ' ') ? operator : undefined })
    at = match.index + expression.length
  }
  if (at < template.length) parts.push({ literal: template.slice(at) })
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(template, parts)
  return parts
}
