import type { Catalogue, Entry } from '../model/catalogue.ts'

/** Entries that could not be matched in a bounded time are not worth matching. */
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

type Part = { literal: string } | { reserved: boolean; optional: boolean }

const parsed = new Map<string, readonly Part[]>()
const MAX_PARSED = 10_000

/**
 * Whether a URI can come from a URI template (RFC 6570). No regular expression is built from the template,
 * which a backend chose: literals are searched from left to right, so the time is linear in the URI.
 */
export function matchesTemplate(template: string, uri: string): boolean {
  const parts = partsOf(template)
  let at = 0
  for (const [index, part] of parts.entries()) {
    if ('literal' in part) {
      if (!uri.startsWith(part.literal, at)) return false
      at += part.literal.length
      continue
    }
    const next = parts[index + 1]
    const end =
      next === undefined ? uri.length : 'literal' in next ? findLiteral(parts, index + 1, next.literal, uri, at) : at
    if (end === -1) return false
    const value = uri.slice(at, end)
    if (value === '' ? !part.optional : !part.reserved && /[/?#]/.test(value)) return false
    at = end
  }
  return at === uri.length
}

/** A last literal stands at the end of the URI, any other at its first place. */
function findLiteral(parts: readonly Part[], index: number, literal: string, uri: string, at: number): number {
  if (index < parts.length - 1) return uri.indexOf(literal, at)
  const end = uri.length - literal.length
  return end >= at && uri.endsWith(literal) ? end : -1
}

function partsOf(template: string): readonly Part[] {
  const known = parsed.get(template)
  if (known) return known
  const parts: Part[] = []
  let at = 0
  for (const match of template.matchAll(/\{([+#./;?&]?)[^{}]*\}/g)) {
    if (match.index > at) parts.push({ literal: template.slice(at, match.index) })
    const operator = match[1] ?? ''
    parts.push({ reserved: operator !== '', optional: operator !== '' && operator !== '+' })
    at = match.index + match[0].length
  }
  if (at < template.length) parts.push({ literal: template.slice(at) })
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(template, parts)
  return parts
}
