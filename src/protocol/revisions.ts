import type { Era } from '../model/backend.ts'

/** Released revisions, oldest first (specification, "Versioning"). An absent row is a revision that nobody speaks. */
const REVISIONS: Readonly<Record<string, Era>> = {
  '2024-10-07': 'legacy',
  '2024-11-05': 'legacy',
  '2025-03-26': 'legacy',
  '2025-06-18': 'legacy',
  '2025-11-25': 'legacy',
  '2026-07-28': 'modern',
}

export const LATEST_LEGACY = '2025-11-25'
export const LATEST_MODERN = '2026-07-28'
export const SUPPORTED_MODERN: readonly string[] = [LATEST_MODERN]

/** Tasks within the protocol itself, legacy only; modern ones are an extension. */
export const CORE_TASKS_SINCE = '2025-11-25'

export function eraOf(revision: string): Era | undefined {
  return Object.hasOwn(REVISIONS, revision) ? REVISIONS[revision] : undefined
}

/** The revision that answers `initialize`: the one asked for, or our latest legacy one. Never a modern one. */
export function negotiateLegacy(requested: unknown): string {
  return typeof requested === 'string' && eraOf(requested) === 'legacy' ? requested : LATEST_LEGACY
}

/** Revisions are dates: they sort as text. */
export function isBefore(revision: string, other: string): boolean {
  return revision < other
}
