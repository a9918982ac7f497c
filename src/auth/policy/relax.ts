import { isDeep } from '../../model/json.ts'
import type { JsonValue } from '../../model/json.ts'
import type { Expr, PolicyJson } from './cedar.ts'
import { children, conditional, mentionsArguments, mentionsOfExpression, operator } from './syntax.ts'

/** Alternatives that a permit is split into at most; what would be more is taken as possible. */
const MAX_ALTERNATIVES = 16

/** Levels of a tree that the engine reads; it stops at 128, with what stands around it. */
const MAX_LEVELS = 110

/** Whether the value of an expression is not known when a list is made. */
export type Unknown = (expr: Expr) => boolean

/** Integers beyond 2^53 lose digits on the way through the syntax tree. */
function isInexact(expr: Expr): boolean {
  if ('Value' in expr) return typeof expr.Value === 'number' && !Number.isSafeInteger(expr.Value)
  return children(expr).some(isInexact)
}

export const mentionsCall: Unknown = (expr) => mentionsArguments(mentionsOfExpression(expr)) || isInexact(expr)

/** A conjunction of expressions that must hold, and the others are not known. */
type Known = readonly Expr[]

const product = (left: readonly Known[], right: readonly Known[]): readonly Known[] => {
  const all = left.flatMap((one) => right.map((other) => [...one, ...other]))
  return all.length > MAX_ALTERNATIVES ? [[]] : all
}
const union = (left: readonly Known[], right: readonly Known[]): readonly Known[] => {
  const all = [...left, ...right]
  return all.length > MAX_ALTERNATIVES || all.some((one) => one.length === 0) ? [[]] : all
}

const NEVER: Expr = { Value: false }
const not = (expr: Expr): Expr => ({ '!': { arg: expr } })

/**
 * Conjunctions of which at least one holds, evaluated alone and without an error, whenever `expr` is `truth`. Alone,
 * because what stands beside it may fail where the whole never looked: `unknown && fails || holds`.
 */
function alternatives(expr: Expr, truth: boolean, unknown: Unknown): readonly Known[] {
  if (!unknown(expr)) return [[truth ? expr : not(expr)]]
  const [name, body] = operator(expr)
  const of = (part: Expr, wanted: boolean): readonly Known[] => alternatives(part, wanted, unknown)
  switch (name) {
    case '!':
      return of((body as { arg: Expr }).arg, !truth)
    case '&&':
    case '||': {
      const { left, right } = body as { left: Expr; right: Expr }
      const conjunction = (name === '&&') === truth
      return conjunction ? product(of(left, truth), of(right, truth)) : union(of(left, truth), of(right, truth))
    }
    case 'if-then-else': {
      const branches = body as { if: Expr; then: Expr; else: Expr }
      return union(
        product(of(branches.if, true), of(branches.then, truth)),
        product(of(branches.if, false), of(branches.else, truth)),
      )
    }
    default:
      return [[]]
  }
}

/** The operands of a chain of one operator. */
function operands(expr: Expr, name: '&&' | '||'): Expr[] {
  const [own, body] = operator(expr)
  if (own !== name) return [expr]
  const { left, right } = body as { left: Expr; right: Expr }
  return [...operands(left, name), ...operands(right, name)]
}

/** The same chain as a flat tree: a long one would be nested too deeply for the engine's reader of trees. */
function balanced(exprs: readonly Expr[], name: '&&' | '||'): Expr {
  const [only] = exprs
  if (exprs.length === 1 && only) return flatten(only)
  const middle = exprs.length >> 1
  const parts = { left: balanced(exprs.slice(0, middle), name), right: balanced(exprs.slice(middle), name) }
  return name === '&&' ? { '&&': parts } : { '||': parts }
}

function flatten(expr: Expr): Expr {
  const [name, body] = operator(expr)
  if (name === '&&' || name === '||') return balanced(operands(expr, name), name)
  return name === '!' ? not(flatten((body as { arg: Expr }).arg)) : expr
}

/** All clauses of a policy as one expression; none: it has no conditions. */
export function conditionOf({ conditions }: PolicyJson): Expr | undefined {
  const bodies = conditions.map(({ kind, body }) => (kind === 'when' ? body : not(body)))
  return bodies.length === 0 ? undefined : chain(bodies, '&&')
}

/** The policy with this as its only condition. Absent: it is nested too deeply for the engine. */
export function withCondition(policy: PolicyJson, condition: Expr | undefined): PolicyJson | undefined {
  const conditions: PolicyJson['conditions'] =
    condition === undefined ? [] : [{ kind: 'when', body: flatten(condition) }]
  const made = { ...policy, conditions }
  return isDeep(made as unknown as JsonValue, MAX_LEVELS) ? undefined : made
}

const chain = (exprs: readonly Expr[], name: '&&' | '||'): Expr =>
  exprs.reduce((left, right) => (name === '&&' ? { '&&': { left, right } } : { '||': { left, right } }))

/**
 * An expression that holds, evaluated without an error, only when `expr` is `truth` or fails, whatever is unknown.
 * Absent: nothing shows when.
 */
export function certainly(expr: Expr, truth: boolean, unknown: Unknown): Expr | undefined {
  if (!unknown(expr)) return truth ? expr : not(expr)
  const [name, body] = operator(expr)
  const both = (...parts: (Expr | undefined)[]): Expr | undefined =>
    parts.every((part) => part !== undefined) ? chain(parts, '&&') : undefined
  const either = (...parts: (Expr | undefined)[]): Expr | undefined => {
    const some = parts.filter((part) => part !== undefined)
    return some.length === 0 ? undefined : chain(some, '||')
  }
  switch (name) {
    case '!':
      return certainly((body as { arg: Expr }).arg, !truth, unknown)
    case '&&':
    case '||': {
      const { left, right } = body as { left: Expr; right: Expr }
      const parts = [certainly(left, truth, unknown), certainly(right, truth, unknown)]
      return (name === '&&') === truth ? both(...parts) : either(...parts)
    }
    case 'if-then-else': {
      const branches = body as { if: Expr; then: Expr; else: Expr }
      const [then, otherwise] = [certainly(branches.then, truth, unknown), certainly(branches.else, truth, unknown)]
      if (unknown(branches.if)) return both(then, otherwise)
      if (!then && !otherwise) return undefined
      return conditional(branches.if, then ?? NEVER, otherwise ?? NEVER)
    }
    default:
      return undefined
  }
}

/**
 * Permits that together are satisfied at least whenever `policy` could be, whatever is unknown. Errors of one of them
 * mean nothing: a permit that is satisfied has evaluated all its clauses.
 */
export function relax(policy: PolicyJson, unknown: Unknown): PolicyJson[] {
  let all: readonly Known[] = [[]]
  for (const clause of policy.conditions) all = product(all, alternatives(clause.body, clause.kind === 'when', unknown))
  const policies = all.map((known): PolicyJson => ({
    ...policy,
    conditions: known.length === 0 ? [] : [{ kind: 'when', body: balanced(known, '&&') }],
  }))
  return policies.some((one) => isDeep(one as unknown as JsonValue, MAX_LEVELS))
    ? [{ ...policy, conditions: [] }]
    : policies
}
