import { canonicalJson } from '../../model/canonical-json.ts'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import type { Problem } from './case.ts'
import { shown } from './words.ts'

/**
 * Where a value is not what is expected. Of a map the expected members count, unless `exactly`; lists are as long as
 * expected. `path`: to the expected value.
 */
export function differences(
  expected: JsonValue,
  actual: JsonValue | undefined,
  path: Problem['path'],
  exactly: boolean,
): Problem[] {
  if (isMap(expected) && isMap(actual)) {
    const missing = Object.keys(expected).flatMap((key) => {
      const value = expected[key]
      if (value === undefined) return []
      return differences(value, Object.hasOwn(actual, key) ? actual[key] : undefined, [...path, key], exactly)
    })
    const extra = Object.keys(actual).filter((key) => actual[key] !== undefined && !Object.hasOwn(expected, key))
    if (!exactly || extra.length === 0) return missing
    return [...missing, ...extra.map((key) => ({ path, message: `unexpected ${key}: ${shown(actual[key])}` }))]
  }
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (expected.length !== actual.length) {
      const message = `expected ${expected.length} items, got ${actual.length}: ${shown(actual)}`
      return [{ path, message }]
    }
    return expected.flatMap((item, index) => differences(item, actual[index], [...path, index], exactly))
  }
  if (actual !== undefined && isSame(expected, actual)) return []
  return [{ path, message: `expected ${shown(expected)}, got ${shown(actual)}` }]
}

const isMap = (value: unknown): value is JsonObject => isObject(value) && !JSON.isRawJSON(value)

/** Of values that are not both maps, or both lists. */
function isSame(expected: JsonValue, actual: JsonValue): boolean {
  return isScalar(expected) && isScalar(actual) && canonicalJson(expected) === canonicalJson(actual)
}

const isScalar = (value: JsonValue): boolean => typeof value !== 'object' || value === null || JSON.isRawJSON(value)
