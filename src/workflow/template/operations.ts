import { isDeep, type JsonObject, type JsonValue } from '../../model/json.ts'
import { readDate } from './dates.ts'
import { compareNumbers, readNumber, same } from './numbers.ts'
import { absent, characters, describe, isAbsent, member, type Result, toText, typeOf, withArticle } from './values.ts'

/** What a helper is given beside its arguments. */
export interface Surroundings {
  /** The clock, milliseconds since the epoch. */
  readonly now: number
  /** Where the call stands in the template. */
  readonly offset: number
  readonly fail: (message: string) => never
  /** Counts work against the limit. */
  readonly tick: (steps: number) => void
}

/** Works on arguments that have been checked. */
export type Operation = (args: JsonValue[], around: Surroundings) => Result

const TRUE = new Set(['true', 'True', 'TRUE'])
const FALSE = new Set(['false', 'False', 'FALSE'])

/** The spellings of a boolean that Go's templates write and read, but for digits and letters. */
export function readBoolean(text: string): boolean | undefined {
  if (TRUE.has(text)) return true
  return FALSE.has(text) ? false : undefined
}

/** Missing, null, or the empty text: what a default stands in for. Zero and false are values. */
export const isBlank = (value: Result): boolean => isAbsent(value) || value === null || value === ''

export const text = (value: JsonValue | undefined): string => value as string
export const number = (value: JsonValue | undefined): number => value as number
export const list = (value: JsonValue | undefined): JsonValue[] => value as JsonValue[]

export function equal(a: JsonValue, b: JsonValue, name: string, { fail, tick }: Surroundings): boolean {
  if (a !== null && b !== null && typeOf(a) !== typeOf(b)) {
    fail(`${name} compares ${describe(a)} with ${describe(b)}: values of different types are never equal`)
  }
  return same(a, b, tick)
}

export const ordered =
  (name: string, holds: (order: number) => boolean): Operation =>
  ([a = null, b = null], { fail }) => {
    const type = typeOf(a)
    if (type !== typeOf(b) || (type !== 'number' && type !== 'string')) {
      fail(`${name} compares two numbers or two strings, got ${describe(a)} and ${describe(b)}`)
    }
    if (type === 'number') return holds(compareNumbers(a, b))
    if (a === b) return holds(0)
    return holds(text(a) < text(b) ? -1 : 1)
  }

export const arithmetic =
  (name: string, step: (a: number, b: number) => number): Operation =>
  (args, { fail }) => {
    const result = (args as number[]).reduce(step)
    if (!Number.isFinite(result)) fail(`${name}: the result is no number that JSON can hold`)
    return result + 0
  }

export const divided =
  (name: string, step: (a: number, b: number) => number): Operation =>
  (args, around) => {
    if (args[1] === 0) around.fail(`${name}: division by zero`)
    return arithmetic(name, step)(args, around)
  }

/** Rounds half away from zero, in decimals as they are written: 1.005 to two digits is 1.01. */
export function round([value, digits = 0]: JsonValue[], { fail }: Surroundings): JsonValue {
  const places = number(digits)
  if (Math.abs(places) > 15) fail(`round: ${places} digits; at most 15 can be kept`)
  const [mantissa = '0', exponent = '0'] = String(Math.abs(number(value))).split('e')
  const moved = Math.round(Number(`${mantissa}e${Number(exponent) + places}`))
  const [whole = '0', more = '0'] = String(moved).split('e')
  return Math.sign(number(value)) * Number(`${whole}e${Number(more) - places}`) + 0
}

export function slice([value = null, from, to]: JsonValue[], { fail }: Surroundings): JsonValue {
  const items = typeof value === 'string' ? characters(value) : list(value)
  const start = number(from ?? 0)
  const end = number(to ?? items.length)
  if (start < 0 || end < start || end > items.length) {
    fail(`slice: from ${start} to ${end} is outside of ${withArticle(typeOf(value))} of ${items.length}`)
  }
  const part = items.slice(start, end)
  return typeof value === 'string' ? (part as string[]).join('') : part
}

export function index([from = null, ...keys]: JsonValue[], { offset, fail }: Surroundings): Result {
  const path = keys.map((key) =>
    typeof key === 'number' || typeof key === 'string' ? key : fail('index: a key is a string or a number'),
  )
  let value = from
  for (const [at, key] of path.entries()) {
    const next = member(value, key)
    if (next === undefined) return absent({ label: '(index ...)', keys: path, at, holder: value, offset })
    value = next
  }
  return value
}

/** The text of a value; one that must be written for it is paid for before the next. */
export function show(value: JsonValue, { tick }: Surroundings): string {
  const text = toText(value)
  tick(text.length / 256)
  return text
}

export function print(args: readonly JsonValue[], around: Surroundings): string {
  let out = ''
  for (const [at, value] of args.entries()) {
    // As Go has it: a blank between two that are both no strings.
    if (at > 0 && typeof value !== 'string' && typeof args[at - 1] !== 'string') out += ' '
    out += show(value, around)
  }
  return out
}

export function fromJson([value]: JsonValue[], { fail }: Surroundings): JsonValue {
  let parsed: JsonValue
  try {
    parsed = JSON.parse(text(value)) as JsonValue
    if (isDeep(parsed, MAX_JSON_DEPTH)) fail(`fromJson: nested more than ${MAX_JSON_DEPTH} deep`)
    if (LONG_NUMBER.test(text(value))) parsed = parseKeeping(text(value), keepLong)
  } catch (error) {
    if (error instanceof SyntaxError) return fail(`fromJson: ${describe(value ?? null)} is not JSON`)
    throw error
  }
  return parsed
}

const MAX_JSON_DEPTH = 100
const LONG_NUMBER = /\d{16}/
type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown
const parseKeeping = JSON.parse as (text: string, reviver: Reviver) => JsonValue
const keepLong: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && source !== undefined ? (readNumber(source) ?? value) : value

export function moment(value: JsonValue | undefined): number {
  return typeof value === 'string' ? (readDate(value) ?? Number.NaN) : number(value) * 1000
}

export function iso(at: number, { fail }: Surroundings): string {
  if (Math.abs(at) > 8.64e15) fail('this moment is outside of the calendar')
  return new Date(at).toISOString()
}

export function has(haystack: JsonValue, needle: JsonValue, { fail, tick }: Surroundings): boolean {
  if (Array.isArray(haystack)) return haystack.some((item) => same(item, needle, tick))
  if (typeof haystack !== 'string') return fail(`contains looks into a string or a list, got ${describe(haystack)}`)
  if (typeof needle !== 'string') return fail(`contains looks for a string in a string, got ${describe(needle)}`)
  return haystack.includes(needle)
}

/** With a list: the item; of an empty one nothing. */
export const end =
  (name: string, at: number): Operation =>
  ([items], { offset }) =>
    list(items).at(at) ?? absent({ label: `(${name} ...)`, keys: [0], at: 0, holder: [], offset })

export const names = (value: JsonValue | undefined): string[] => Object.keys(value as JsonObject).sort()

/** The first that is it, else the last; what follows is not evaluated. */
export function pick(args: readonly (() => Result)[], isIt: (value: Result) => boolean): Result {
  let value: Result = null
  for (const arg of args) {
    value = arg()
    if (isIt(value)) break
  }
  return value
}
