import type { JsonValue } from '../model/json.ts'
import { isExact } from './exact-number.ts'

const parse = JSON.parse as (text: string) => JsonValue

/** Only a text that holds sixteen digits in a row of number characters, or an exponent, can hold an inexact number. */
const SUSPICIOUS = /(?:^|[:,[\s])-?\d(?:[\d.]{15}|[\d.]*[eE])/

/**
 * `JSON.parse`, except that a number which JavaScript cannot hold exactly keeps its spelling
 * (a `JSON.rawJSON` object that `JSON.stringify` writes as it was). Of duplicate keys the last one counts.
 * Throws `SyntaxError`. Linear in the length, whatever the text holds.
 */
export function parseJson(text: string): JsonValue {
  return SUSPICIOUS.test(text) ? parseExactly(text) : parse(text)
}

/** Whether this is a number that kept its spelling. It passes for an object everywhere else. */
export function isRawNumber(value: unknown): boolean {
  return JSON.isRawJSON(value)
}

/**
 * Numbers of the range in which stand-ins lie. A number takes the place of a number, so the text stays as valid as it
 * was; and whatever else in the text has a value of the range gets a stand-in of its own, so none can be forged.
 */
const FIRST_STAND_IN = -900_000_000_000_000
const LAST_STAND_IN = FIRST_STAND_IN - 2 ** 30
const isStandIn = (value: number): boolean => value <= FIRST_STAND_IN && value >= LAST_STAND_IN

/** A reviver that is shown the source would do, at ten times the cost for every number of the text. */
function parseExactly(text: string): JsonValue {
  const { rewritten, meant } = withStandIns(text)
  if (rewritten === text) return parse(text)
  let value: JsonValue
  try {
    value = parse(rewritten)
  } catch {
    // What it says of the text must be about this one.
    return parse(text)
  }
  return typeof value === 'number' ? (meant[0] ?? value) : putInPlace(value, meant)
}

const QUOTE = 34
const BACKSLASH = 92
const PLUS = 43
const MINUS = 45
const POINT = 46
const ZERO = 48
const NINE = 57
const UPPER_E = 69
const LOWER_E = 101

/** What is written with so many characters and no exponent is exact, and too short for a stand-in. */
const LONGEST_SAFE = 15
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** The text with stand-ins for its inexact numbers, and what is meant by each; the text itself when there are none. */
function withStandIns(text: string): { rewritten: string; meant: readonly JsonValue[] } {
  const meant: JsonValue[] = []
  const pieces: string[] = []
  let copied = 0
  let needed = false
  let at = 0
  while (at < text.length) {
    const first = text.charCodeAt(at)
    if (first === QUOTE) at = afterString(text, at)
    else if (first !== MINUS && (first < ZERO || first > NINE)) at++
    else {
      const from = at
      let exponent = false
      for (; at < text.length; at++) {
        const char = text.charCodeAt(at)
        if (char === LOWER_E || char === UPPER_E) exponent = true
        else if ((char < ZERO || char > NINE) && char !== POINT && char !== MINUS && char !== PLUS) break
      }
      if (!exponent && at - from <= LONGEST_SAFE) continue
      const token = text.slice(from, at)
      const value = Number(token)
      const exact = isExact(token, value)
      if ((exact && !isStandIn(value)) || !NUMBER.test(token)) continue
      pieces.push(text.slice(copied, from), String(FIRST_STAND_IN - meant.length))
      meant.push(exact ? value : JSON.rawJSON(token))
      copied = at
      needed ||= !exact
    }
  }
  pieces.push(text.slice(copied))
  return { rewritten: needed ? pieces.join('') : text, meant }
}

function afterString(text: string, start: number): number {
  let at = start + 1
  for (; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === BACKSLASH) at++
    else if (char === QUOTE) break
  }
  return at + 1
}

/** Puts what is meant where its stand-in is. Not recursive: the text decides how deep this goes. */
function putInPlace(root: JsonValue, meant: readonly JsonValue[]): JsonValue {
  const inside: JsonValue[] = [root]
  for (let holder = inside.pop(); holder !== undefined; holder = inside.pop()) {
    if (Array.isArray(holder)) {
      for (let index = 0; index < holder.length; index++) {
        const value = holder[index]
        if (typeof value === 'number') {
          if (isStandIn(value)) holder[index] = meant[FIRST_STAND_IN - value] ?? value
        } else if (typeof value === 'object' && value !== null) inside.push(value)
      }
    } else if (typeof holder === 'object' && holder !== null) {
      // Own members only, so that "__proto__" is read and written as any other.
      for (const key of Object.keys(holder)) {
        const value = holder[key]
        if (typeof value === 'number') {
          if (isStandIn(value)) holder[key] = meant[FIRST_STAND_IN - value] ?? value
        } else if (typeof value === 'object' && value !== null) inside.push(value)
      }
    }
  }
  return root
}
