import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs'
import { isObject } from '../../model/json.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import type { Cedar, EntityJson } from './cedar.ts'
import { SILENT } from './decision.ts'
import type { PolicyProblem, Verdict } from './decision.ts'
import { ancestry, reachable } from './entities.ts'
import { uidOf, uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { groupsOf } from './groups.ts'
import { actionOf, hintsOf } from './request.ts'
import type { PolicyRequest, Target } from './request.ts'
import { allUnits, remember, VIEW_WEIGHT } from './set.ts'
import type { Group, PolicySet } from './set.ts'
import { nextTurn } from './turns.ts'
import { ruleOf } from './unit.ts'
import type { Unit, View } from './unit.ts'
import { joinKinds } from './infer.ts'
import type { Kinds } from './infer.ts'
import type { Rule } from './rule.ts'
import { claimValue, scalar } from './values.ts'
import { ACTIONS, ANONYMOUS_ID, ARGUMENT, CLAIM, PRESENT, PRINCIPAL_TYPE } from './vocabulary.ts'

type Attributes = Record<string, CedarValueJson>

const NO_CLAIMS: JsonObject = {}

export const principalUid = (principal: Principal): Uid => ({
  type: PRINCIPAL_TYPE,
  id: principal.kind === 'anonymous' ? ANONYMOUS_ID : principal.id,
})

/** The first policy that looks at an attribute. */
const whoMentions = (rules: readonly Rule[], attribute: string): string | undefined =>
  rules.find(({ mentions: { principal, resource, context, wholeContext } }) =>
    wholeContext ? true : [principal, resource, context].some((names) => names.has(attribute)),
  )?.id

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
  const seen = { entity, parents: parentKeys, rules, kinds: kinds ?? NO_KINDS, context, problem }
  return { key, view: { ...seen, verdict: undefined, byTarget: new WeakMap() } }
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
    remember(set, VIEW_WEIGHT)
  }
  person.views.set(unit, shared)
  remember(set)
  return shared
}

/** Arguments as attributes. Answers with the problem when one that the policies look at cannot be held exactly. */
function argumentsOf(
  unit: Unit,
  view: View,
  given: JsonObject,
  into: (name: string, value: CedarValueJson) => void,
): PolicyProblem | undefined {
  const { mentions } = unit
  const names = new Set<string>()
  for (const source of [mentions.context, mentions.resource])
    for (const name of source) if (name.startsWith(ARGUMENT)) names.add(name)
  if (mentions.wholeContext) for (const name of Object.keys(given)) names.add(ARGUMENT + name)
  for (const attribute of names) {
    const policy = whoMentions(view.rules, attribute)
    // Only policies that are not for this principal look at it: they end with their scope.
    if (policy === undefined) continue
    const name = attribute.slice(ARGUMENT.length)
    if (Object.hasOwn(given, name) && given[name] !== undefined) {
      const held = name.isWellFormed() ? scalar(given[name], view.kinds.get(attribute)) : undefined
      if (held === undefined) return { policy, message: `Cedar cannot hold the argument "${name}" exactly` }
      into(attribute, held)
    }
    if (!attribute.endsWith(PRESENT)) continue
    const base = name.slice(0, -PRESENT.length)
    const value = Object.hasOwn(given, base) ? given[base] : undefined
    const complex = Array.isArray(value) || (isObject(value) && !JSON.isRawJSON(value))
    if (!complex) continue
    // A second argument of that name could say that the first is not there.
    if (Object.hasOwn(given, name))
      return { policy, message: `the argument "${name}" hides whether "${base}" is there` }
    into(attribute, true)
  }
  return undefined
}

function resourceAttributes(target: Target): Attributes {
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
function entitiesOf(
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
    if (set.names.group !== undefined) {
      const configured = set.entities.get(uidText(backend))
      const above = [{ type: 'Group', id: set.names.group }, ...(configured?.parents ?? [])]
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

const failing = (problem: PolicyProblem): Verdict => ({ ...SILENT, problems: [problem] })

/** The name by which the instance has a unit. */
function prepared(unit: Unit, cedar: Cedar): string {
  const name = `unit${unit.number}`
  if (unit.preparedIn !== cedar) {
    const answer = cedar.preparsePolicySet(name, { staticPolicies: unit.policies })
    if (answer.type === 'failure') throw new Error(answer.errors[0]?.message)
    unit.preparedIn = cedar
  }
  return name
}

/** Prepares everything that can be decided by, unit by unit, so that the first list does not wait for it. */
export async function prepareAll(set: PolicySet): Promise<void> {
  for (const unit of allUnits(set)) {
    await nextTurn()
    set.engine.run((cedar) => prepared(unit, cedar))
  }
}

/** Asks the engine about one unit. Throws `CedarTrapped`. */
function evaluate(set: PolicySet, unit: Unit, view: View, request: PolicyRequest): Verdict {
  const { target, origin, workflow } = request
  if (view.rules.length === 0) return SILENT
  if (view.problem) return failing(view.problem)
  const action = actionOf(target)
  const resource: Uid = { type: ACTIONS[action].entity, id: target.name }

  const { mentions } = unit
  const own = set.entities.get(uidText(resource))
  const all: Attributes = { ...own?.attrs, ...resourceAttributes(target) }
  const attrs: Attributes = {}
  for (const name of mentions.resource) {
    const value = Object.hasOwn(all, name) ? all[name] : undefined
    if (value !== undefined) attrs[name] = value
  }
  const context: Attributes = { ...view.context }
  if (mentions.wholeContext || mentions.context.has('origin')) context['origin'] = origin
  if (workflow !== undefined && (mentions.wholeContext || mentions.context.has('workflow')))
    context['workflow'] = workflow
  if (unit.dependence === 'arguments' && request.arguments) {
    const failed = argumentsOf(unit, view, request.arguments, (name, value) => {
      if (mentions.wholeContext || mentions.context.has(name)) context[name] = value
      if (mentions.resource.has(name)) attrs[name] = value
    })
    if (failed) return failing(failed)
  }

  const answer = set.engine.run((cedar) =>
    cedar.statefulIsAuthorized({
      principal: view.entity.uid,
      action: { type: 'Action', id: action },
      resource,
      context,
      entities: entitiesOf(set, unit, target, view, resource, attrs),
      preparsedPolicySetId: prepared(unit, cedar),
    }),
  )
  if (answer.type === 'failure') return failing({ message: answer.errors.map((error) => error.message).join('; ') })
  const { decision, diagnostics } = answer.response
  const by = diagnostics.reason.map((key) => ruleOf(unit, key)?.id ?? key)
  const problems: PolicyProblem[] = unit.lenient
    ? []
    : diagnostics.errors.map(({ policyId, error }) => ({
        policy: ruleOf(unit, policyId)?.id ?? policyId,
        message: error.message,
      }))
  if (by.length === 0 && problems.length === 0) return SILENT
  return decision === 'allow' ? { permits: by, forbids: [], problems } : { permits: [], forbids: by, problems }
}

/** What a unit says; remembered for the principal's class where nothing but the principal and the target counts. */
export function judge(set: PolicySet, unit: Unit, request: PolicyRequest): Verdict {
  const view = viewOf(set, unit, request.principal)
  const keeps =
    unit.dependence === 'nothing' ||
    (unit.dependence === 'origin' && request.origin === 'client' && request.workflow === undefined)
  if (!keeps) return evaluate(set, unit, view, request)
  const { usesResource } = unit.mentions
  const known = usesResource ? view.byTarget.get(request.target) : view.verdict
  if (known) return known
  const verdict = evaluate(set, unit, view, request)
  // What the engine could not read may be of this target alone.
  if (verdict.problems.some(({ policy }) => policy === undefined)) return verdict
  if (usesResource) view.byTarget.set(request.target, verdict)
  else view.verdict = verdict
  remember(set)
  return verdict
}
