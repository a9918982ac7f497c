import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { JsonValue } from '../../model/json.ts'
import type { Kind } from './infer.ts'

export type Attributes = Record<string, CedarValueJson>

/** What Cedar's decimal holds: four digits after the point at most. */
const DECIMAL = /^-?\d{1,15}(?:\.\d{1,4})?$/u
const INTEGER = /^-?(?:0|[1-9]\d{0,18})$/u
const LARGEST = 2n ** 63n

/** Patterns with many stars take their time over each character. Longer texts are held by nobody's policies. */
const MAX_TEXT = 2 ** 20

const decimal = (text: string): CedarValueJson => ({
  __extn: { fn: 'decimal', arg: text.includes('.') ? text : `${text}.0` },
})

/**
 * A number as Cedar holds it exactly; `undefined` when it cannot, or not in the way that policies compare it: a
 * fraction where they expect an integer. Integers become decimals where policies compare decimals only.
 */
function number(value: number, kinds: ReadonlySet<Kind> | undefined): CedarValueJson | undefined {
  const asDecimal = kinds?.has('decimal') && !kinds.has('Long')
  if (Number.isSafeInteger(value) && !asDecimal) return Object.is(value, -0) ? 0 : value
  const text = String(value)
  if (!DECIMAL.test(text) || kinds?.has('Long') || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    return undefined
  // Where nothing is compared (`has`), a decimal will do.
  return decimal(text)
}

/** A scalar as Cedar holds it exactly; `undefined`: it cannot. An object never: `{"__entity": ...}` is data. */
export function scalar(value: JsonValue | undefined, kinds?: ReadonlySet<Kind>): CedarValueJson | undefined {
  switch (typeof value) {
    case 'string':
      // The engine cannot read lone surrogates.
      return value.length <= MAX_TEXT && value.isWellFormed() ? value : undefined
    case 'boolean':
      return value
    case 'number':
      return number(value, kinds)
    case 'object': {
      if (!JSON.isRawJSON(value)) return undefined
      // Written into the request as it is; the engine's integers have 64 bits.
      const text = value.rawJSON
      if (!INTEGER.test(text) || kinds?.has('decimal')) return undefined
      const exact = BigInt(text)
      return exact >= -LARGEST && exact < LARGEST ? value : undefined
    }
    default:
      return undefined
  }
}

/** A claim: a scalar, or a list of scalars as a set. */
export function claimValue(value: JsonValue | undefined, kinds?: ReadonlySet<Kind>): CedarValueJson | undefined {
  if (!Array.isArray(value)) return scalar(value, kinds)
  const items: CedarValueJson[] = []
  for (const item of value) {
    const held = scalar(item)
    if (held === undefined) return undefined
    items.push(held)
  }
  return items
}
