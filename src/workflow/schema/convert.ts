import { isObject, type JsonValue } from '../../model/json.ts'
import { choices, describeTypes, type SchemaNode, type TypeName, typeOf, typesOf } from './node.ts'

/** What a text must become because the schema takes no text. */
export interface Wanted {
  readonly types: ReadonlySet<TypeName>
  /** For people. */
  readonly says: string
}

/** Undefined: a text may stay a text. */
export function wanted(node: SchemaNode): Wanted | undefined {
  const types = typesOf(node)
  if (!types || types.has('string')) return undefined
  return { types, says: describeTypes(types) }
}

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/u
const DIGITS = /^-?[0-9]+$/u
const LONGEST_NUMBER = 400

/** The value that the text stands for, when nothing is lost: `"100"` is 100, `"1e400"` and `"plenty"` are no numbers. */
export function convertText(text: string, { types }: Wanted): { value: JsonValue } | undefined {
  if (types.has('number') || types.has('integer')) {
    const value = toNumber(text)
    if (value !== undefined && (types.has('number') || typeOf(value) === 'integer')) return { value }
  }
  if (types.has('boolean') && (text === 'true' || text === 'false')) return { value: text === 'true' }
  if (types.has('null') && text === 'null') return { value: null }
  if (!types.has('array') && !types.has('object')) return undefined
  const value = toJson(text)
  return (Array.isArray(value) && types.has('array')) || (isObject(value) && types.has('object'))
    ? { value }
    : undefined
}

function toNumber(text: string): JsonValue | undefined {
  if (text.length > LONGEST_NUMBER || !NUMBER.test(text)) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return Number.isFinite(value) ? value : undefined
  return DIGITS.test(text) ? JSON.rawJSON(text) : undefined
}

function toJson(text: string): JsonValue | undefined {
  if (!/^\s*[[{]/u.test(text)) return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}

/**
 * A text as the type that the schema asks for, or why it cannot be. Texts that the schema takes stay as they are,
 * and so does every value that is none.
 */
export function convertExactly(
  value: JsonValue,
  node: SchemaNode,
): { ok: true; value: JsonValue } | { ok: false; wanted: string } {
  if (typeof value !== 'string') return { ok: true, value }
  const need = wanted(node)
  if (!need) return { ok: true, value }
  const converted = convertText(value, need)
  if (converted) return { ok: true, value: converted.value }
  const listed = choices(node)
  return { ok: false, wanted: listed ? `one of ${listed.map((one) => JSON.stringify(one)).join(', ')}` : need.says }
}
