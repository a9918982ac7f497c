import type { PolicyJson } from './cedar.ts'
import { uidOf, uidText } from './entity.ts'
import type { Kinds } from './infer.ts'
import { mentionsArguments, mentionsOrigin } from './syntax.ts'
import type { Mentions } from './syntax.ts'
import { ACTIONS, ACTION_NAMES } from './vocabulary.ts'
import type { ActionName } from './vocabulary.ts'

/** One policy, read. */
export interface Rule {
  /** Its place in `policies` of the configuration. */
  index: number
  /** Its `@id`, else `policy<index>`. */
  id: string
  /** Its key towards the engine, unique within a set. */
  key: string
  text: string
  /** UTF-16, of `text` within that place. */
  offset: number
  json: PolicyJson
  /** `principalKey` of it. */
  principal: string | undefined
  mentions: Mentions
  kinds: Kinds
}

/** What beyond principal and target a decision depends on. */
export type Dependence = 'nothing' | 'origin' | 'arguments'

export function dependenceOf(rule: Rule): Dependence {
  if (mentionsArguments(rule.mentions)) return 'arguments'
  return mentionsOrigin(rule.mentions) ? 'origin' : 'nothing'
}

/** Names of the actions in a policy's scope; `undefined`: all. */
export function actionsNamed(policy: PolicyJson): string[] | undefined {
  const { action } = policy
  if (action.op === 'All') return undefined
  if ('entities' in action) return action.entities.map((uid) => uidOf(uid).id)
  return 'entity' in action ? [uidOf(action.entity).id] : []
}

/** The principal or group that a scope names, as `uidText`; `undefined`: it matches everybody. */
export function principalKey({ principal }: PolicyJson): string | undefined {
  const within = principal.op === 'is' ? principal.in : principal
  return within && 'entity' in within ? uidText(uidOf(within.entity)) : undefined
}

/** The resource that a scope names: `uidText`, or '' for any. `undefined`: the scope matches nothing of this action. */
function resourceKey(policy: PolicyJson, action: ActionName): string | undefined {
  const { resource } = policy
  if (resource.op === 'is') {
    if (resource.entity_type !== ACTIONS[action].entity) return undefined
    return resource.in && 'entity' in resource.in ? uidText(uidOf(resource.in.entity)) : ''
  }
  return 'entity' in resource ? uidText(uidOf(resource.entity)) : ''
}

/** The rules of one action by the resource that their scope names. What is not under a resource's keys cannot match it. */
export type Slices = ReadonlyMap<string, readonly Rule[]>

/** Sound by construction: `== X` and `in X` match only X and what is below it, and everything is filed under its X. */
export function slice(rules: readonly Rule[]): Readonly<Record<ActionName, Slices>> {
  const slices = {} as Record<ActionName, Map<string, Rule[]>>
  for (const action of ACTION_NAMES) {
    const byKey = new Map<string, Rule[]>()
    for (const rule of rules) {
      const named = actionsNamed(rule.json)
      const key = !named || named.includes(action) ? resourceKey(rule.json, action) : undefined
      if (key === undefined) continue
      const filed = byKey.get(key)
      if (filed) filed.push(rule)
      else byKey.set(key, [rule])
    }
    slices[action] = byKey
  }
  return slices
}

/** The first of these that looks at an attribute, by id. */
export const whoMentions = (rules: readonly Rule[], attribute: string): string | undefined =>
  rules.find(({ mentions: { principal, resource, context, wholeContext } }) =>
    wholeContext ? true : [principal, resource, context].some((names) => names.has(attribute)),
  )?.id
