import { isObject, type JsonValue } from '../../model/json.ts'
import { item, namedKeys, nodeOf, own, type SchemaNode, typeAt } from '../schema/node.ts'

/** What is known, before anything runs, about a value that templates reach. */
export type Shape =
  | { readonly kind: 'schema'; readonly node: SchemaNode }
  | { readonly kind: 'members'; readonly members: ReadonlyMap<string, Shape> }
  | { readonly kind: 'list'; readonly item: Shape }
  /** The output of a tool that declares none. */
  | { readonly kind: 'undeclared' }
  | { readonly kind: 'unknown' }
  /** Known once all steps are read. */
  | { readonly kind: 'later'; readonly shape: () => Shape }

export const UNKNOWN: Shape = { kind: 'unknown' }
export const UNDECLARED: Shape = { kind: 'undeclared' }
export const TEXT: Shape = schemaShape({ type: 'string' })
export const COUNT: Shape = schemaShape({ type: 'integer' })

export function schemaShape(schema: JsonValue): Shape {
  return { kind: 'schema', node: nodeOf(schema) }
}

export const members = (entries: Iterable<readonly [string, Shape]>): Shape => ({
  kind: 'members',
  members: new Map(entries),
})

export const listOf = (item: Shape): Shape => ({ kind: 'list', item })

/** A shape that others decide. One that depends on itself is unknown. */
export function later(make: () => Shape): Shape {
  let made: Shape | undefined
  let making = false
  const shape = (): Shape => {
    if (made || making) return made ?? UNKNOWN
    making = true
    made = make()
    making = false
    return made
  }
  return { kind: 'later', shape }
}

const settled = (shape: Shape): Shape => (shape.kind === 'later' ? settled(shape.shape()) : shape)

/** The shape of the items of a list. */
export function itemOf(list: Shape): Shape {
  const shape = settled(list)
  if (shape.kind === 'list') return shape.item
  if (shape.kind !== 'schema') return UNKNOWN
  const child = item(shape.node)
  return typeof child === 'string' ? UNKNOWN : { kind: 'schema', node: child }
}

/** Where a path ends. `at`: how many of its keys are there. */
export type End =
  | { readonly end: 'reached'; readonly shape: Shape }
  | { readonly end: 'unknown' }
  /** It goes below the output of a tool that declares none. */
  | { readonly end: 'undeclared'; readonly at: number }
  | { readonly end: 'absent'; readonly at: number; readonly names: readonly string[] }

/** The parts of a tool result that is not structured, by the names that they get. */
const TEXT_PART = /^text(?:_[0-9]+)?$/u
const PLACE = /^(?:0|[1-9][0-9]*)$/u

export function follow(root: Shape, path: readonly (string | number)[]): End {
  let shape = settled(root)
  for (const [at, key] of path.entries()) {
    switch (shape.kind) {
      case 'later':
      case 'unknown':
        return { end: 'unknown' }
      case 'undeclared':
        return at === path.length - 1 && TEXT_PART.test(String(key))
          ? { end: 'reached', shape: TEXT }
          : { end: 'undeclared', at }
      case 'members': {
        const next = shape.members.get(String(key))
        if (!next) return { end: 'absent', at, names: [...shape.members.keys()] }
        shape = settled(next)
        break
      }
      case 'list':
        if (!PLACE.test(String(key))) return { end: 'absent', at, names: [] }
        shape = settled(shape.item)
        break
      case 'schema': {
        const next = typeAt(shape.node, [key])
        if (next === 'unknown') return { end: 'unknown' }
        if (next === 'absent') return { end: 'absent', at, names: namedKeys(shape.node) }
        shape = { kind: 'schema', node: next }
      }
    }
  }
  return shape.kind === 'unknown' ? { end: 'unknown' } : { end: 'reached', shape }
}

/** Whether a value has something at a path. */
export function has(value: JsonValue | undefined, path: readonly (string | number)[]): boolean {
  return valueAt(value, path) !== undefined
}

export function valueAt(value: JsonValue | undefined, path: readonly (string | number)[]): JsonValue | undefined {
  let here = value
  for (const key of path) {
    if (Array.isArray(here)) here = PLACE.test(String(key)) ? here[Number(key)] : undefined
    else here = isObject(here) ? own(here, String(key)) : undefined
  }
  return here
}
