import { isObject, type JsonObject } from '../../model/json.ts'
import { own } from './node.ts'

/** The arguments of a call with the defaults of its schema where nothing was given. */
export function applyDefaults(schema: JsonObject | undefined, args: JsonObject): JsonObject {
  const properties = schema && own(schema, 'properties')
  if (!isObject(properties)) return args
  const result: JsonObject = { ...args }
  for (const [key, property] of Object.entries(properties)) {
    if (own(args, key) !== undefined || !isObject(property)) continue
    const fallback = own(property, 'default')
    // Never by assignment: a parameter may be called `__proto__`.
    if (fallback !== undefined) {
      Object.defineProperty(result, key, { value: fallback, enumerable: true, writable: true, configurable: true })
    }
  }
  return result
}
