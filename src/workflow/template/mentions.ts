import { type Call, type Expression, type Key, MAX_KEYS, type Node, type Path } from './tree.ts'

/** A path that a template reads. */
export interface Mention {
  /** From its root, as far as the text tells it. A number may also mean a member of that name. */
  readonly path: readonly Key[]
  /** It goes on, with names that are known only when the template is evaluated. */
  readonly dynamic: boolean
  /** Nothing breaks where it is missing: a default, a condition or `exists` stands before it. */
  readonly optional: boolean
  /** Of the expression in the template, UTF-16 units. */
  readonly offset: number
}

/** A value whose place in the scope the text tells, or the part of the place that it tells. */
interface Known {
  readonly path: readonly Key[]
  readonly dynamic: boolean
}

/** Paths that a condition around has found to be there. */
interface Guards {
  readonly paths: Set<string>
  readonly outer: Guards | undefined
}

/** Helpers that take what is missing: all their arguments, or those at these places. */
const TAKES_MISSING: Readonly<Record<string, 'all' | number>> = {
  or: 'all',
  coalesce: 'all',
  not: 'all',
  exists: 'all',
  default: 1,
}

/** Helpers that hand on what is missing, to one that takes it: the arguments that may be their value. */
const HANDS_ON: Readonly<Record<string, 'all' | readonly number[]>> = { and: 'all', default: [0], ternary: [0, 1] }

/** Every path that the nodes read, in their order. */
export function findMentions(nodes: readonly Node[]): Mention[] {
  const mentions: Mention[] = []
  const contexts: (Known | undefined)[] = []
  const slots: (Known | undefined)[] = []

  const under = (known: Known | undefined, keys: readonly Key[]): Known | undefined => {
    if (!known || known.dynamic) return known
    const path = [...known.path, ...keys]
    return path.length > MAX_KEYS ? { path: path.slice(0, MAX_KEYS), dynamic: true } : { path, dynamic: false }
  }

  function known(expression: Expression): Known | undefined {
    if (expression.kind === 'path') {
      const { base, keys } = expression
      if (base.from === 'scope') return { path: keys, dynamic: false }
      if (base.from === 'context') return under(contexts.at(-1 - base.up), keys)
      return under(base.from === 'slot' ? slots[base.slot] : known(base.value), keys)
    }
    if (expression.kind !== 'call' || expression.helper !== 'index') return undefined
    const [from, ...keys] = expression.args
    let place = from && known(from)
    for (const key of keys) {
      const name = key.kind === 'literal' ? key.value : undefined
      if (typeof name === 'string' || typeof name === 'number') place = under(place, [name])
      else place &&= { ...place, dynamic: true }
    }
    return place
  }

  function emit(place: Known, optional: boolean, guards: Guards | undefined, offset: number): void {
    const isWhole = place.path.length === 0
    const guarded = optional || isGuarded(place.path, guards)
    mentions.push({ path: place.path, dynamic: place.dynamic || isWhole, optional: guarded, offset })
  }

  function visit(expression: Expression, optional: boolean, guards: Guards | undefined): void {
    if (expression.kind === 'literal') return
    if (expression.kind === 'path') visitPath(expression, optional, guards)
    else if (expression.helper === 'index') visitIndex(expression, optional, guards)
    else visitCall(expression, optional, guards)
  }

  function visitPath(path: Path, optional: boolean, guards: Guards | undefined): void {
    const place = known(path)
    const isInside = path.base.from !== 'scope' && place?.dynamic === true
    // What lies in the items of a list was mentioned with the list.
    if (place && !isInside) emit(place, optional, guards, path.offset)
    if (path.base.from !== 'value') return
    const inner = path.base.value
    if (!place || isInside) visit(inner, optional, guards)
    else if (inner.kind === 'call') for (const arg of inner.args.slice(1)) visit(arg, false, guards)
  }

  function visitIndex(call: Call, optional: boolean, guards: Guards | undefined): void {
    const place = known(call)
    const [from, ...keys] = call.args
    if (place) emit(place, optional, guards, call.offset)
    else if (from) visit(from, optional, guards)
    for (const key of keys) visit(key, false, guards)
  }

  function visitCall({ helper, args }: Call, optional: boolean, guards: Guards | undefined): void {
    const takes = Object.hasOwn(TAKES_MISSING, helper) ? TAKES_MISSING[helper] : undefined
    const inner: Guards = { paths: new Set(), outer: guards }
    const hands = Object.hasOwn(HANDS_ON, helper) ? HANDS_ON[helper] : undefined
    // A ternary evaluates its test first.
    const order = helper === 'ternary' ? [2, 0, 1] : args.keys()
    for (const at of order) {
      const arg = args[at]
      if (!arg) continue
      visit(
        arg,
        takes === 'all' || takes === at || (optional && (hands === 'all' || hands?.includes(at) === true)),
        inner,
      )
      if (helper === 'and' || (helper === 'ternary' && at === 2)) guard(arg, inner.paths)
    }
  }

  /** What is there, if the test holds. */
  function guard(test: Expression, paths: Set<string>): void {
    if (test.kind === 'call' && (test.helper === 'and' || test.helper === 'exists')) {
      for (const arg of test.args) guard(arg, paths)
    } else {
      const place = known(test)
      if (place && !place.dynamic) paths.add(JSON.stringify(place.path))
    }
  }

  function walk(list: readonly Node[], guards: Guards | undefined): void {
    for (const node of list) {
      if (node.kind === 'output') visit(node.value, false, guards)
      else if (node.kind === 'set') {
        visit(node.value, true, guards)
        slots[node.slot] = known(node.value)
      } else if (node.kind === 'if') walkIf(node, guards)
      else if (node.kind === 'with') walkWith(node, guards)
      else if (node.kind === 'each') walkEach(node, guards)
    }
  }

  function walkIf(node: Extract<Node, { kind: 'if' }>, guards: Guards | undefined): void {
    for (const { test, slot, body } of node.branches) {
      visit(test, true, guards)
      if (slot !== undefined) slots[slot] = known(test)
      const inner: Guards = { paths: new Set(), outer: guards }
      guard(test, inner.paths)
      walk(body, inner)
    }
    walk(node.otherwise, guards)
  }

  function walkWith(node: Extract<Node, { kind: 'with' }>, guards: Guards | undefined): void {
    visit(node.value, true, guards)
    const place = known(node.value)
    if (node.slot !== undefined) slots[node.slot] = place
    const inner: Guards = { paths: new Set(), outer: guards }
    guard(node.value, inner.paths)
    contexts.push(place)
    walk(node.body, inner)
    contexts.pop()
    walk(node.otherwise, guards)
  }

  function walkEach(node: Extract<Node, { kind: 'each' }>, guards: Guards | undefined): void {
    visit(node.list, node.hasElse, guards)
    const list = known(node.list)
    const item = list && { ...list, dynamic: true }
    if (node.slots.item !== undefined) slots[node.slots.item] = item
    contexts.push(item)
    walk(node.body, guards)
    contexts.pop()
    walk(node.otherwise, guards)
  }

  walk(nodes, undefined)
  return mentions
}

/** Whether a condition around has asked for the path, or for something that it leads through. */
function isGuarded(path: readonly Key[], guards: Guards | undefined): boolean {
  for (let outer = guards; outer; outer = outer.outer) {
    if (outer.paths.size === 0) continue
    for (let length = path.length; length > 0; length -= 1) {
      if (outer.paths.has(JSON.stringify(path.slice(0, length)))) return true
    }
  }
  return false
}
