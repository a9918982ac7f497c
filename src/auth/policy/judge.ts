import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs'
import { isObject } from '../../model/json.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import type { Cedar, EntityJson } from './cedar.ts'
import { SILENT } from './decision.ts'
import type { PolicyProblem, Verdict } from './decision.ts'
import { reachable } from './entities.ts'
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
import { claimValue, scalar } from './values.ts'
import { ACTIONS, ANONYMOUS_ID, ARGUMENT, CLAIM, PRESENT, PRINCIPAL_TYPE } from './vocabulary.ts'

type Attributes = Record<string, CedarValueJson>

const NO_CLAIMS: JsonObject = {}

export const principalUid = (principal: Principal): Uid => ({
  type: PRINCIPAL_TYPE,
  id: principal.kind === 'anonymous' ? ANONYMOUS_ID : principal.id,
})

const ownNames = (object: JsonObject): string[] => Object.keys(object)

/** What policies with these `mentions` see of a principal. */
function makeView(
  set: PolicySet,
  unit: Unit,
  principal: Principal,
  groups: readonly Group[],
): { key: string; view: View } {
  const { mentions, kinds } = unit
  const claims = principal.kind === 'anonymous' ? NO_CLAIMS : principal.claims
  const uid = principalUid(principal)
  const configured = set.entities.get(uidText(uid))
  const attrs: Attributes = {}
  const context: Attributes = {}
  const problems: { attribute: string; message: string }[] = []
  const claim = (attribute: string, into: Attributes): void => {
    const name = attribute.slice(CLAIM.length)
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    if (value === undefined || value === null) return
    const held = claimValue(value, kinds.get(attribute))
    if (held === undefined) problems.push({ attribute, message: `Cedar cannot hold the claim "${name}" exactly` })
    else into[attribute] = held
  }
  for (const name of mentions.principal) {
    const given = configured && Object.hasOwn(configured.attrs, name) ? configured.attrs[name] : undefined
    if (given !== undefined) attrs[name] = given
    if (name.startsWith(CLAIM)) claim(name, attrs)
  }
  const inContext = mentions.wholeContext ? ownNames(claims).map((name) => CLAIM + name) : mentions.context
  for (const name of inContext) if (name.startsWith(CLAIM)) claim(name, context)

  const wholePrincipal = mentions.wholePrincipal || mentions.wholeEntities
  const parents = groups.filter(({ key }) => wholePrincipal || mentions.uids.has(key) || set.entities.has(key))
  const parentKeys = parents.map((group) => group.key)
  const isNamed = wholePrincipal || mentions.uids.has(uidText(uid)) || configured !== undefined
  const entity: EntityJson = {
    uid,
    attrs,
    parents: [...parents.map(({ id }) => ({ type: set.names.groupEntityType, id })), ...(configured?.parents ?? [])],
    ...(configured?.tags ? { tags: configured.tags } : {}),
  }
  if (!uid.id.isWellFormed()) problems.push({ attribute: '', message: 'Cedar cannot hold the name of the principal' })
  const key = JSON.stringify([isNamed ? uid.id : 0, parentKeys, attrs, context, problems])
  return { key, view: { entity, parents: parentKeys, context, problems, verdict: undefined, byTarget: new WeakMap() } }
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

/** Arguments as attributes; `problem`: one that the policies look at cannot be held exactly. */
function argumentsOf(
  unit: Unit,
  given: JsonObject,
  into: (name: string, value: CedarValueJson) => void,
): { attribute: string; message: string } | undefined {
  const { mentions, kinds } = unit
  const names = new Set<string>()
  for (const source of [mentions.context, mentions.resource])
    for (const name of source) if (name.startsWith(ARGUMENT)) names.add(name)
  if (mentions.wholeContext) for (const name of Object.keys(given)) names.add(ARGUMENT + name)
  for (const attribute of names) {
    const name = attribute.slice(ARGUMENT.length)
    if (Object.hasOwn(given, name) && given[name] !== undefined) {
      const held = scalar(given[name], kinds.get(attribute))
      if (held === undefined || !name.isWellFormed())
        return { attribute, message: `Cedar cannot hold the argument "${name}" exactly` }
      into(attribute, held)
    }
    if (!attribute.endsWith(PRESENT)) continue
    const base = name.slice(0, -PRESENT.length)
    const value = Object.hasOwn(given, base) ? given[base] : undefined
    const complex = Array.isArray(value) || (isObject(value) && !JSON.isRawJSON(value))
    if (!complex) continue
    // A second argument of that name could say that the first is not there.
    if (Object.hasOwn(given, name))
      return { attribute, message: `the argument "${name}" hides whether "${base}" is there` }
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

const problem = (message: string, policy?: string): Verdict => ({
  ...SILENT,
  problems: [policy === undefined ? { message } : { policy, message }],
})

const whoMentions = (unit: Unit, attribute: string): string | undefined =>
  unit.rules.find(({ mentions: { principal, resource, context } }) =>
    [principal, resource, context].some((names) => names.has(attribute)),
  )?.id

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
  const [first] = view.problems
  if (first) return problem(first.message, whoMentions(unit, first.attribute))
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
    const failed = argumentsOf(unit, request.arguments, (name, value) => {
      if (mentions.wholeContext || mentions.context.has(name)) context[name] = value
      if (mentions.resource.has(name)) attrs[name] = value
    })
    if (failed) return problem(failed.message, whoMentions(unit, failed.attribute))
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
  if (answer.type === 'failure') return problem(answer.errors.map((error) => error.message).join('; '))
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
