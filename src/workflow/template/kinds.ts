import type { JsonValue } from '../../model/json.ts'
import { readDate } from './dates.ts'
import { describe, typeOf } from './values.ts'

/** What an argument may be. `scalar`: string, number or boolean. `date`: an ISO text or seconds since the epoch. */
export type Kind =
  | 'any'
  | 'string'
  | 'number'
  | 'integer'
  | 'list'
  | 'object'
  | 'scalar'
  | 'countable'
  | 'sequence'
  | 'date'

const WANTED: Readonly<Record<Kind, { is: (value: JsonValue) => boolean; what: string }>> = {
  any: { is: () => true, what: 'any value' },
  string: { is: (value) => typeof value === 'string', what: 'a string' },
  // One that kept its spelling is beyond what arithmetic is exact for.
  number: { is: (value) => typeof value === 'number', what: 'a number of at most 15 digits' },
  integer: { is: (value) => Number.isSafeInteger(value), what: 'a whole number' },
  list: { is: Array.isArray, what: 'a list' },
  object: { is: (value) => typeOf(value) === 'object', what: 'an object' },
  scalar: {
    is: (value) => ['string', 'number', 'boolean'].includes(typeOf(value)),
    what: 'a string, number or boolean',
  },
  countable: { is: (value) => ['string', 'list', 'object'].includes(typeOf(value)), what: 'a string, list or object' },
  sequence: { is: (value) => typeof value === 'string' || Array.isArray(value), what: 'a string or list' },
  date: {
    is: (value) => typeof value === 'number' || (typeof value === 'string' && readDate(value) !== undefined),
    what: 'a date such as 2026-01-02T15:04:05Z, or seconds since the epoch',
  },
}

/** Why an argument does not fit its place, if it does not. */
export function misfit(
  { name, kinds }: { readonly name: string; readonly kinds: readonly Kind[] },
  at: number,
  value: JsonValue,
): string | undefined {
  const { is, what } = WANTED[kinds[Math.min(at, kinds.length - 1)] ?? 'any']
  return is(value) ? undefined : `${name}: argument ${at + 1} must be ${what}, got ${describe(value)}`
}
