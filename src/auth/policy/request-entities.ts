import type { EntityJson } from './cedar.ts'
import { reachable } from './entities.ts'
import { uidOf, uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { actionOf, hintsOf } from './request.ts'
import type { Target } from './request.ts'
import type { PolicySet } from './set.ts'
import type { Unit, View } from './unit.ts'
import type { Attributes } from './values.ts'
import { ACTIONS } from './vocabulary.ts'

export function resourceAttributes(target: Target): Attributes {
  const { operation, feature } = ACTIONS[actionOf(target)]
  return {
    ...(hintsOf(target) as Record<string, boolean>),
    ...(feature === 'resource' ? { uri: target.name } : {}),
    name: target.name,
    operation,
    feature,
  }
}

/** The entities of a request: the principal, the resource, its backend, and what can be reached in the configuration. */
export function entitiesOf(
  set: PolicySet,
  unit: Unit,
  target: Target,
  view: View,
  resource: Uid,
  attrs: Attributes,
): EntityJson[] {
  const { mentions } = unit
  const own = set.entities.get(uidText(resource))
  const parents: Uid[] = []
  if (set.names.serverName !== '') parents.push({ type: 'MCP', id: set.names.serverName })
  const made: EntityJson[] = [view.entity]
  if (target.backend !== undefined) {
    const backend = { type: 'Backend', id: target.backend }
    parents.push(backend)
    const { group } = set.names
    const asked =
      group !== undefined &&
      (set.entities.size > 0 || mentions.wholeEntities || mentions.uids.has(uidText({ type: 'Group', id: group })))
    // Only a policy that names the group looks above a backend.
    if (asked) {
      const configured = set.entities.get(uidText(backend))
      const above = [{ type: 'Group', id: group }, ...(configured?.parents ?? [])]
      made.push({ attrs: {}, ...configured, uid: backend, parents: above })
    }
  }
  const resourceEntity: EntityJson = { ...own, uid: resource, attrs, parents: [...parents, ...(own?.parents ?? [])] }
  made.push(resourceEntity)
  if (set.entities.size === 0) return made
  const isMade = new Set(made.map((entity) => uidText(uidOf(entity.uid))))
  const start = mentions.wholeEntities
    ? set.entities.keys()
    : [...isMade, ...mentions.uids, ...view.parents, ...parents.map(uidText)]
  for (const entity of reachable(set.entities, start)) if (!isMade.has(uidText(uidOf(entity.uid)))) made.push(entity)
  return made
}
