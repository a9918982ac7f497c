import type { Expr, PolicyJson } from './cedar.ts'
import { uidOf, uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { ARGUMENT } from './vocabulary.ts'

type Variable = 'principal' | 'resource' | 'context' | 'action'

/** What the conditions and the scope of a policy, or of several, look at. */
export interface Mentions {
  /** Attributes by the variable they are read from; of an unknown base: by all. */
  principal: Set<string>
  resource: Set<string>
  context: Set<string>
  /** The context is used as a value: all of it counts. */
  wholeContext: boolean
  /** Who the principal is counts beyond the entities named in `uids`. */
  wholePrincipal: boolean
  /** Conditions look at the resource. */
  usesResource: boolean
  /** Tags, or hierarchy beyond literals: every entity counts. */
  wholeEntities: boolean
  /** Entities that are named, as `uidText`. */
  uids: Set<string>
}

const noMentions = (): Mentions => ({
  principal: new Set(),
  resource: new Set(),
  context: new Set(),
  wholeContext: false,
  wholePrincipal: false,
  usesResource: false,
  wholeEntities: false,
  uids: new Set(),
})

export function joinMentions(all: Iterable<Mentions>): Mentions {
  const sum = noMentions()
  for (const one of all) {
    for (const name of ['principal', 'resource', 'context', 'uids'] as const)
      for (const item of one[name]) sum[name].add(item)
    sum.wholeContext ||= one.wholeContext
    sum.wholePrincipal ||= one.wholePrincipal
    sum.usesResource ||= one.usesResource
    sum.wholeEntities ||= one.wholeEntities
  }
  return sum
}

const isArgument = (name: string): boolean => name.startsWith(ARGUMENT)

export const mentionsArguments = (mentions: Mentions): boolean =>
  mentions.wholeContext || [...mentions.context].some(isArgument) || [...mentions.resource].some(isArgument)

export const mentionsOrigin = (mentions: Mentions): boolean =>
  mentions.wholeContext || mentions.context.has('origin') || mentions.context.has('workflow')

/** The operator of an expression and what it holds; an extension function looks the same. */
export function operator(expr: Expr): [name: string, body: unknown] {
  return Object.entries(expr)[0] ?? ['', undefined]
}

export const variableOf = (expr: Expr): Variable | undefined => ('Var' in expr ? (expr.Var as Variable) : undefined)

/** The entity that an expression writes out. */
export function uidIn(expr: Expr): Uid | undefined {
  const value: unknown = 'Value' in expr ? expr.Value : undefined
  return typeof value === 'object' && value !== null && '__entity' in value ? (value.__entity as Uid) : undefined
}

export const conditional = (condition: Expr, yes: Expr, no: Expr): Expr => ({
  // oxlint-disable-next-line no-thenable -- the engine calls it so
  'if-then-else': { if: condition, then: yes, else: no },
})

/** The expressions directly within. */
export function children(expr: Expr): Expr[] {
  const [name, body] = operator(expr)
  switch (name) {
    case 'Value':
    case 'Var':
    case 'Slot':
      return []
    case 'Set':
      return body as Expr[]
    case 'Record':
      return Object.values(body as Record<string, Expr>)
    case 'if-then-else': {
      const branches = body as { if: Expr; then: Expr; else: Expr }
      return [branches.if, branches.then, branches.else]
    }
    default: {
      if (Array.isArray(body)) return body as Expr[]
      const parts = body as { arg?: Expr; left?: Expr; right?: Expr; in?: Expr }
      return [parts.arg, parts.left, parts.right, parts.in].filter((part) => part !== undefined)
    }
  }
}

/** Entities within a literal. */
function collectUids(value: unknown, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  if ('__entity' in value) {
    const uid = value.__entity as { type: string; id: string }
    into.add(uidText(uid))
  } else for (const item of Object.values(value)) collectUids(item, into)
}

/** A literal entity, or a set of them. */
function isLiteral(expr: Expr): boolean {
  if ('Value' in expr) return true
  return 'Set' in expr && Array.isArray(expr.Set) && (expr.Set as Expr[]).every(isLiteral)
}

/** The first attribute that `.` or `has` reads, and those it reads of the value of that. */
export function attributesRead(body: unknown): { left: Expr; first: string; rest: string[] } {
  const { left, attr } = body as { left: Expr; attr: string | string[] }
  const [first = '', ...rest] = Array.isArray(attr) ? attr : [attr]
  return { left, first, rest }
}

function visit(expr: Expr, into: Mentions): void {
  const [name, body] = operator(expr)
  switch (name) {
    case 'Value':
      return collectUids(body, into.uids)
    case 'Var':
      if (body === 'principal') into.wholePrincipal = true
      else if (body === 'resource') into.usesResource = true
      else if (body === 'context') into.wholeContext = true
      return
    case '.':
    case 'has': {
      const { left, first, rest } = attributesRead(body)
      const variable = variableOf(left)
      const anywhere = (attribute: string): void => {
        into.principal.add(attribute)
        into.resource.add(attribute)
        into.context.add(attribute)
      }
      if (variable === undefined) {
        visit(left, into)
        anywhere(first)
      } else if (variable !== 'action') into[variable].add(first)
      if (variable === 'resource') into.usesResource = true
      for (const attribute of rest) anywhere(attribute)
      return
    }
    case 'hasTag':
    case 'getTag':
      into.wholeEntities = true
      break
    case '==':
    case '!=':
    case 'in':
    case 'contains': {
      const { left, right } = body as { left: Expr; right: Expr }
      const harmless =
        (variableOf(left) === 'principal' && isLiteral(right)) || (variableOf(right) === 'principal' && isLiteral(left))
      // Something that is computed may be below or above any entity.
      if (name === 'in' && !(isLiteral(right) && variableOf(left) !== undefined)) into.wholeEntities = true
      if (harmless) {
        visit(variableOf(left) === 'principal' ? right : left, into)
        return
      }
      break
    }
    case 'is': {
      const { left, in: within } = body as { left: Expr; in?: Expr }
      if (within && !isLiteral(within)) into.wholeEntities = true
      if (variableOf(left) === 'principal' && (!within || isLiteral(within))) {
        if (within) visit(within, into)
        return
      }
      break
    }
  }
  for (const child of children(expr)) visit(child, into)
}

export function mentionsOfExpression(expr: Expr): Mentions {
  const mentions = noMentions()
  visit(expr, mentions)
  return mentions
}

export function mentionsOfPolicy(policy: PolicyJson): Mentions {
  const mentions = noMentions()
  for (const scope of [policy.principal, policy.resource]) {
    if ('entity' in scope) mentions.uids.add(uidText(uidOf(scope.entity)))
    if (scope.op === 'is' && scope.in && 'entity' in scope.in) mentions.uids.add(uidText(uidOf(scope.in.entity)))
  }
  // Of two resources under one entity, one may be that entity.
  if (policy.resource.op === '==') mentions.usesResource = true
  for (const clause of policy.conditions) visit(clause.body, mentions)
  return mentions
}
