import type { JsonValue } from '../../model/json.ts'
import { refuse } from './fault.ts'
import { HELPER_NAMES, HELPERS, MANY } from './helpers.ts'
import { misfit } from './kinds.ts'
import { nearest } from '../../model/nearest.ts'
import {
  type Base,
  type Call,
  type Expression,
  type Key,
  type Literal,
  MAX_DEPTH,
  MAX_KEYS,
  type Path,
} from './tree.ts'

export const literal = (value: JsonValue, offset: number): Literal => ({ kind: 'literal', value, offset, depth: 1 })

export function path(base: Base, keys: readonly Key[], offset: number): Path {
  if (keys.length > MAX_KEYS) refuse(`a path of more than ${MAX_KEYS} members`, offset)
  return { kind: 'path', base, keys, offset, depth: base.from === 'value' ? deeper([base.value], offset) : 1 }
}

/** A call whose helper there is, with as many arguments as it takes; literal ones are of the right type. */
export function call(name: string, args: readonly Expression[], offset: number): Call {
  const helper = HELPERS.get(name)
  if (!helper) return refuse(`there is no helper "${name.slice(0, 60)}"`, offset, hintFor(name))
  const [least, most] = helper.arity
  if (args.length < least || args.length > most) {
    const takes = least === most ? String(least) : most === MANY ? `at least ${least}` : `${least} to ${most}`
    refuse(
      `${name} takes ${takes} argument${takes === '1' ? '' : 's'}, got ${args.length}`,
      offset,
      `${name}: ${helper.about}`,
    )
  }
  for (const [at, arg] of args.entries()) {
    if (arg.kind !== 'literal') continue
    const why = misfit(helper, at, arg.value)
    if (why !== undefined) refuse(why, arg.offset)
  }
  return { kind: 'call', helper: name, args, offset, depth: deeper(args, offset) }
}

function deeper(inside: readonly Expression[], offset: number): number {
  let depth = 1
  for (const one of inside) depth = Math.max(depth, one.depth + 1)
  if (depth > MAX_DEPTH) refuse(`expressions are nested more than ${MAX_DEPTH} deep`, offset)
  return depth
}

function hintFor(name: string): string {
  const near = nearest(name, HELPER_NAMES)
  return near === undefined ? 'the helpers are listed in the guide to composite tools' : `did you mean "${near}"?`
}

const INDEX = /^(?:0|[1-9]\d{0,14})$/

/** Digits are a place in a list (or a member of that name), everything else is a name. */
export const toKey = (text: string): Key => (INDEX.test(text) ? Number(text) : text)
