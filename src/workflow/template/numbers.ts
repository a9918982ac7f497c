import type { JsonValue } from '../../model/json.ts'
import { typeOf } from './values.ts'

const INTEGER = /^-?\d{1,1000}$/

/** A number with the spelling that JavaScript's own would lose, as an exact one if it is whole. */
const exact = (value: JsonValue): number | bigint => {
  if (typeof value === 'number') return value
  const text = JSON.stringify(value)
  return INTEGER.test(text) ? BigInt(text) : Number(text)
}

/** By value: 3 is 3.0, and a long integer is not its neighbour. Both are numbers. */
export function compareNumbers(a: JsonValue, b: JsonValue): number {
  const [left, right] = [exact(a), exact(b)]
  if (left < right) return -1
  return left > right ? 1 : 0
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** A number written as JSON does; one that JavaScript cannot hold exactly keeps its spelling. */
export function readNumber(text: string): JsonValue | undefined {
  if (text.length > 1000 || !NUMBER.test(text)) return undefined
  const value = Number(text)
  if (INTEGER.test(text)) return Number.isSafeInteger(value) ? value + 0 : JSON.rawJSON(text)
  return Number.isFinite(value) ? value : undefined
}

type Tick = (steps: number) => void

/** Whether two values are the same JSON. Throws what `tick` throws. */
export function same(a: JsonValue, b: JsonValue, tick: Tick): boolean {
  tick(1)
  const type = typeOf(a)
  if (type !== typeOf(b)) return false
  if (type === 'number') return compareNumbers(a, b) === 0
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, at) => same(item, b[at] ?? null, tick))
  }
  if (type !== 'object') return a === b
  const left = defined(a)
  const right = new Map(defined(b))
  return (
    left.length === right.size &&
    left.every(([key, value]) => {
      const other = right.get(key)
      return other !== undefined && same(value, other, tick)
    })
  )
}

/** The members of an object that JSON would write. */
export function defined(value: JsonValue): [string, JsonValue][] {
  return Object.entries(value as object).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined)
}
