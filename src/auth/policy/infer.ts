import type { Expr, PolicyJson } from './cedar.ts'
import { attributesRead, children, operator, variableOf } from './syntax.ts'
import { ARGUMENT, CLAIM } from './vocabulary.ts'

type Scalar = 'String' | 'Long' | 'Boolean' | 'decimal' | 'ipaddr' | 'datetime' | 'duration'
/** The type that a policy treats an attribute as. `Set`: of what is not known. */
export type Kind = Scalar | 'Set' | `Set:${Scalar}` | 'Entity' | 'Record'

/** By attribute name: `claim_x` is the same of the principal and of the context, `arg_x` of the resource and the context. */
export type Kinds = Map<string, Set<Kind>>

const DECIMALS = ['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual']
const ADDRESSES = ['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast', 'isInRange']
const MOMENTS = ['toDate', 'toTime', 'offset', 'durationSince']
const SPANS = ['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays']
const RESULT: Readonly<Record<string, Kind>> = {
  decimal: 'decimal',
  ip: 'ipaddr',
  datetime: 'datetime',
  duration: 'duration',
  offset: 'datetime',
  toDate: 'datetime',
  toTime: 'duration',
  durationSince: 'duration',
  ...Object.fromEntries(SPANS.map((name) => [name, 'Long'])),
  '+': 'Long',
  '-': 'Long',
  '*': 'Long',
  neg: 'Long',
}
const BOOLEANS = new Set([
  ...'! == != < <= > >= && || in is has like isEmpty hasTag contains containsAll containsAny'.split(' '),
  ...DECIMALS,
  ...ADDRESSES,
])

const setOf = (element: Kind | undefined): Kind =>
  element === undefined || element.startsWith('Set') || element === 'Entity' || element === 'Record'
    ? 'Set'
    : (`Set:${element}` as Kind)
const elementOf = (kind: Kind | undefined): Kind | undefined =>
  kind?.startsWith('Set:') ? (kind.slice('Set:'.length) as Kind) : undefined

/** Whether the type of this attribute follows from its use. */
const isOpen = (name: string): boolean => name.startsWith(CLAIM) || name.startsWith(ARGUMENT)

function openAttribute(expr: Expr): string | undefined {
  if (!('.' in expr)) return undefined
  const { left, first } = attributesRead(expr['.'])
  return variableOf(left) !== undefined && isOpen(first) ? first : undefined
}

/** What an expression is, as far as it shows. */
function kindOf(expr: Expr, known: Kinds): Kind | undefined {
  const attribute = openAttribute(expr)
  if (attribute !== undefined) return known.get(attribute)?.values().next().value
  const [name, body] = operator(expr)
  switch (name) {
    case 'Value':
      if (typeof body === 'string') return 'String'
      if (typeof body === 'number') return 'Long'
      if (typeof body === 'boolean') return 'Boolean'
      return typeof body === 'object' && body !== null && '__entity' in body ? 'Entity' : undefined
    case 'Var':
      return body === 'context' ? 'Record' : 'Entity'
    case 'Record':
      return 'Record'
    case 'Set':
      return setOf((body as Expr[]).map((item) => kindOf(item, known)).find((kind) => kind !== undefined))
    case 'if-then-else': {
      const { then, else: otherwise } = body as { then: Expr; else: Expr }
      return kindOf(then, known) ?? kindOf(otherwise, known)
    }
    case '.':
      // Attributes of the gateway's own; all but the annotations of a tool are text.
      return attributesRead(body).first.endsWith('Hint') ? 'Boolean' : 'String'
    default:
      return BOOLEANS.has(name) ? 'Boolean' : RESULT[name]
  }
}

function visit(expr: Expr, expected: Kind | undefined, known: Kinds): void {
  const attribute = openAttribute(expr)
  if (attribute !== undefined) {
    if (expected !== undefined) known.set(attribute, (known.get(attribute) ?? new Set()).add(expected))
    return
  }
  const [name, body] = operator(expr)
  const { left, right } = body as { left: Expr; right: Expr }
  const both = (forLeft: Kind | undefined, forRight: Kind | undefined): void => {
    visit(left, forLeft, known)
    visit(right, forRight, known)
  }
  switch (name) {
    case '==':
    case '!=':
      return both(kindOf(right, known), kindOf(left, known))
    case '<':
    case '<=':
    case '>':
    case '>=': {
      // Moments and spans compare too; everything else must be an integer.
      const shown = [kindOf(left, known), kindOf(right, known)].find(
        (kind) => kind === 'datetime' || kind === 'duration',
      )
      return both(shown ?? 'Long', shown ?? 'Long')
    }
    case '+':
    case '-':
    case '*':
      return both('Long', 'Long')
    case 'neg':
      return visit((body as { arg: Expr }).arg, 'Long', known)
    case '!':
      return visit((body as { arg: Expr }).arg, 'Boolean', known)
    case '&&':
    case '||':
      return both('Boolean', 'Boolean')
    case 'like':
      return visit(left, 'String', known)
    case 'in':
      return both('Entity', 'Entity')
    case 'contains':
      return both(setOf(kindOf(right, known)), elementOf(kindOf(left, known)))
    case 'containsAll':
    case 'containsAny':
      return both(kindOf(right, known) ?? 'Set', kindOf(left, known) ?? 'Set')
    case 'isEmpty':
      return visit((body as { arg: Expr }).arg, 'Set', known)
    case '.':
    case 'has':
      return visit(left, attributesRead(body).rest.length > 0 || name === '.' ? 'Record' : undefined, known)
    case 'if-then-else': {
      const branches = body as { if: Expr; then: Expr; else: Expr }
      visit(branches.if, 'Boolean', known)
      visit(branches.then, expected ?? kindOf(branches.else, known), known)
      visit(branches.else, expected ?? kindOf(branches.then, known), known)
      return
    }
    case 'Set': {
      const element = elementOf(expected) ?? elementOf(kindOf(expr, known))
      for (const item of body as Expr[]) visit(item, element, known)
      return
    }
    default: {
      const takes = DECIMALS.includes(name)
        ? 'decimal'
        : ADDRESSES.includes(name)
          ? 'ipaddr'
          : MOMENTS.includes(name)
            ? 'datetime'
            : SPANS.includes(name)
              ? 'duration'
              : name in RESULT
                ? 'String'
                : undefined
      children(expr).forEach((child, index) =>
        visit(child, name === 'offset' && index === 1 ? 'duration' : takes, known),
      )
    }
  }
}

/** The types that a policy treats its claims and arguments as. One that nothing shows is missing. */
export function kindsOf(policy: PolicyJson): Kinds {
  const known: Kinds = new Map()
  // Twice, so that what one comparison shows reaches an attribute that is compared with it earlier.
  for (let pass = 0; pass < 2; pass++) for (const clause of policy.conditions) visit(clause.body, 'Boolean', known)
  return known
}

export function joinKinds(all: Iterable<Kinds>): Kinds {
  const sum: Kinds = new Map()
  for (const one of all)
    for (const [name, kinds] of one) for (const kind of kinds) sum.set(name, (sum.get(name) ?? new Set()).add(kind))
  return sum
}
