import { find } from './check.ts'
import type { Suggest } from './check.ts'
import { faultAt } from './fault.ts'
import type { PolicyFault } from './fault.ts'
import type { PolicySet } from './set.ts'

/** Names that are there now. */
export interface LiveNames {
  tools: Iterable<string>
  prompts: Iterable<string>
  backends: Iterable<string>
}

const NAMED = /^(Tool|Prompt|Backend)::(".*")$/su

/** Warns of tools, prompts and backends that policies name and the catalogue does not have. */
export function checkNames(set: PolicySet, live: LiveNames, suggest: Suggest): PolicyFault[] {
  const known = { Tool: [...live.tools], Prompt: [...live.prompts], Backend: [...live.backends] }
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
