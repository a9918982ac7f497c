import { isObject } from '../../model/json.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { GROUP_CLAIMS } from './vocabulary.ts'

export interface GroupSettings {
  groupClaimName?: string | undefined
  roleClaimName?: string | undefined
}

const own = (object: JsonObject, key: string): JsonValue | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined

/** A claim by its whole name (`https://idp/roles`), else down the dots (`realm_access.roles`). */
function claimAt(claims: JsonObject, path: string): JsonValue | undefined {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: JsonValue | undefined = claims
  for (const key of path.split('.')) {
    if (!isObject(value)) return undefined
    value = own(value, key)
  }
  return value
}

/** Absent: there is no such list, so another claim may be asked. */
function listAt(claims: JsonObject, path: string | undefined): string[] | undefined {
  const value = path === undefined || path === '' ? undefined : claimAt(claims, path)
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined
}

/** The groups and roles of a principal: the named claim, else the first of the usual ones that is a list; then the roles. */
export function groupsOf(claims: JsonObject, settings: GroupSettings): string[] {
  const groups = [settings.groupClaimName, ...GROUP_CLAIMS].map((name) => listAt(claims, name)).find((list) => list)
  // No policy can name a group that is no text.
  const all = [...(groups ?? []), ...(listAt(claims, settings.roleClaimName) ?? [])].filter((name) =>
    name.isWellFormed(),
  )
  return [...new Set(all)]
}
