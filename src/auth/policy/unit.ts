import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { PolicyJson } from './cedar.ts'
import type { PolicyProblem, Verdict } from './decision.ts'
import { joinKinds } from './infer.ts'
import type { Kinds } from './infer.ts'
import type { Dependence, Rule } from './rule.ts'
import { joinMentions } from './syntax.ts'
import type { Mentions } from './syntax.ts'
import type { Target } from './request.ts'
import type { EntityJson } from './cedar.ts'

/** Policies of one unit: preparing that many takes the engine a few milliseconds. */
const MOST = 24

/** What one unit sees of a principal; equal for all of one class. */
export interface View {
  /** Of somebody of this class: what policies do not look at may differ. */
  entity: EntityJson
  parents: readonly string[]
  /** Those whose scope the principal is in; nobody asks the engine when there are none. */
  rules: readonly Rule[]
  /** The types that those treat claims and arguments as. */
  kinds: Kinds
  /** `claim_*` of the context. */
  context: Readonly<Record<string, CedarValueJson>>
  /** A claim that policies look at and Cedar cannot hold. */
  problem: PolicyProblem | undefined
  /** What was decided for this class, whatever the target, and by target. */
  verdict: Verdict | undefined
  byTarget: WeakMap<Target, Verdict> | undefined
}

/** Policies that are decided together: prepared in the engine once, with what they look at. */
export interface Unit {
  /** Its name in the engine; another unit may have had it, or get it. */
  number: number
  rules: readonly Rule[]
  /** By key towards the engine. */
  policies: Readonly<Record<string, string | PolicyJson>>
  mentions: Mentions
  /** Of all its rules. Absent: values are taken as they are. */
  kinds: Kinds | undefined
  dependence: Dependence
  /** Relaxed permits: their errors mean nothing. */
  lenient: boolean
  /** By class. */
  views: Map<string, View>
}

/** The units that can match one target: to decide calls, and to decide whether it is listed. */
export interface Site {
  calls: readonly Unit[]
  lists: readonly Unit[]
}

export interface Part {
  rule: Rule
  policies: readonly (string | PolicyJson)[]
  mentions: Mentions
}

export const exact = (rule: Rule): Part => ({ rule, policies: [rule.text], mentions: rule.mentions })

/** Makes units of parts: of a few policies each, those for the same principals together, so that others skip them. */
export function unitsOf(
  parts: readonly Part[],
  kind: { dependence: Dependence; lenient: boolean },
  nextNumber: () => number,
): Unit[] {
  const units: Unit[] = []
  const byPrincipal = Map.groupBy(parts, ({ rule }) => rule.principal ?? '')
  const sorted = [...byPrincipal.values()].flat()
  for (let start = 0; start < sorted.length; start += MOST) {
    const chunk = sorted.slice(start, start + MOST)
    const policies: Record<string, string | PolicyJson> = {}
    for (const { rule, policies: texts } of chunk)
      texts.forEach((policy, index) => (policies[index === 0 ? rule.key : `${rule.key}.${index}`] = policy))
    units.push({
      number: nextNumber(),
      rules: chunk.map((part) => part.rule),
      policies,
      mentions: joinMentions(chunk.map((part) => part.mentions)),
      kinds: joinKinds(chunk.map((part) => part.rule.kinds)),
      ...kind,
      views: new Map(),
    })
  }
  return units
}

/** The rule behind a key towards the engine. */
export const ruleOf = (unit: Unit, key: string): Rule | undefined => {
  const [own] = key.split('.')
  return unit.rules.find((rule) => rule.key === own)
}
