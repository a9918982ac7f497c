import type { Expr, PolicyJson } from './cedar.ts'
import { expansionOf, scopeTruth, truthOf } from './expansion.ts'
import { certainly, conditionOf, mentionsCall, relax, withCondition } from './relax.ts'
import type { Unknown } from './relax.ts'
import { dependenceOf } from './rule.ts'
import type { Rule } from './rule.ts'
import { remember, VIEW_WEIGHT } from './set.ts'
import type { PolicySet } from './set.ts'
import { isConstant, partsOf, settle } from './settle.ts'
import { joinMentions, mentionsOfExpression, mentionsOfPolicy } from './syntax.ts'
import { exact, unitsOf } from './unit.ts'
import type { Part, Unit } from './unit.ts'

/** Of the URIs of a template the resource is not known, nor anything of it that the template does not say. */
const isOpen: Unknown = (expr) => mentionsCall(expr) || mentionsOfExpression(expr).usesResource

/** What a rule compares the resource with. */
interface Comparing {
  condition: Expr | undefined
  parts: readonly Expr[]
}

const comparing = new WeakMap<Rule, Comparing>()

function comparisonsOf(rule: Rule): Comparing {
  let known = comparing.get(rule)
  if (!known) {
    const condition = conditionOf(rule.json)
    const parts = condition && rule.mentions.usesResource ? [...partsOf(condition)].filter(isOpen) : []
    known = { condition, parts }
    comparing.set(rule, known)
  }
  return known
}

/** What is known of a rule for all URIs of a template: of its scope, and of each comparison. */
interface Told {
  rule: Rule
  scope: true | undefined
  truths: readonly (boolean | undefined)[]
}

const letter = (truth: boolean | undefined): string => (truth === undefined ? '?' : truth ? '1' : '0')

interface Judged {
  part: Part
  /** It is satisfied by whatever could be, and its errors mean nothing. */
  lenient: boolean
}

/** The policy without the resource: exact where nothing of it is open, else a permit that is wider, a forbid that is narrower. */
function judged({ rule, scope, truths }: Told): Judged | undefined {
  const { condition, parts } = comparisonsOf(rule)
  const anywhere: PolicyJson = { ...rule.json, resource: { op: 'All' } }
  const truth = new Map(parts.map((part, index) => [part, truths[index]]))
  const left = condition && settle(condition, (part) => truth.get(part))
  if (left && isConstant(left, false)) return undefined
  const rest = left && isConstant(left, true) ? undefined : left
  const of = (policies: readonly PolicyJson[], lenient: boolean): Judged => ({
    part: { rule, policies, mentions: joinMentions(policies.map(mentionsOfPolicy)) },
    lenient,
  })
  const open = scope === undefined || (rest !== undefined && isOpen(rest))
  const whole = withCondition(anywhere, rest)
  if (!open && whole) return of([whole], false)
  if (rule.json.effect === 'permit') {
    const conditions: PolicyJson['conditions'] = rest ? [{ kind: 'when', body: rest }] : []
    return of(relax({ ...anywhere, conditions }, isOpen), true)
  }
  if (scope === undefined || !rest) return undefined
  const certain = certainly(rest, true, isOpen)
  const narrower = certain && withCondition(anywhere, certain)
  return narrower && of([narrower], true)
}

function unitsFor(told: readonly Told[], nextNumber: () => number): readonly Unit[] {
  const exactly: Part[] = []
  const roughly: Part[] = []
  for (const one of told) {
    // As it is written: its numbers, for one, may be larger than a syntax tree holds.
    const asIs = one.scope === true && !one.rule.mentions.usesResource && dependenceOf(one.rule) !== 'arguments'
    const found = asIs ? { part: exact(one.rule), lenient: false } : judged(one)
    if (found) (found.lenient ? roughly : exactly).push(found.part)
  }
  return [
    ...unitsOf(exactly, { dependence: 'origin', lenient: false }, nextNumber),
    ...unitsOf(roughly, { dependence: 'origin', lenient: true }, nextNumber),
  ]
}

/**
 * The units that decide whether some URI of a template could be allowed. Templates of one backend of which policies know the
 * same share theirs, and so do rules that look at no resource.
 */
export function templateUnits(set: PolicySet, template: string, parents: readonly string[]): readonly Unit[] {
  const expansion = expansionOf(template, parents, set.entities)
  const units: Unit[] = []
  for (const [key, rules] of set.slices.read_resource) {
    const [looking, others]: [Told[], Told[]] = [[], []]
    for (const rule of rules) {
      const scope = scopeTruth(rule.json, expansion)
      if (scope === false) continue
      const truths = comparisonsOf(rule).parts.map((part) => truthOf(part, expansion))
      ;(truths.length > 0 ? looking : others).push({ rule, scope, truths })
    }
    for (const told of [looking, others]) {
      if (told.length === 0) continue
      const marks = told.map(({ rule, scope, truths }) => `${rule.key}${letter(scope)}${truths.map(letter).join('')}`)
      // Policies may also ask where backends belong, which a request knows of its own backend alone.
      const known = `${key} ${[...parents].join(' ')} ${marks.join(' ')}`
      let made = set.memory.ofTemplates.get(known)
      if (!made) {
        made = unitsFor(told, set.spareNumber)
        // Of many policies the key is long.
        remember(set, VIEW_WEIGHT + Math.ceil(known.length / 100))
        set.memory.ofTemplates.set(known, made)
      }
      units.push(...made)
    }
  }
  return units
}
