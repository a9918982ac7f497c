import type { Expr } from './cedar.ts'
import { uidOf, uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { conditionOf } from './relax.ts'
import { actionsNamed } from './rule.ts'
import type { Rule } from './rule.ts'
import { attributesRead, operator, uidIn, variableOf } from './syntax.ts'
import { ACTION_NAMES, ACTIONS, ORIGINS } from './vocabulary.ts'

/** Why something never holds, and a name that stands where. */
export interface Never {
  why: string
  at: string | undefined
}

/** Whether nothing is ever in this entity. */
type IsEmpty = (uid: Uid) => boolean

interface World {
  /** The values that attributes have, of those that have few. */
  values: Readonly<Record<string, readonly string[]>>
  isEmpty: IsEmpty
}

/** `context.arg_x`, `principal`. */
function pathOf(expr: Expr): string | undefined {
  const variable = variableOf(expr)
  if (variable !== undefined) return variable
  if (!('.' in expr)) return undefined
  const { left, first, rest } = attributesRead(expr['.'])
  const base = pathOf(left)
  return base === undefined ? undefined : [base, first, ...rest].join('.')
}

/** A text that tells literals apart, as a policy would write them; entities too. */
function literalOf(expr: Expr): string | undefined {
  if (!('Value' in expr)) return undefined
  const uid = uidIn(expr)
  if (uid) return uidText(uid)
  return typeof expr.Value === 'object' ? undefined : JSON.stringify(expr.Value)
}

/** Integers beyond 2^53 lose digits in the syntax tree: equal ones may differ. */
const isExact = (expr: Expr): boolean =>
  !('Value' in expr) || typeof expr.Value !== 'number' || Number.isSafeInteger(expr.Value)

interface Fact {
  path: string
  literal: string
  exact: boolean
  equal: boolean
}

/** What `path == literal` and `path != literal` say when they are `truth`. */
function factOf(expr: Expr, truth: boolean): Fact | undefined {
  const [name, body] = operator(expr)
  if (name === '!') return factOf((body as { arg: Expr }).arg, !truth)
  if (name !== '==' && name !== '!=') return undefined
  const { left, right } = body as { left: Expr; right: Expr }
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const [path, literal] = [pathOf(one), literalOf(other)]
    if (path !== undefined && literal !== undefined)
      return { path, literal, exact: isExact(other), equal: (name === '==') === truth }
  }
  return undefined
}

const at = (path: string): string => path.slice(path.indexOf('.') + 1)

/** Two facts that cannot be true of one call. */
function contradiction(facts: readonly Fact[]): Never | undefined {
  const equal = new Map<string, Fact>()
  for (const fact of facts) {
    if (!fact.equal) continue
    const other = equal.get(fact.path)
    if (other && other.literal !== fact.literal)
      return { why: `${fact.path} is never both ${other.literal} and ${fact.literal}`, at: at(fact.path) }
    equal.set(fact.path, fact)
  }
  for (const { path, literal, equal: same, exact } of facts) {
    if (!same && exact && equal.get(path)?.literal === literal)
      return { why: `${path} never is ${literal} and is not`, at: at(path) }
  }
  return undefined
}

/** The parts that must all be so for the whole to be `truth`. */
function parts(expr: Expr, truth: boolean): [expr: Expr, truth: boolean][] {
  const [name, body] = operator(expr)
  if (name === '!') return parts((body as { arg: Expr }).arg, !truth)
  if (name !== (truth ? '&&' : '||')) return [[expr, truth]]
  const { left, right } = body as { left: Expr; right: Expr }
  return [...parts(left, truth), ...parts(right, truth)]
}

const ORDERED: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

/** What a comparison of two literals always is. */
function constantOf(expr: Expr): boolean | undefined {
  if ('Value' in expr) return typeof expr.Value === 'boolean' ? expr.Value : undefined
  const [name, body] = operator(expr)
  const { left, right } = body as { left: Expr; right: Expr }
  if (name === '==' || name === '!=') {
    const [one, other] = [literalOf(left), literalOf(right)]
    if (one === undefined || other === undefined || !isExact(left) || !isExact(right)) return undefined
    return (one === other) === (name === '==')
  }
  const compare = Object.hasOwn(ORDERED, name) ? ORDERED[name] : undefined
  if (!compare || !('Value' in left) || !('Value' in right)) return undefined
  const [one, other] = [left.Value, right.Value]
  if (!Number.isSafeInteger(one) || !Number.isSafeInteger(other)) return undefined
  return compare(one as number, other as number)
}

/** Why a value of few is never one of these. */
function neverOneOf(
  path: string | undefined,
  literals: readonly (string | undefined)[],
  { values }: World,
): Never | undefined {
  const all = path !== undefined && Object.hasOwn(values, path) ? values[path] : undefined
  if (path === undefined || !all) return undefined
  const known = all.map((value) => JSON.stringify(value))
  if (literals.some((literal) => literal === undefined || known.includes(literal))) return undefined
  return { why: `${path} is ${known.join(' or ')}`, at: at(path) }
}

function neverIn(body: unknown, world: World): Never | undefined {
  const { left, right } = body as { left: Expr; right: Expr }
  if (variableOf(left) !== 'resource') return undefined
  const uids = ('Set' in right ? right.Set : [right]).map(uidIn)
  const [first] = uids
  if (!first || !uids.every((uid) => uid && world.isEmpty(uid))) return undefined
  return { why: `nothing is in ${uidText(first)}`, at: first.type }
}

/** Why an expression is never `truth`, as far as that shows. Absent: it may be. */
function neverIs(expr: Expr, truth: boolean, world: World): Never | undefined {
  const constant = constantOf(expr)
  if (constant !== undefined)
    return constant === truth ? undefined : { why: 'its conditions never hold', at: undefined }
  const [name, body] = operator(expr)
  const of = (part: Expr, wanted: boolean): Never | undefined => neverIs(part, wanted, world)
  switch (name) {
    case '!':
      return of((body as { arg: Expr }).arg, !truth)
    case '&&':
    case '||': {
      const { left, right } = body as { left: Expr; right: Expr }
      if ((name === '&&') !== truth) {
        const first = of(left, truth)
        return first && of(right, truth) && first
      }
      const all = parts(expr, truth)
      for (const [part, wanted] of all) {
        const never = of(part, wanted)
        if (never) return never
      }
      return contradiction(all.flatMap(([part, wanted]) => factOf(part, wanted) ?? []))
    }
    case 'if-then-else': {
      const branches = body as { if: Expr; then: Expr; else: Expr }
      const first = of(branches.if, true) ?? of(branches.then, truth)
      return first && (of(branches.if, false) ?? of(branches.else, truth)) && first
    }
    case '==':
    case '!=': {
      const { left, right } = body as { left: Expr; right: Expr }
      if ((name === '==') !== truth) return undefined
      return neverOneOf(pathOf(left), [literalOf(right)], world) ?? neverOneOf(pathOf(right), [literalOf(left)], world)
    }
    case 'contains': {
      const { left, right } = body as { left: Expr; right: Expr }
      return truth && 'Set' in left ? neverOneOf(pathOf(right), left.Set.map(literalOf), world) : undefined
    }
    case 'in':
      return truth ? neverIn(body, world) : undefined
    default:
      return undefined
  }
}

/** Why a rule can never match, whatever the catalogue, as far as that shows. */
export function neverMatches(rule: Rule, isEmpty: IsEmpty): Never | undefined {
  const condition = conditionOf(rule.json)
  if (!condition) return undefined
  const named = actionsNamed(rule.json)
  const rows = ACTION_NAMES.filter((name) => !named || named.includes(name)).map((name) => ACTIONS[name])
  const values = {
    'context.origin': ORIGINS,
    'resource.operation': rows.map(({ operation }) => operation),
    'resource.feature': rows.map(({ feature }) => feature),
  }
  const never = neverIs(condition, true, { values, isEmpty })
  if (never) return never
  const scope = (['principal', 'resource'] as const).flatMap((path): Fact[] => {
    const { [path]: one } = rule.json
    if (one.op !== '==' || !('entity' in one)) return []
    return [{ path, literal: uidText(uidOf(one.entity)), exact: true, equal: true }]
  })
  return contradiction([...scope, ...parts(condition, true).flatMap(([part, truth]) => factOf(part, truth) ?? [])])
}
