import type { JsonObject, JsonValue } from './json.ts'

/**
 * One text for every JSON value, whatever the order of its keys: no spaces, keys sorted by UTF-16 units, everything else as
 * `JSON.stringify` writes it. Two values have one text only when they are the same value: lone surrogates are escaped, and a
 * number that JavaScript cannot hold keeps its spelling. Needs stack for every level: check the depth of foreign values first.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  return `{${members(value).join(',')}}`
}

const members = (object: JsonObject): string[] =>
  Object.keys(object)
    .sort()
    .flatMap((key) => {
      const value = object[key]
      return value === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(value)}`]
    })
