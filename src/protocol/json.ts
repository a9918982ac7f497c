import type { JsonValue } from '../model/json.ts'

declare global {
  interface JSON {
    rawJSON(text: string): JsonValue
    isRawJSON(value: unknown): boolean
  }
}

type SourceReviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown
const parseWithSource = JSON.parse as (text: string, reviver?: SourceReviver) => JsonValue

/** Only a text that holds sixteen digits in a row of number characters, or an exponent, can hold an inexact number. */
const SUSPICIOUS = /(?:^|[:,[\s])-?\d(?:[\d.]{15}|[\d.]*[eE])/

/**
 * `JSON.parse`, except that a number which JavaScript cannot hold exactly keeps its spelling
 * (a `JSON.rawJSON` object that `JSON.stringify` writes as it was). Of duplicate keys the last one counts.
 * Throws `SyntaxError`.
 */
export function parseJson(text: string): JsonValue {
  return SUSPICIOUS.test(text) ? parseWithSource(text, keepSpelling) : parseWithSource(text)
}

/** Whether this is a number that kept its spelling. It passes for an object everywhere else. */
export function isRawNumber(value: unknown): boolean {
  return JSON.isRawJSON(value)
}

function keepSpelling(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value
  return sameNumber(context.source, value) ? value : JSON.rawJSON(context.source)
}

/** Whether the decimal number written in `source` is the one that `value` prints as. */
function sameNumber(source: string, value: number): boolean {
  // JavaScript prints 10^23 as 1e+23, which a reader that knows integers takes for another number.
  if (Math.abs(value) >= 1e21 && /^-?\d+$/.test(source)) return false
  return Number.isFinite(value) && canonical(source) === canonical(String(value))
}

/** Sign, digits without zeros at either end, and the exponent of the first digit: equal for equal numbers. */
function canonical(number: string): string {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(number)
  if (!match) return number
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = whole + fraction
  const lead = digits.search(/[1-9]/)
  if (lead === -1) return '0'
  // A loop: /0+$/ would be quadratic on a megabyte of zeros before a last digit.
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return `${sign}${digits.slice(lead, end)}e${whole.length - lead + Number(exponent)}`
}
