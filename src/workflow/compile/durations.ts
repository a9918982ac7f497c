import { parseDuration } from '../../model/duration.ts'
import type { Ledger, Path } from './faults.ts'

/** Milliseconds of a duration as it was written; `fallback` when there is none, or a wrong one, which is told. */
export function readDuration(
  text: string | undefined,
  path: Path,
  fallback: number,
  { error }: Ledger,
  least: 'some' | 'none' = 'some',
): number {
  if (text === undefined) return fallback
  const ms = parseDuration(text)
  if (ms === undefined) error({ path }, `expected a duration such as 30s, found ${JSON.stringify(text)}`)
  else if (ms === 0 && least === 'some') error({ path }, 'expected more than 0s')
  return ms ?? fallback
}
