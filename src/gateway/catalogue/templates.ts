import type { BackendEntry, Catalogue } from '../../model/catalogue.ts'
import type { BackendId } from '../../model/ids.ts'

/** What could not be matched in a bounded time is not worth matching. */
const MAX_URI = 8192
/** A template of more parts matches nothing but itself. */
const MAX_PARTS = 64
/** Characters that may be looked at for the templates of one backend: a few milliseconds, or 50 templates of ten parts. */
const MAX_STEPS = 2 ** 22

/** The entry that a URI leads to: the resource itself, else the first template that fits. */
export function resolveResource(catalogue: Catalogue, uri: string): BackendEntry | undefined {
  const exact = catalogue.resources.get(uri) ?? catalogue.templates.get(uri)
  if (exact || uri.length > MAX_URI) return exact
  // To each its own: the templates of one backend must not keep those of another from being looked at.
  const efforts = new Map<BackendId, Effort>()
  let unreachable: BackendEntry | undefined
  for (const entry of catalogue.templates.values()) {
    const { backend } = entry.route
    let effort = efforts.get(backend)
    if (!effort) efforts.set(backend, (effort = { left: MAX_STEPS }))
    if (!matchesTemplate(entry.shown, uri, effort)) continue
    if (entry.visibility === 'listed') return entry
    if (entry.visibility === 'unreachable') unreachable ??= entry
  }
  return unreachable
}

/** How many characters may still be looked at. */
interface Effort {
  left: number
}

/**
 * A part of a template. `plain`: its value ends before the next segment; `first`: the character that its value begins
 * with, of an expression that may also be absent.
 */
type Part = { literal: string } | { literal?: never; plain: boolean; first: number | undefined }

const parsed = new Map<string, readonly Part[] | undefined>()
const MAX_PARSED = 10_000

/** Which places of the URI can be reached before and after a part; used by turns, by one match at a time. */
const PLACES = [new Uint8Array(MAX_URI + 1), new Uint8Array(MAX_URI + 1)] as const

/**
 * Whether a URI can come from a URI template (RFC 6570); false as well when to find out would take more than is left of
 * the effort. No regular expression is built from the template, which a backend chose: part by part, the places of the
 * URI that can be reached are marked, so the time is linear in the URI for each part.
 */
export function matchesTemplate(template: string, uri: string, effort: Effort = { left: MAX_STEPS }): boolean {
  if (template.length > MAX_URI || uri.length > MAX_URI || effort.left < 0) return false
  // More templates than are remembered are read again and again.
  if (!parsed.has(template)) effort.left -= template.length
  const parts = partsOf(template)
  if (!parts) return false
  const [begin] = parts
  // Most templates are out after this.
  if (begin?.literal !== undefined && !uri.startsWith(begin.literal)) return false
  let [reached, next] = [PLACES[0], PLACES[1]]
  reached.fill(0, 0, uri.length + 1)
  reached[0] = 1
  for (const part of parts) {
    effort.left -= uri.length
    if (effort.left < 0) return false
    if (part.literal === undefined) markAfterValue(part, reached, next, uri)
    else markAfterLiteral(part.literal, reached, next, uri, effort)
    ;[reached, next] = [next, reached]
    if (!reached.subarray(0, uri.length + 1).includes(1)) return false
  }
  return reached[uri.length] === 1
}

function markAfterLiteral(literal: string, reached: Uint8Array, next: Uint8Array, uri: string, effort: Effort): void {
  next.fill(0, 0, uri.length + 1)
  const begin = literal.charCodeAt(0)
  const last = uri.length - literal.length
  for (let at = 0; at <= last; at++) {
    if (reached[at] !== 1 || uri.charCodeAt(at) !== begin) continue
    // Long literals of one letter over and over would make this quadratic.
    effort.left -= literal.length
    if (effort.left < 0) return
    if (uri.startsWith(literal, at)) next[at + literal.length] = 1
  }
}

const SLASH = 47
const QUESTION = 63
const HASH = 35

function markAfterValue(
  { plain, first }: Part & { literal?: never },
  reached: Uint8Array,
  next: Uint8Array,
  uri: string,
): void {
  const absent = first === undefined ? 0 : 1
  let inside = false
  next[0] = absent & (reached[0] ?? 0)
  for (let at = 0; at < uri.length; at++) {
    const char = uri.charCodeAt(at)
    if (reached[at] === 1 && (first === undefined || char === first)) inside = true
    if (plain && (char === SLASH || char === QUESTION || char === HASH)) inside = false
    next[at + 1] = inside ? 1 : absent & (reached[at + 1] ?? 0)
  }
}

/** Operators whose values begin with a character of their own. A query may begin with `?` and go on with `&`. */
const OPERATORS = '#./;?&'

/** Absent: they are too many. */
function partsOf(template: string): readonly Part[] | undefined {
  if (parsed.has(template)) return parsed.get(template)
  const parts: Part[] = []
  let at = 0
  for (const match of template.matchAll(/\{([+#./;?&]?)[^{}]*?(\*?)\}/g)) {
    if (match.index > at) parts.push({ literal: template.slice(at, match.index) })
    const [expression, operator = '', explode] = match
    const plain = operator === '' && explode === ''
    // Some frameworks let `{path*}` stand for several segments.
    parts.push({ plain, first: OPERATORS.includes(operator || ' ') ? operator.charCodeAt(0) : undefined })
    at = match.index + expression.length
    if (parts.length > MAX_PARTS) break
  }
  if (at < template.length) parts.push({ literal: template.slice(at) })
  if (parsed.size >= MAX_PARSED) parsed.clear()
  const considered = parts.length > MAX_PARTS ? undefined : parts
  parsed.set(template, considered)
  return considered
}
