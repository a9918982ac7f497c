import { CedarTrapped } from './cedar.ts'
import type { DetailedError, Expr } from './cedar.ts'
import { ancestry } from './entities.ts'
import type { Entities } from './entities.ts'
import { uidOf, uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { faultAt, offsetOf } from './fault.ts'
import type { PolicyFault } from './fault.ts'
import { joinKinds } from './infer.ts'
import type { Kinds } from './infer.ts'
import { neverMatches } from './never.ts'
import { actionsNamed } from './rule.ts'
import type { Rule } from './rule.ts'
import { configuredAttributes, oneKind, OWN_CONTEXT_ATTRIBUTES, OWN_RESOURCE_ATTRIBUTES, schemaFor } from './schema.ts'
import type { PolicySet } from './set.ts'
import { attributesRead, children, operator, variableOf } from './syntax.ts'
import { nextTurn } from './turns.ts'
import {
  ACTION_NAMES,
  ACTIONS,
  ARGUMENT,
  CLAIM,
  FEATURE_TYPE,
  LIST_ACTIONS,
  METHODS,
  OTHER_TYPE_NAMES,
  OWN_TYPES,
  PRINCIPAL_TYPE,
} from './vocabulary.ts'

/** The name among the candidates that was probably meant, as a sentence: `did you mean "x"?`. */
export type Suggest = (name: string, candidates: readonly string[]) => string | undefined

interface World extends PolicySet {
  suggest: Suggest
}

/** Policies that the engine checks in one turn of the event loop. */
const BATCH = 8
/** Policies whose syntax trees are walked in one turn. */
const WALKED = 64

/** Findings of the engine that mean: evaluation may fail, and then denies. All others mean that the policy is wrong. */
const CAUTIONS = [
  /^unable to guarantee safety of access/u,
  /^empty set literals are forbidden/u,
  /^extension constructors may not be called with non-literal/u,
]
const IMPOSSIBLE = /^(?:policy is impossible|unable to find an applicable action)/u
const TYPE_UNKNOWN = /^unrecognized entity type `(.*)`$/su
const ACTION_UNKNOWN = /^unrecognized action `Action::"(.*)"`$/su

type Report = (rule: Rule, offset: number, message: string, hint?: string, severity?: PolicyFault['severity']) => void

/** Where a name stands in a policy; the syntax tree does not tell. */
export function find(rule: Rule, name: string): number {
  for (const before of rule.text.matchAll(/(?:\.|\bhas\b|\[|::)\s*"?/gu)) {
    const at = before.index + before[0].length
    if (rule.text.startsWith(name, at) && !/\w/u.test(rule.text[at + name.length] ?? '')) return at
  }
  return Math.max(rule.text.indexOf(name), 0)
}

interface Read {
  variable: 'principal' | 'resource' | 'context'
  attribute: string
}

function reads(expr: Expr, into: Read[]): void {
  const [name, body] = operator(expr)
  if (name === '.' || name === 'has') {
    const { left, first } = attributesRead(body)
    const variable = variableOf(left)
    if (variable !== undefined && variable !== 'action') into.push({ variable, attribute: first })
  }
  for (const child of children(expr)) reads(child, into)
}

/** The attributes that each variable has, and the families that are known by being mentioned. */
function vocabulary(entities: Entities): Record<Read['variable'], { names: string[]; families: string[] }> {
  const configured = (type: string): string[] => Object.keys(configuredAttributes(entities, type))
  const resources = Object.values(ACTIONS).flatMap((row) => configured(row.entity))
  return {
    principal: { names: configured(PRINCIPAL_TYPE), families: [CLAIM] },
    resource: { names: [...Object.keys(OWN_RESOURCE_ATTRIBUTES), ...resources], families: [ARGUMENT] },
    context: { names: Object.keys(OWN_CONTEXT_ATTRIBUTES), families: [CLAIM, ARGUMENT] },
  }
}

/** Attributes that nothing has. Returns whether there were any. */
function checkAttributes(rule: Rule, world: World, report: Report): boolean {
  const known = vocabulary(world.entities)
  const found: Read[] = []
  for (const clause of rule.json.conditions) reads(clause.body, found)
  const told = new Set<string>()
  for (const { variable, attribute } of found) {
    const { names, families } = known[variable]
    if (names.includes(attribute) || families.some((family) => attribute.startsWith(family))) continue
    if (told.has(`${variable}.${attribute}`)) continue
    told.add(`${variable}.${attribute}`)
    const hint =
      world.suggest(attribute, names) ??
      `${variable} has ${[...names, ...families.map((family) => `${family}<name>`)].join(', ')}`
    report(rule, find(rule, attribute), `there is no attribute "${attribute}" of ${variable}`, hint)
  }
  return told.size > 0
}

/** Claims and arguments that are used as what they never are. */
function checkKinds(rule: Rule, report: Report): boolean {
  let wrong = false
  for (const [name, kinds] of rule.kinds) {
    const kind = oneKind(kinds)
    const isArgument = name.startsWith(ARGUMENT)
    if (kind !== 'Entity' && kind !== 'Record' && !(isArgument && kind.startsWith('Set'))) continue
    wrong = true
    const hint = isArgument
      ? `of lists and objects there is only ${name}_present`
      : 'of objects nothing becomes an attribute; lists become sets'
    const used = kind === 'Entity' ? 'an entity' : kind === 'Record' ? 'a record' : 'a set'
    report(rule, find(rule, name), `${name} is used as ${used}, which it never is`, hint)
  }
  return wrong
}

/** The entities that resources are in, by type; absent: they are not known. */
const containers = ({
  names: { serverName, group, backends },
}: PolicySet): Record<string, readonly string[] | undefined> => ({
  MCP: serverName === '' ? [] : [serverName],
  Group: group === undefined ? [] : [group],
  Backend: backends,
})

function isEmpty({ type, id }: Uid, world: World): boolean {
  const known = containers(world)
  const ids = Object.hasOwn(known, type) ? known[type] : undefined
  if (!ids || ids.includes(id)) return false
  return !ancestry(world.entities, world.entities.keys()).has(uidText({ type, id }))
}

/** Scopes that nothing is in, whatever the catalogue. */
function checkScope(rule: Rule, world: World, report: Report): boolean {
  const { resource } = rule.json
  const within = resource.op === 'is' ? resource.in : resource
  if (!within || !('entity' in within)) return false
  const uid = uidOf(within.entity)
  if (!isEmpty(uid, world)) return false
  const ids = containers(world)[uid.type] ?? []
  const [only] = ids
  const hint =
    only === undefined
      ? `there is no ${uid.type} here`
      : ids.length === 1
        ? `here it is ${uidText({ ...uid, id: only })}`
        : world.suggest(uid.id, ids)
  report(rule, find(rule, uid.type), `the policy can never match: nothing is in ${uidText(uid)}`, hint)
  return true
}

/** Conditions that never hold, of which the engine says nothing. */
function checkConditions(rule: Rule, world: World, report: Report): void {
  if (namesLists(rule)) return
  const never = neverMatches(rule, (uid) => isEmpty(uid, world))
  if (!never) return
  const at = never.at === undefined ? rule.text.search(/\b(?:when|unless)\b/u) : find(rule, never.at)
  report(rule, Math.max(at, 0), `the policy can never match: ${never.why}`)
}

/** Whether a rule is about lists, by action or by resource. */
function namesLists(rule: Rule): boolean {
  const { resource } = rule.json
  const type =
    'entity' in resource ? uidOf(resource.entity).type : resource.op === 'is' ? resource.entity_type : undefined
  return type === FEATURE_TYPE || (actionsNamed(rule.json) ?? []).some((name) => LIST_ACTIONS.includes(name))
}

function checkLists(rule: Rule, report: Report): void {
  if (!namesLists(rule)) return
  const name = (actionsNamed(rule.json) ?? []).find((one) => LIST_ACTIONS.includes(one)) ?? FEATURE_TYPE
  report(
    rule,
    find(rule, name),
    `${name} decides nothing`,
    'a list shows what may be used, by the rules on call_tool, read_resource and get_prompt',
    'warning',
  )
}

function actionHint(action: string, { suggest }: World): string {
  if (Object.hasOwn(METHODS, action)) return `that is a method; the action is "${METHODS[action]}"`
  const near = suggest(action, [...ACTION_NAMES, ...LIST_ACTIONS])
  return near ?? `there is ${ACTION_NAMES.map((name) => `"${name}"`).join(', ')}`
}

function typeHint(type: string, { suggest, names, entities }: World): string {
  const other = type.toLowerCase()
  if (Object.hasOwn(OTHER_TYPE_NAMES, other)) return `did you mean "${OTHER_TYPE_NAMES[other]}"?`
  const configured = [...ancestry(entities, entities.keys())].map((key) => key.slice(0, key.indexOf('::"')))
  const types = [
    ...new Set([
      ...OWN_TYPES.filter((one) => one !== 'Action' && one !== FEATURE_TYPE),
      names.groupEntityType,
      ...configured,
    ]),
  ]
  return suggest(type, types) ?? `there is ${types.join(', ')}`
}

/** One finding of the engine about one rule. */
function translate(rule: Rule, error: DetailedError, world: World, report: Report): void {
  const prefix = /^for policy `[^`]*`, /u
  const texts = [error.message, error.help ?? ''].map((text) => text.replace(prefix, ''))
  const [message = '', help = ''] = texts
  const action = ACTION_UNKNOWN.exec(message)?.[1]
  const type = TYPE_UNKNOWN.exec(message)?.[1]
  const hint = action !== undefined ? actionHint(action, world) : type !== undefined ? typeHint(type, world) : help
  const severity = CAUTIONS.some((pattern) => pattern.test(message)) ? 'warning' : 'error'
  const text = IMPOSSIBLE.test(message) ? 'the policy can never match, whatever the catalogue' : message
  report(rule, offsetOf(rule.text, error), text, hint === '' ? undefined : hint, severity)
}

function validate(rules: readonly Rule[], world: World, report: Report): void {
  const kinds: Kinds = joinKinds(rules.map(attributesOf))
  const lists = rules.some(namesLists)
  const schema = schemaFor(kinds, world.names.groupEntityType, world.entities, lists)
  const staticPolicies = Object.fromEntries(rules.map((rule) => [rule.key, rule.text]))
  const answer = world.engine.run((cedar) =>
    cedar.validate({ validationSettings: { mode: 'strict' }, schema, policies: { staticPolicies } }),
  )
  if (answer.type === 'failure') {
    const [only] = rules
    // One policy that cannot be read hides the others.
    if (rules.length > 1) for (const rule of rules) validate([rule], world, report)
    else if (only)
      for (const error of answer.errors) {
        const message = error.message.replace(/^failed to parse policy with id `[^`]*` from string: /u, '')
        translate(only, { ...error, message }, world, report)
      }
    return
  }
  for (const rule of rules) {
    const of = (all: readonly { policyId: string; error: DetailedError }[]): DetailedError[] =>
      all.filter((one) => one.policyId === rule.key).map((one) => one.error)
    const wrong = of(answer.validationErrors)
    // What is wrong also makes it impossible; of the two sayings one is enough.
    const impossible = of(answer.validationWarnings).filter((error) =>
      IMPOSSIBLE.test(error.message.replace(/^for policy `[^`]*`, /u, '')),
    )
    const all = wrong.length > 0 ? wrong : impossible.slice(0, 1)
    const told = new Set<string>()
    for (const error of all) {
      // The same for each action.
      const key = `${error.sourceLocations?.[0]?.start} ${error.message.replace(/(?:in context for|on entity type) .*$/su, '')}`
      if (told.has(key)) continue
      told.add(key)
      translate(rule, error, world, report)
    }
  }
}

/** All claims and arguments of a rule with their types, also those of which nothing shows one. */
function attributesOf(rule: Rule): Kinds {
  const kinds: Kinds = new Map(rule.kinds)
  const { principal, resource, context } = rule.mentions
  for (const name of [...principal, ...resource, ...context])
    if ((name.startsWith(CLAIM) || name.startsWith(ARGUMENT)) && !kinds.has(name)) kinds.set(name, new Set(['String']))
  return kinds
}

/** Whether a rule uses its claims and arguments as those do that are checked already. */
function agrees(kinds: Kinds, batch: Kinds): boolean {
  for (const [name, own] of kinds) {
    const others = batch.get(name)
    if (others && oneKind(others) !== oneKind(own)) return false
  }
  return true
}

/**
 * Checks rules against the vocabulary (contract, section 6). Types of claims and arguments follow from their use in each
 * rule, so rules about different tools may disagree.
 */
export async function checkRules(set: PolicySet, suggest: Suggest): Promise<PolicyFault[]> {
  const world: World = { ...set, suggest }
  const { rules } = set
  const faults: PolicyFault[] = []
  const report: Report = (rule, offset, message, hint, severity = 'error') => {
    if (severity === 'error') hopeful.delete(rule)
    const fault = faultAt(world.policies, rule.index, rule.offset + offset, message, hint, severity)
    faults.push({ ...fault, policy: rule.id })
  }
  const batches: { rules: Rule[]; kinds: Kinds }[] = []
  const ids = new Set<string>()
  /** Rules in which no error was found. */
  const hopeful = new Set<Rule>()
  for (const [place, rule] of rules.entries()) {
    if (place % WALKED === 0) await nextTurn()
    if (ids.has(rule.id)) report(rule, 0, `another policy has the id "${rule.id}"`, undefined, 'warning')
    ids.add(rule.id)
    checkLists(rule, report)
    const nowhere = checkScope(rule, world, report)
    // Both, so that each is told.
    const wrong = [checkAttributes(rule, world, report), checkKinds(rule, report)]
    if (wrong.includes(true)) continue
    const kinds = attributesOf(rule)
    let batch = batches.find((one) => one.rules.length < BATCH && agrees(kinds, one.kinds))
    if (!batch) batches.push((batch = { rules: [], kinds: new Map() }))
    batch.rules.push(rule)
    batch.kinds = joinKinds([batch.kinds, kinds])
    if (!nowhere) hopeful.add(rule)
  }
  for (const batch of batches) {
    await nextTurn()
    try {
      validate(batch.rules, world, report)
    } catch (error) {
      if (!(error instanceof CedarTrapped)) throw error
      for (const rule of batch.rules) report(rule, 0, error.message, 'write it shorter')
    }
    for (const rule of batch.rules) if (hopeful.has(rule)) checkConditions(rule, world, report)
  }
  return faults
}
