import { isObject, type JsonValue } from '../../model/json.ts'
import { TemplateError } from './fault.ts'
import { nearest } from '../../model/nearest.ts'
import type { Key } from './tree.ts'

const ABSENT = Symbol('absent')

/** What a path gives that leads nowhere. It remembers how, for the error if a value is needed. */
export interface Absent {
  readonly [ABSENT]: true
  /** As the author wrote its start: empty for the scope. */
  readonly label: string
  /** The whole path, and the place in it that is not there. */
  readonly keys: readonly Key[]
  readonly at: number
  /** What was there instead, `undefined` above the outermost. */
  readonly holder: JsonValue | undefined
  readonly offset: number
}
export type Result = JsonValue | Absent

export const absent = (rest: Omit<Absent, typeof ABSENT>): Absent => ({ [ABSENT]: true, ...rest })

export function isAbsent(value: Result): value is Absent {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, ABSENT)
}

export type TypeName = 'string' | 'number' | 'boolean' | 'null' | 'list' | 'object'

export function typeOf(value: JsonValue): TypeName {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  if (typeof value !== 'object') return typeof value as TypeName
  return JSON.isRawJSON(value) ? 'number' : 'object'
}

const ARTICLES: Readonly<Record<TypeName, string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  null: 'null',
  list: 'a list',
  object: 'an object',
}
export const withArticle = (type: TypeName): string => ARTICLES[type]

/** Characters as people count them on most days: code points. */
export const characters = (text: string): string[] => Array.from(text)

const SHOWN = 40

/** `a string ("abc")`: a value for people, short. */
export function describe(value: JsonValue): string {
  const type = typeOf(value)
  if (type === 'list' || type === 'object' || type === 'null') return ARTICLES[type]
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, SHOWN + 1)) : toText(value)
  return `${ARTICLES[type]} (${text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text})`
}

/** How a value stands in a text: strings as they are, everything else as JSON. */
export function toText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** One member of a value; own members only, so that no prototype is ever reached. */
export function member(holder: JsonValue, key: Key): JsonValue | undefined {
  if (Array.isArray(holder)) return typeof key === 'number' ? holder[key] : undefined
  if (!isObject(holder) || JSON.isRawJSON(holder)) return undefined
  return Object.hasOwn(holder, key) ? holder[key] : undefined
}

/** Follows keys from a value. */
export function follow(from: Result, keys: readonly Key[], label: string, offset: number): Result {
  if (isAbsent(from)) {
    return keys.length === 0 ? from : { ...from, keys: [...from.keys, ...keys] }
  }
  let value = from
  for (const [at, key] of keys.entries()) {
    const next = member(value, key)
    if (next === undefined) return absent({ label, keys, at, holder: value, offset })
    value = next
  }
  return value
}

const PLAIN = /^[\p{L}\p{N}_][\p{L}\p{N}_-]*$/u

/** A path as one reads it: `steps.a-b.output.items[0]`. */
export function spell(label: string, keys: readonly Key[]): string {
  let text = label
  for (const key of keys) {
    if (typeof key === 'number') text += `[${key}]`
    else if (PLAIN.test(key)) text += text === '' ? key : `.${key}`
    else text += `[${JSON.stringify(key)}]`
  }
  return text === '' ? 'the scope' : text
}

export function missing(what: Absent): TemplateError {
  const text = `${spell(what.label, what.keys)} is missing: ${whyMissing(what)}`
  return new TemplateError('missing', text, what.offset, what.label === '' ? what.keys : [])
}

function whyMissing({ label, keys, at, holder }: Absent): string {
  const parent = spell(label, keys.slice(0, at))
  const key = keys[at] ?? ''
  if (holder === undefined) return `there is no ${parent}`
  const type = typeOf(holder)
  if (type === 'list') {
    const count = (holder as JsonValue[]).length
    const hint = key === 'length' ? ', and its length is written len' : ''
    return `${parent} is a list of ${count}${hint}`
  }
  if (type !== 'object') return `${parent} is ${withArticle(type)}`
  const names = Object.keys(holder as object)
  const near = nearest(String(key), names.slice(0, 500))
  if (near !== undefined) return `did you mean ${spell(label, [...keys.slice(0, at), near])}?`
  if (names.length === 0) return `${parent} is empty`
  const more = names.length > 8 ? ', ...' : ''
  return `${parent} has ${names
    .slice(0, 8)
    .map((name) => JSON.stringify(name))
    .join(', ')}${more}`
}
