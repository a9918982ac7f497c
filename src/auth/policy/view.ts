import type { JsonObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import type { EntityJson } from './cedar.ts'
import type { PolicyProblem } from './decision.ts'
import { ancestry } from './entities.ts'
import { uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { groupsOf } from './groups.ts'
import { joinKinds } from './infer.ts'
import type { Kinds } from './infer.ts'
import { whoMentions } from './rule.ts'
import { remember, rememberList, VIEW_WEIGHT } from './set.ts'
import type { Group, PolicySet } from './set.ts'
import type { Unit, View } from './unit.ts'
import { claimValue } from './values.ts'
import type { Attributes } from './values.ts'
import { ANONYMOUS_ID, CLAIM, PRINCIPAL_TYPE } from './vocabulary.ts'

const NO_CLAIMS: JsonObject = {}

export const principalUid = (principal: Principal): Uid => ({
  type: PRINCIPAL_TYPE,
  id: principal.kind === 'anonymous' ? ANONYMOUS_ID : principal.id,
})

const NO_KINDS: Kinds = new Map()

/** What the policies of a unit see of a principal. */
function makeView(
  set: PolicySet,
  unit: Unit,
  principal: Principal,
  groups: readonly Group[],
): { key: string; view: View } {
  const { mentions } = unit
  const claims = principal.kind === 'anonymous' ? NO_CLAIMS : principal.claims
  const uid = principalUid(principal)
  const own = uidText(uid)
  const configured = set.entities.get(own)

  const wholePrincipal = mentions.wholePrincipal || mentions.wholeEntities
  const parents = groups.filter(({ key }) => wholePrincipal || mentions.uids.has(key) || set.entities.has(key))
  const parentKeys = parents.map((group) => group.key)
  const within = ancestry(set.entities, [own, ...parentKeys])
  const rules = unit.rules.filter((rule) => rule.principal === undefined || within.has(rule.principal))
  const all = rules.length === unit.rules.length
  const kinds = unit.kinds && (all ? unit.kinds : joinKinds(rules.map((rule) => rule.kinds)))

  const attrs: Attributes = {}
  const context: Attributes = {}
  let problem: PolicyProblem | undefined
  const claim = (attribute: string, into: Attributes): void => {
    const name = attribute.slice(CLAIM.length)
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    if (value === undefined || value === null) return
    const held = claimValue(value, kinds?.get(attribute))
    const policy = held === undefined ? whoMentions(rules, attribute) : undefined
    if (held !== undefined) into[attribute] = held
    else if (policy !== undefined) problem ??= { policy, message: `Cedar cannot hold the claim "${name}" exactly` }
  }
  for (const name of mentions.principal) {
    const given = configured && Object.hasOwn(configured.attrs, name) ? configured.attrs[name] : undefined
    if (given !== undefined) attrs[name] = given
    if (name.startsWith(CLAIM)) claim(name, attrs)
  }
  const inContext = mentions.wholeContext ? Object.keys(claims).map((name) => CLAIM + name) : mentions.context
  for (const name of inContext) if (name.startsWith(CLAIM)) claim(name, context)
  if (!uid.id.isWellFormed()) problem = { message: 'Cedar cannot hold the name of the principal' }

  const isNamed = wholePrincipal || mentions.uids.has(own) || configured !== undefined
  const entity: EntityJson = {
    uid,
    attrs,
    parents: [...parents.map(({ id }) => ({ type: set.names.groupEntityType, id })), ...(configured?.parents ?? [])],
    ...(configured?.tags ? { tags: configured.tags } : {}),
  }
  const key = JSON.stringify([isNamed ? uid.id : 0, parentKeys, attrs, context, problem])
  const seen = {
    entity,
    parents: parentKeys,
    rules: all ? unit.rules : rules,
    kinds: kinds ?? NO_KINDS,
    context,
    problem,
  }
  return { key, view: { ...seen, verdict: undefined, byTarget: undefined } }
}

/** The view of the principal's class: shared by all whom the unit's policies cannot tell apart. */
export function viewOf(set: PolicySet, unit: Unit, principal: Principal): View {
  let person = set.memory.people.get(principal)
  if (!person) {
    const claims = principal.kind === 'anonymous' ? NO_CLAIMS : principal.claims
    const type = set.names.groupEntityType
    person = { views: new Map(), groups: groupsOf(claims, set.names).map((id) => ({ id, key: uidText({ type, id }) })) }
    set.memory.people.set(principal, person)
  }
  const known = person.views.get(unit)
  if (known) return known
  const { key, view } = makeView(set, unit, principal, person.groups)
  const shared = unit.views.get(key) ?? view
  if (shared === view) {
    unit.views.set(key, view)
    if (unit === set.whole) rememberList(set, VIEW_WEIGHT)
    else remember(set, VIEW_WEIGHT)
  }
  person.views.set(unit, shared)
  remember(set)
  return shared
}
