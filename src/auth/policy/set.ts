import type { Principal } from '../../model/principal.ts'
import type { Engine, PolicyJson } from './cedar.ts'
import { ancestry } from './entities.ts'
import type { Entities } from './entities.ts'
import { uidText } from './entity.ts'
import type { GroupSettings } from './groups.ts'
import { mentionsCall, relax } from './relax.ts'
import type { Unknown } from './relax.ts'
import { actionOf } from './request.ts'
import type { Target } from './request.ts'
import { dependenceOf } from './rule.ts'
import type { Rule, Slices } from './rule.ts'
import { mentionsOfExpression, mentionsOfPolicy, joinMentions } from './syntax.ts'
import { exact, unitsOf } from './unit.ts'
import type { Unit, View } from './unit.ts'
import { ACTION_NAMES, ACTIONS } from './vocabulary.ts'
import type { ActionName } from './vocabulary.ts'

interface PolicyNames extends GroupSettings {
  groupEntityType: string
  /** `MCP::"<this>"` is a parent of everything. */
  serverName: string
  /** `Group::"<this>"` is the parent of every backend. */
  group: string | undefined
}

/** The units that can match one target: to decide calls, and to decide whether it is listed. */
interface Site {
  calls: readonly Unit[]
  lists: readonly Unit[]
}

/** A group of a principal; `key` as policies write it. */
export interface Group {
  id: string
  key: string
}

/** What is known of one principal. */
interface Person {
  views: Map<Unit, View>
  groups: readonly Group[]
}

/** Compiled policies. Made by `compilePolicies`; a new set for every change. */
export interface PolicySet {
  readonly engine: Engine
  readonly names: PolicyNames
  readonly entities: Entities
  /** As configured. */
  readonly policies: readonly string[]
  readonly rules: readonly Rule[]
  readonly slices: Readonly<Record<ActionName, Slices>>
  /** By action and key, made at first use. */
  readonly units: Map<string, Site>
  /** All rules as one, only for what they look at: equal classes of it see equal lists. */
  readonly whole: Unit
  /** Whatever is remembered of principals and targets; thrown away as a whole when it is too much. */
  memory: {
    people: WeakMap<Principal, Person>
    sites: WeakMap<Target, Site>
    size: number
  }
  /** What classes of `whole` may see. Apart from `memory`: it takes long to find out, and little to keep. */
  lists: { byEntries: WeakMap<object, unknown>; size: number }
  readonly nextNumber: () => number
  /** Policies that decide nothing yet. */
  readonly trial?: PolicySet | undefined
}

export const freshMemory = (): PolicySet['memory'] => ({
  people: new WeakMap(),
  sites: new WeakMap(),
  size: 0,
})

export const freshLists = (): PolicySet['lists'] => ({ byEntries: new WeakMap(), size: 0 })

/** About 100 bytes each. */
const MAX_REMEMBERED = 200_000
/** Of a class of principals. */
export const VIEW_WEIGHT = 20

export function remember(set: PolicySet, weight = 1): void {
  set.memory.size += weight
  if (set.memory.size <= MAX_REMEMBERED) return
  set.memory = freshMemory()
  for (const site of set.units.values()) for (const unit of [...site.calls, ...site.lists]) unit.views.clear()
}

/** As `remember`, for lists and the classes that they are made for. */
export function rememberList(set: PolicySet, weight: number): void {
  set.lists.size += weight
  if (set.lists.size <= MAX_REMEMBERED) return
  set.lists = freshLists()
  set.whole.views.clear()
}

/** Everything that a target is in, itself included. */
function keysOf(set: PolicySet, target: Target): Set<string> {
  const keys = [uidText({ type: ACTIONS[actionOf(target)].entity, id: target.name })]
  if (set.names.serverName !== '') keys.push(uidText({ type: 'MCP', id: set.names.serverName }))
  if (target.backend !== undefined) {
    keys.push(uidText({ type: 'Backend', id: target.backend }))
    if (set.names.group !== undefined) keys.push(uidText({ type: 'Group', id: set.names.group }))
  }
  return ancestry(set.entities, keys)
}

/** The policies that a list is decided by: permits without the clauses that are not known, without such forbids. */
function relaxed(
  rules: readonly Rule[],
  unknown: (rule: Rule) => boolean,
  expression: Unknown,
  widen: (policy: PolicyJson) => PolicyJson,
  nextNumber: () => number,
): Unit[] {
  const parts = rules
    .filter((rule) => rule.json.effect === 'permit' && unknown(rule))
    .map((rule) => {
      const policies = relax(widen(rule.json), expression)
      return { rule, policies, mentions: joinMentions(policies.map(mentionsOfPolicy)) }
    })
  return unitsOf(parts, { dependence: 'origin', lenient: true }, nextNumber)
}

const exactly = (rules: readonly Rule[], nextNumber: () => number): Site => {
  const by = (wanted: ReturnType<typeof dependenceOf>): Unit[] =>
    unitsOf(
      rules.filter((rule) => dependenceOf(rule) === wanted).map(exact),
      { dependence: wanted, lenient: false },
      nextNumber,
    )
  const known = [...by('nothing'), ...by('origin')]
  return {
    calls: [...known, ...by('arguments')],
    lists: [
      ...known,
      ...relaxed(
        rules,
        (rule) => dependenceOf(rule) === 'arguments',
        mentionsCall,
        (policy) => policy,
        nextNumber,
      ),
    ],
  }
}

/** Of a template neither the resource nor anything about it is known. */
const mentionsResource: Unknown = (expr) => mentionsCall(expr) || mentionsOfExpression(expr).usesResource
const anyResource = (policy: PolicyJson): PolicyJson => ({ ...policy, resource: { op: 'All' } })

/** `named`: the scope names something that only some resources of the template are, or are in. */
const ofTemplate = (rules: readonly Rule[], named: boolean, nextNumber: () => number): Site => {
  const unknown = (rule: Rule): boolean => named || dependenceOf(rule) === 'arguments' || rule.mentions.usesResource
  const known = rules.filter((rule) => !unknown(rule)).map(exact)
  const lists = [
    ...unitsOf(known, { dependence: 'origin', lenient: false }, nextNumber),
    ...relaxed(rules, unknown, mentionsResource, anyResource, nextNumber),
  ]
  return { calls: lists, lists }
}

function unitsAt(set: PolicySet, action: ActionName, key: string, template?: 'inside' | 'named'): Site {
  const at = `${template ?? ''} ${action} ${key}`
  let site = set.units.get(at)
  if (!site) {
    const rules = set.slices[action].get(key) ?? []
    site = template ? ofTemplate(rules, template === 'named', set.nextNumber) : exactly(rules, set.nextNumber)
    set.units.set(at, site)
  }
  return site
}

/** Of everything but templates, whose units are made when there are any. */
export function* allUnits(set: PolicySet): Generator<Unit> {
  for (const action of ACTION_NAMES)
    for (const key of set.slices[action].keys()) {
      const { calls, lists } = unitsAt(set, action, key)
      yield* new Set([...calls, ...lists])
    }
}

const join = (sites: readonly Site[]): Site => ({
  calls: sites.flatMap((site) => site.calls),
  lists: sites.flatMap((site) => site.lists),
})

const RESOURCE_KEY = /^Resource::(".*)$/su
const HIERARCHY = /^(?:MCP|Backend|Group)::/u

/** Whether a resource that a policy names, or that is in what it names, may be one of the template's. */
function mayExpandTo(template: string, key: string): boolean {
  const uri = RESOURCE_KEY.exec(key)?.[1]
  // What is in other entities, `entitiesJson` says: it may name any resource.
  if (uri === undefined) return key !== '' && !HIERARCHY.test(key)
  return (JSON.parse(uri) as string).startsWith(template.split('{', 1)[0] ?? '')
}

/** The units that can match a target. */
export function siteOf(set: PolicySet, target: Target): Site {
  let site = set.memory.sites.get(target)
  if (site) return site
  const action = actionOf(target)
  const slices = set.slices[action]
  const keys = ['', ...keysOf(set, target)].filter((key) => slices.has(key))
  if (target.kind === 'template') {
    const inside = keys.filter((key) => !RESOURCE_KEY.test(key)).map((key) => unitsAt(set, action, key, 'inside'))
    const named = [...slices.keys()].filter((key) => mayExpandTo(target.name, key))
    site = join([...inside, ...named.map((key) => unitsAt(set, action, key, 'named'))])
  } else site = join(keys.map((key) => unitsAt(set, action, key)))
  set.memory.sites.set(target, site)
  return site
}
