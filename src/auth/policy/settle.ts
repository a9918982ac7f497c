import type { Expr } from './cedar.ts'
import { conditional, operator } from './syntax.ts'

const constant = (value: boolean): Expr => ({ Value: value })

export const isConstant = (expr: Expr, value: boolean): boolean => 'Value' in expr && expr.Value === value

/**
 * The same expression where some parts are known: it is true, is false and fails whenever the given one does. What is
 * known never fails.
 */
export function settle(expr: Expr, known: (part: Expr) => boolean | undefined): Expr {
  const value = known(expr)
  if (value !== undefined) return constant(value)
  const [name, body] = operator(expr)
  switch (name) {
    case '!': {
      const arg = settle((body as { arg: Expr }).arg, known)
      if ('Value' in arg && typeof arg.Value === 'boolean') return constant(!arg.Value)
      return { '!': { arg } }
    }
    case '&&':
    case '||': {
      // The value that decides at once; the other leaves it to the other side.
      const decisive = name === '||'
      const parts = body as { left: Expr; right: Expr }
      const left = settle(parts.left, known)
      if (isConstant(left, decisive)) return left
      const right = settle(parts.right, known)
      if (isConstant(left, !decisive)) return right
      if (isConstant(right, !decisive)) return left
      return name === '&&' ? { '&&': { left, right } } : { '||': { left, right } }
    }
    case 'if-then-else': {
      const branches = body as { if: Expr; then: Expr; else: Expr }
      const condition = settle(branches.if, known)
      const [then, otherwise] = [settle(branches.then, known), settle(branches.else, known)]
      if (isConstant(condition, true)) return then
      if (isConstant(condition, false)) return otherwise
      return conditional(condition, then, otherwise)
    }
    default:
      return expr
  }
}

/** Parts of an expression that `settle` would ask about, if they were known. */
export function* partsOf(expr: Expr): Generator<Expr> {
  const [name, body] = operator(expr)
  if (name === '!') yield* partsOf((body as { arg: Expr }).arg)
  else if (name === '&&' || name === '||') {
    const { left, right } = body as { left: Expr; right: Expr }
    yield* partsOf(left)
    yield* partsOf(right)
  } else if (name === 'if-then-else') {
    const branches = body as { if: Expr; then: Expr; else: Expr }
    yield* partsOf(branches.if)
    yield* partsOf(branches.then)
    yield* partsOf(branches.else)
  } else yield expr
}
