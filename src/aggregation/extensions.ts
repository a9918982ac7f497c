import type { JsonObject, JsonValue } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import type { Contribution } from './contribution.ts'

/** SEP-2640. */
export const SKILLS_EXTENSION = 'io.modelcontextprotocol/skills'

/** Extensions of the protocol's own that the gateway carries whoever declares them. */
const CARRIED: ReadonlySet<string> = new Set([
  // Only metadata, which passes untouched.
  'io.modelcontextprotocol/ui',
  'io.modelcontextprotocol/tasks',
  SKILLS_EXTENSION,
])
/** The others of this prefix have methods and rules that nobody here knows. */
const OFFICIAL = 'io.modelcontextprotocol/'

/**
 * The extensions that clients are told of: what reachable backends declare, as far as it is carried. Those of vendors
 * only from backends of `vendors`, whose methods the operator lets through. `undefined`: none.
 */
export function mergeExtensions(
  contributions: readonly Contribution[],
  vendors: ReadonlySet<string>,
): JsonObject | undefined {
  const merged: JsonObject = Object.create(null)
  for (const { backend, lists, reachable } of contributions) {
    if (!reachable || !lists?.extensions) continue
    for (const [name, settings] of Object.entries(lists.extensions)) {
      const carried = CARRIED.has(name) || (!name.startsWith(OFFICIAL) && vendors.has(backend))
      if (carried && isObject(settings)) merged[name] = mergeSettings(merged[name], settings)
    }
  }
  return Object.keys(merged).length > 0 ? { ...merged } : undefined
}

/** Settings say what can be done: lists add up, what one can do can be done; for the rest the first one counts. */
function mergeSettings(before: JsonValue | undefined, settings: JsonObject): JsonObject {
  if (!isObject(before)) return settings
  const merged: JsonObject = { ...before }
  for (const [key, value] of Object.entries(settings)) {
    const known = Object.hasOwn(merged, key) ? merged[key] : undefined
    if (Array.isArray(known) && Array.isArray(value)) {
      merged[key] = [...known, ...value.filter((item) => !known.includes(item))]
    } else if (known === undefined || value === true) merged[key] = value
  }
  return merged
}
