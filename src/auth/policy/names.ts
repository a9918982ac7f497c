import { find } from './check.ts'
import type { Suggest } from './check.ts'
import { uidOf } from './entity.ts'
import { faultAt } from './fault.ts'
import type { PolicyFault } from './fault.ts'
import { actionsNamed } from './rule.ts'
import type { Rule } from './rule.ts'
import type { PolicySet } from './set.ts'
import { ACTION_NAMES, ACTIONS, ARGUMENT, PRESENT } from './vocabulary.ts'

/** Names that are there now. */
export interface LiveNames {
  /** With the arguments of each; absent: it does not say which it takes. */
  tools: ReadonlyMap<string, readonly string[] | undefined>
  prompts: ReadonlyMap<string, readonly string[] | undefined>
  backends: Iterable<string>
}

const NAMED = /^(Tool|Prompt|Backend)::(".*")$/su

/** Warns of tools, prompts and backends that policies name and the catalogue does not have. */
export function checkNames(set: PolicySet, live: LiveNames, suggest: Suggest): PolicyFault[] {
  const known = { Tool: [...live.tools.keys()], Prompt: [...live.prompts.keys()], Backend: [...live.backends] }
  const faults: PolicyFault[] = []
  for (const rule of set.rules)
    for (const uid of rule.mentions.uids) {
      const [, type, text] = NAMED.exec(uid) ?? []
      if (type === undefined || text === undefined || set.entities.has(uid)) continue
      const name = JSON.parse(text) as string
      const names = known[type as keyof typeof known]
      if (names.includes(name)) continue
      const message = `there is no ${type.toLowerCase()} "${name}" now`
      const at = rule.offset + find(rule, name)
      faults.push({
        ...faultAt(set.policies, rule.index, at, message, suggest(name, names), 'warning'),
        policy: rule.id,
      })
    }
  return faults
}

/** The tools and prompts that the scope of a rule takes in. */
function within({ json }: Rule, live: LiveNames): [name: string, args: readonly string[] | undefined][] {
  const actions = actionsNamed(json)
  const { resource } = json
  const uid = resource.op === '==' && 'entity' in resource ? uidOf(resource.entity) : undefined
  const type = uid ? uid.type : resource.op === 'is' ? resource.entity_type : undefined
  const offered = { call_tool: live.tools, get_prompt: live.prompts, read_resource: new Map<string, undefined>() }
  return ACTION_NAMES.flatMap((action) => {
    if ((actions && !actions.includes(action)) || (type !== undefined && type !== ACTIONS[action].entity)) return []
    return [...offered[action]].filter(([name]) => !uid || uid.id === name)
  })
}

/** Warns of arguments that policies look at and nothing that they are about takes. */
export function checkArguments(set: PolicySet, live: LiveNames, suggest: Suggest): PolicyFault[] {
  return set.rules.flatMap((rule) => {
    const { context, resource } = rule.mentions
    const looked = [...new Set([...context, ...resource])].filter((name) => name.startsWith(ARGUMENT))
    if (looked.length === 0) return []
    const takers = within(rule, live)
    const takes = takers.flatMap(([, args]) => args ?? [])
    if (takers.length === 0 || takers.some(([, args]) => args === undefined)) return []
    return looked.flatMap((attribute): PolicyFault[] => {
      const name = attribute.slice(ARGUMENT.length)
      const plain = name.endsWith(PRESENT) ? name.slice(0, -PRESENT.length) : name
      if (takes.includes(name) || takes.includes(plain)) return []
      const [only] = takers
      const message =
        takers.length === 1 && only
          ? `"${only[0]}" has no argument "${plain}" now`
          : `nothing has an argument "${plain}" now`
      const at = rule.offset + find(rule, attribute)
      return [{ ...faultAt(set.policies, rule.index, at, message, suggest(plain, takes), 'warning'), policy: rule.id }]
    })
  })
}
