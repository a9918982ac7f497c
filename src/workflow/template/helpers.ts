import type { JsonObject, JsonValue } from '../../model/json.ts'
import { formatDate, readDuration } from './dates.ts'
import type { Kind } from './kinds.ts'
import { defined, readNumber } from './numbers.ts'
import {
  arithmetic,
  divided,
  end,
  equal,
  fromJson,
  has,
  index,
  isBlank,
  iso,
  list,
  moment,
  names,
  number,
  ordered,
  pick,
  print,
  readBoolean,
  round,
  show,
  slice,
  text,
  type Operation,
} from './operations.ts'
import { printf } from './printf.ts'
import { characters, describe, isAbsent, type Result, toText, typeOf } from './values.ts'

interface Common {
  readonly name: string
  /** Least and greatest number of arguments. */
  readonly arity: readonly [number, number]
  /** Of the arguments in order; the last one is for all that follow. */
  readonly kinds: readonly Kind[]
  /** What it does, for documents and messages. */
  readonly about: string
  /** Where the order of the arguments is not plain: how it is written, in both spellings, and what that gives. */
  readonly example?: readonly [write: string, gives: JsonValue]
}
/** Gets its arguments checked; that something is missing is an error. */
interface Eager extends Common {
  readonly call: Operation
}
/** Evaluates what it needs, and may be given what is missing. */
interface Lazy extends Common {
  readonly choose: (args: readonly (() => Result)[], judge: Judge) => Result
}
export type Helper = Eager | Lazy

interface Judge {
  /** Throws when it is missing. */
  readonly need: (value: Result) => JsonValue
  /** Neither missing, nor false, nor zero, nor empty. */
  readonly isTruthy: (value: Result) => boolean
}

/** As many arguments as anybody writes. */
export const MANY = 1000

/**
 * Every helper, of both spellings. What a helper works on comes last, so that it can be piped into; but for `index`,
 * `slice` and `round`, where Go and its libraries put it first. Texts are counted in characters.
 */
const TABLE: readonly Helper[] = [
  {
    name: 'eq',
    arity: [2, MANY],
    kinds: ['any'],
    about: 'whether the first equals any of the others',
    call: ([first = null, ...others], around) => {
      for (const other of others) if (equal(first, other, 'eq', around)) return true
      return false
    },
  },
  {
    name: 'ne',
    arity: [2, 2],
    kinds: ['any'],
    about: 'whether two values differ',
    call: ([a = null, b = null], around) => !equal(a, b, 'ne', around),
  },
  {
    name: 'lt',
    arity: [2, 2],
    kinds: ['any'],
    about: 'less',
    example: ['lt 1 2', true],
    call: ordered('lt', (order) => order < 0),
  },
  {
    name: 'le',
    arity: [2, 2],
    kinds: ['any'],
    about: 'less or equal',
    example: ['le 2 2', true],
    call: ordered('le', (order) => order <= 0),
  },
  {
    name: 'gt',
    arity: [2, 2],
    kinds: ['any'],
    about: 'greater',
    example: ['gt 2 1', true],
    call: ordered('gt', (order) => order > 0),
  },
  {
    name: 'ge',
    arity: [2, 2],
    kinds: ['any'],
    about: 'greater or equal',
    example: ['ge 1 2', false],
    call: ordered('ge', (order) => order >= 0),
  },
  {
    name: 'and',
    arity: [1, MANY],
    kinds: ['any'],
    about: 'the first empty value, else the last; what follows is not evaluated',
    choose: (args, { isTruthy }) => pick(args, (value) => !isTruthy(value)),
  },
  {
    name: 'or',
    arity: [1, MANY],
    kinds: ['any'],
    about: 'the first value that is not empty, else the last; what follows is not evaluated',
    choose: (args, { isTruthy }) => pick(args, isTruthy),
  },
  {
    name: 'not',
    arity: [1, 1],
    kinds: ['any'],
    about: 'whether the value is empty or missing',
    choose: ([value], { isTruthy }) => !isTruthy(value?.() ?? null),
  },
  {
    name: 'exists',
    arity: [1, 1],
    kinds: ['any'],
    about: 'whether the path leads to a value, null included',
    choose: ([value]) => !isAbsent(value?.() ?? null),
  },
  {
    name: 'default',
    arity: [2, 2],
    kinds: ['any'],
    about: 'the second value, or the first where the second is missing, null or ""',
    example: ['default "none" ""', 'none'],
    choose: ([fallback, value]) => {
      const found = value?.() ?? null
      return isBlank(found) ? (fallback?.() ?? null) : found
    },
  },
  {
    name: 'coalesce',
    arity: [1, MANY],
    kinds: ['any'],
    about: 'the first value that is not missing, null or ""; else the last',
    choose: (args) => pick(args, (value) => !isBlank(value)),
  },
  {
    name: 'ternary',
    arity: [3, 3],
    kinds: ['any'],
    about: 'the first value if the third is not empty, else the second',
    example: ['ternary "many" "few" (gt 12 10)', 'many'],
    choose: ([yes, no, test], { isTruthy, need }) => (isTruthy(need(test?.() ?? null)) ? yes : no)?.() ?? null,
  },
  {
    name: 'index',
    arity: [2, MANY],
    kinds: ['any', 'scalar'],
    about: 'a member or item, by names and places',
    example: ['index (split "," "a,b,c") 1', 'b'],
    call: index,
  },
  {
    name: 'len',
    arity: [1, 1],
    kinds: ['countable'],
    about: 'characters of a string, items of a list, members of an object',
    call: ([value = null]) => {
      if (typeof value === 'string') return characters(value).length
      return Array.isArray(value) ? value.length : defined(value).length
    },
  },
  {
    name: 'slice',
    arity: [2, 3],
    kinds: ['sequence', 'integer'],
    about: 'a part of a string or list, from a place up to another',
    example: ['slice "workflow" 0 4', 'work'],
    call: slice,
  },
  {
    name: 'printf',
    arity: [1, MANY],
    kinds: ['string', 'any'],
    about: 'text after a format of %s %d %v %q %t %f',
    example: ['printf "%s: %d" "lines" 3', 'lines: 3'],
    call: ([format, ...values], around) =>
      printf(text(format), values, { show: (value) => show(value, around), fail: around.fail }),
  },
  { name: 'print', arity: [1, MANY], kinds: ['any'], about: 'the values as one text', call: print },
  {
    name: 'println',
    arity: [0, MANY],
    kinds: ['any'],
    about: 'the values as one line',
    call: (args, around) => `${args.map((value) => show(value, around)).join(' ')}\n`,
  },
  {
    name: 'json',
    arity: [1, 1],
    kinds: ['any'],
    about: 'the value as JSON text',
    call: ([value]) => JSON.stringify(value),
  },
  { name: 'fromJson', arity: [1, 1], kinds: ['string'], about: 'the value that a JSON text holds', call: fromJson },
  {
    name: 'quote',
    arity: [1, 1],
    kinds: ['any'],
    about: 'the text in double quotes, escaped',
    call: ([value = null]) => JSON.stringify(toText(value)),
  },
  {
    name: 'upper',
    arity: [1, 1],
    kinds: ['string'],
    about: 'upper case',
    call: ([value]) => text(value).toUpperCase(),
  },
  {
    name: 'lower',
    arity: [1, 1],
    kinds: ['string'],
    about: 'lower case',
    call: ([value]) => text(value).toLowerCase(),
  },
  {
    name: 'trim',
    arity: [1, 1],
    kinds: ['string'],
    about: 'without blanks at the ends',
    call: ([value]) => text(value).trim(),
  },
  {
    name: 'trimPrefix',
    arity: [2, 2],
    kinds: ['string'],
    about: 'the second text without the first at its start',
    example: ['trimPrefix "v" "v1.2"', '1.2'],
    call: ([cut, value]) => (text(value).startsWith(text(cut)) ? text(value).slice(text(cut).length) : text(value)),
  },
  {
    name: 'trimSuffix',
    arity: [2, 2],
    kinds: ['string'],
    about: 'the second text without the first at its end',
    example: ['trimSuffix ".md" "notes.md"', 'notes'],
    call: ([cut, value]) =>
      text(value).endsWith(text(cut)) ? text(value).slice(0, text(value).length - text(cut).length) : text(value),
  },
  {
    name: 'replace',
    arity: [3, 3],
    kinds: ['string'],
    about: 'the third text with every first replaced by the second',
    example: ['replace "-" "_" "a-b-c"', 'a_b_c'],
    call: ([old, by, value], { fail, tick }) => {
      const parts = text(old) === '' ? fail('replace: the text to replace is empty') : text(value).split(text(old))
      tick(parts.length + (parts.length * text(by).length) / 256)
      return parts.join(text(by))
    },
  },
  {
    name: 'split',
    arity: [2, 2],
    kinds: ['string'],
    about: 'the parts of the second text between the first',
    example: ['split "," "a,b,c"', ['a', 'b', 'c']],
    call: ([by, value]) => (text(by) === '' ? characters(text(value)) : text(value).split(text(by))),
  },
  {
    name: 'join',
    arity: [2, 2],
    kinds: ['string', 'list'],
    about: 'the items of the second as one text, the first between them',
    example: ['join "+" (split "," "a,b,c")', 'a+b+c'],
    call: ([by, items], around) => {
      around.tick(list(items).length * (1 + text(by).length / 256))
      return list(items)
        .map((item) => show(item, around))
        .join(text(by))
    },
  },
  {
    name: 'contains',
    arity: [2, 2],
    kinds: ['any'],
    about: 'whether the second, a text or list, contains the first',
    example: ['contains "low" "workflow"', true],
    call: ([needle = null, haystack = null], around) => has(haystack, needle, around),
  },
  {
    name: 'hasPrefix',
    arity: [2, 2],
    kinds: ['string'],
    about: 'whether the second text starts with the first',
    example: ['hasPrefix "work" "workflow"', true],
    call: ([start, value]) => text(value).startsWith(text(start)),
  },
  {
    name: 'hasSuffix',
    arity: [2, 2],
    kinds: ['string'],
    about: 'whether the second text ends with the first',
    example: ['hasSuffix "flow" "workflow"', true],
    call: ([tail, value]) => text(value).endsWith(text(tail)),
  },
  { name: 'first', arity: [1, 1], kinds: ['list'], about: 'the first item', call: end('first', 0) },
  { name: 'last', arity: [1, 1], kinds: ['list'], about: 'the last item', call: end('last', -1) },
  {
    name: 'keys',
    arity: [1, 1],
    kinds: ['object'],
    about: 'the names of the members, in order',
    call: ([value]) => names(value),
  },
  {
    name: 'values',
    arity: [1, 1],
    kinds: ['object'],
    about: 'the members, in the order of their names',
    call: ([value]) => names(value).map((name) => (value as JsonObject)[name] ?? null),
  },
  { name: 'add', arity: [2, MANY], kinds: ['number'], about: 'the sum', call: arithmetic('add', (a, b) => a + b) },
  {
    name: 'sub',
    arity: [2, 2],
    kinds: ['number'],
    about: 'the first less the second',
    example: ['sub 5 3', 2],
    call: arithmetic('sub', (a, b) => a - b),
  },
  { name: 'mul', arity: [2, MANY], kinds: ['number'], about: 'the product', call: arithmetic('mul', (a, b) => a * b) },
  {
    name: 'div',
    arity: [2, 2],
    kinds: ['number'],
    about: 'the first by the second',
    example: ['div 7 2', 3.5],
    call: divided('div', (a, b) => a / b),
  },
  {
    name: 'mod',
    arity: [2, 2],
    kinds: ['number'],
    about: 'what division leaves',
    example: ['mod 7 2', 1],
    call: divided('mod', (a, b) => a % b),
  },
  {
    name: 'round',
    arity: [1, 2],
    kinds: ['number', 'integer'],
    about: 'rounded, to so many digits',
    example: ['round 2.346 2', 2.35],
    call: round,
  },
  {
    name: 'floor',
    arity: [1, 1],
    kinds: ['number'],
    about: 'rounded down',
    call: ([value]) => Math.floor(number(value)) + 0,
  },
  {
    name: 'ceil',
    arity: [1, 1],
    kinds: ['number'],
    about: 'rounded up',
    call: ([value]) => Math.ceil(number(value)) + 0,
  },
  {
    name: 'toString',
    arity: [1, 1],
    kinds: ['any'],
    about: 'the value as text',
    call: ([value = null]) => toText(value),
  },
  {
    name: 'toNumber',
    arity: [1, 1],
    kinds: ['scalar'],
    about: 'the number that a text holds',
    call: ([value = null], { fail }) =>
      typeOf(value) === 'number'
        ? value
        : ((typeof value === 'string' ? readNumber(value.trim()) : undefined) ??
          fail(`toNumber: ${describe(value)} is no number`)),
  },
  {
    name: 'toBool',
    arity: [1, 1],
    kinds: ['scalar'],
    about: 'the boolean that a text holds (true, True, TRUE, false, False, FALSE)',
    call: ([value = null], { fail }) =>
      typeof value === 'boolean'
        ? value
        : ((typeof value === 'string' ? readBoolean(value) : undefined) ??
          fail(`toBool: ${describe(value)} is no boolean`)),
  },
  {
    name: 'now',
    arity: [0, 0],
    kinds: [],
    about: 'the moment, as an ISO text in UTC',
    call: (_args, around) => iso(around.now, around),
  },
  {
    name: 'date',
    arity: [2, 2],
    kinds: ['string', 'date'],
    about: 'a moment in UTC after a layout: 2006-01-02, YYYY-MM-DD, or a name such as RFC3339',
    example: ['date "2006-01-02" "2026-02-28T23:30:00Z"', '2026-02-28'],
    call: ([layout, value], around) => {
      iso(moment(value), around)
      return (
        formatDate(moment(value), text(layout)) ??
        around.fail(`date: ${describe(layout ?? null)} names no part of a date`)
      )
    },
  },
  {
    name: 'dateAdd',
    arity: [2, 2],
    kinds: ['string', 'date'],
    about: 'a moment so much later, or earlier: 24h, -1h30m, 7d',
    example: ['dateAdd "24h" "2026-02-28T23:30:00Z"', '2026-03-01T23:30:00.000Z'],
    call: ([span, value], around) => {
      const ms =
        readDuration(text(span)) ?? around.fail(`dateAdd: ${describe(span ?? null)} is no duration such as 1h30m`)
      return iso(moment(value) + ms, around)
    },
  },
  {
    name: 'unixTime',
    arity: [0, 1],
    kinds: ['date'],
    about: 'whole seconds since the epoch, of a moment or of now',
    call: ([value], around) => Math.floor((value === undefined ? around.now : moment(value)) / 1000),
  },
]

export const HELPERS: ReadonlyMap<string, Helper> = new Map(TABLE.map((helper) => [helper.name, helper]))
export const HELPER_NAMES: readonly string[] = [...HELPERS.keys()]
