import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs'
import { isObject } from '../../model/json.ts'
import type { JsonObject } from '../../model/json.ts'
import type { PolicyProblem } from './decision.ts'
import { whoMentions } from './rule.ts'
import type { Unit, View } from './unit.ts'
import { scalar } from './values.ts'
import { ARGUMENT, PRESENT } from './vocabulary.ts'

/** Arguments as attributes. Answers with the problem when one that the policies look at cannot be held exactly. */
export function argumentsOf(
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
