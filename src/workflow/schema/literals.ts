import { didYouMean, suggest } from '../../model/nearest.ts'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import { convertExactly } from './convert.ts'
import {
  alternatives,
  choices,
  describeTypes,
  item,
  namedKeys,
  own,
  property,
  requiredKeys,
  type SchemaNode,
  typeOf,
  typesOf,
} from './node.ts'

export interface SchemaFault {
  /** From the value that was checked to the culprit. */
  readonly path: readonly (string | number)[]
  readonly message: string
  readonly hint?: string
}

export interface Look {
  /** Whether a text is a template, whose value nobody knows yet. */
  readonly isTemplate: (text: string) => boolean
  /** What a member is called in messages: `argument`, `parameter`. */
  readonly member: string
}

const MAX_VALUES = 10_000
/** What trying an alternative costs, in values. */
const ALTERNATIVE = 20
const MAX_DEPTH = 64
const SHOWN = 60

interface Walk extends Look {
  left: number
  readonly faults: SchemaFault[]
  /** Inside alternatives a key may belong to another part of the schema. */
  readonly keys: boolean
}

const LITERALS: Look = { isTemplate: () => false, member: 'argument' }

/**
 * Checks what is known before anything runs: keys, what is required, types of literals, `enum` and `const`. A key that
 * the schema does not name is a fault unless the schema allows others explicitly, or names none at all. A text is
 * right when it converts exactly to what the schema asks for.
 */
export function checkArguments(schema: SchemaNode, value: JsonValue, look: Look = LITERALS): SchemaFault[] {
  const walk: Walk = { ...look, left: MAX_VALUES, faults: [], keys: true }
  check(schema, value, [], walk)
  return walk.faults
}

type Path = readonly (string | number)[]

function complain(walk: Walk, path: Path, message: string, hint?: string): void {
  walk.faults.push({ path, message, ...(hint === undefined ? {} : { hint }) })
}

function check(node: SchemaNode, value: JsonValue, path: Path, walk: Walk): void {
  if (walk.left-- <= 0 || path.length > MAX_DEPTH) return
  let known = value
  if (typeof value === 'string') {
    if (walk.isTemplate(value)) return
    const converted = convertExactly(value, node)
    if (!converted.ok) return complain(walk, path, `expected ${converted.wanted}, found ${show(value)}`)
    known = converted.value
  } else {
    const types = typesOf(node)
    if (types && !types.has(typeOf(value))) {
      return complain(walk, path, `expected ${describeTypes(types)}, found ${show(value)}`)
    }
  }
  if (!checkChoice(node, known, path, walk)) return
  const before = walk.faults.length
  if (isObject(known)) checkObject(node, known, path, walk)
  else if (Array.isArray(known)) {
    for (const [index, one] of known.entries()) {
      const child = item(node, index)
      if (typeof child !== 'string') check(child, one, [...path, index], walk)
      else if (child === 'absent') complain(walk, [...path, index], 'the list has no room for this item')
    }
  }
  // Their faults are told already, as far as they lie below what the alternatives have in common.
  if (walk.faults.length > before) return
  for (const list of alternatives(node)) checkAlternatives(list, known, path, walk)
}

function checkChoice(node: SchemaNode, value: JsonValue, path: Path, walk: Walk): boolean {
  const listed = choices(node)
  if (!listed || holdsTemplate(value, walk)) return true
  const text = canonical(value)
  if (listed.some((one) => canonical(one) === text)) return true
  const names = listed.slice(0, 12).map((one) => JSON.stringify(one))
  const hint =
    typeof value === 'string'
      ? didYouMean(
          value,
          listed.filter((one) => typeof one === 'string'),
        )
      : undefined
  const expected = names.length === 1 ? names.join('') : `one of ${names.join(', ')}`
  complain(walk, path, `expected ${expected}, found ${show(value)}`, hint)
  return false
}

const holdsTemplate = (value: JsonValue, walk: Walk): boolean =>
  typeof value === 'string'
    ? walk.isTemplate(value)
    : Array.isArray(value)
      ? value.some((one) => holdsTemplate(one, walk))
      : isObject(value) && Object.values(value).some((one) => one !== undefined && holdsTemplate(one, walk))

function checkObject(node: SchemaNode, value: JsonObject, path: Path, walk: Walk): void {
  const { member } = walk
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue
    const child = property(node, key)
    if (child === 'absent' && walk.keys) {
      const names = namedKeys(node)
      const hint = names.length === 0 ? `there are no ${member}s` : suggest(key, names)
      complain(walk, [...path, key], `there is no ${member} "${key}"`, hint)
    } else if (typeof child !== 'string') check(child, inner, [...path, key], walk)
  }
  for (const key of requiredKeys(node)) {
    if (own(value, key) !== undefined) continue
    const child = property(node, key)
    const types = typeof child === 'string' ? undefined : typesOf(child)
    const says = types ? `: ${describeTypes(types)}` : ''
    complain(
      walk,
      path,
      `the ${member} "${key}" is required`,
      `give it${says === '' ? ' a value' : says.replace(':', '')}`,
    )
  }
}

/** Wrong only when it fits none of them; then the faults of the one that comes nearest are told. */
function checkAlternatives(list: readonly SchemaNode[], value: JsonValue, path: Path, walk: Walk): void {
  const tried = list.slice(0, 32).map((node) => {
    const inner: Walk = { ...walk, left: walk.left - ALTERNATIVE, faults: [], keys: false }
    check(node, value, path, inner)
    walk.left = inner.left
    return { node, faults: inner.faults }
  })
  if (tried.length < list.length || tried.some(({ faults }) => faults.length === 0)) return
  const near = tried.filter(({ node }) => typesOf(node)?.has(typeOf(value)) ?? true)
  const [only, second] = near
  if (only && !second) walk.faults.push(...only.faults)
  else complain(walk, path, `${show(value)} fits none of the ${list.length} alternatives`)
}

/** Equal values give equal texts. */
function canonical(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const keys = Object.keys(value).sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`).join(',')}}`
}

/** A value in a message. */
export function show(value: JsonValue): string {
  if (Array.isArray(value)) return 'a list'
  if (isObject(value)) return 'an object'
  const text = JSON.stringify(value)
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}...` : text
}
