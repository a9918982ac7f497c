import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'

/**
 * A schema inside the document that its references point into. JSON Schema 2020-12 and draft-07 as tools use them.
 * What cannot be followed (other documents, `$dynamicRef`, loops, giants) says nothing rather than something wrong.
 */
export interface SchemaNode {
  readonly schema: JsonValue
  readonly root: JsonValue
}

/** `unknown`: the schema does not say whether the value is there. `absent`: it cannot be there. */
export type Child = SchemaNode | 'unknown' | 'absent'

export type TypeName = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'object' | 'array'

/** Of one question to a schema. Unfolding stops there, and the rest counts as unknown. */
const MAX_PARTS = 200
const MAX_REF_HOPS = 32
/** How many alternatives one question looks into, and how deep. A schema that refers to itself in them has no end. */
const MAX_ALTERNATIVES = 200
const MAX_LEVELS = 16

/** What a question may still cost. */
interface Budget {
  left: number
  level: number
}
const afresh = (): Budget => ({ left: MAX_ALTERNATIVES, level: 0 })

/** What `look` finds one level further down, or `otherwise` when the budget is spent. */
function within<Found>(budget: Budget, otherwise: Found, look: () => Found): Found {
  if (budget.left <= 0 || budget.level >= MAX_LEVELS) return otherwise
  budget.left -= 1
  budget.level += 1
  const found = look()
  budget.level -= 1
  return found
}

const TYPES: readonly TypeName[] = ['string', 'number', 'integer', 'boolean', 'null', 'object', 'array']

export const nodeOf = (schema: JsonValue): SchemaNode => ({ schema, root: schema })

/** Own members only: a key may be called `constructor`. */
export const own = (object: JsonObject, key: string): JsonValue | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined

/** Schemas that must hold at once: the schema, what it refers to, its `allOf`, unfolded. */
interface Parts {
  readonly all: readonly JsonObject[]
  /** Nothing fits: a schema `false`. */
  readonly never: boolean
  /** Something could not be followed. */
  readonly partial: boolean
}

function partsOf({ schema, root }: SchemaNode): Parts {
  const all = new Set<JsonObject>()
  const queue: JsonValue[] = [schema]
  let never = false
  let partial = false
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next === false) never = true
    if (!isObject(next) || all.has(next)) continue
    if (all.size === MAX_PARTS) return { all: [...all], never, partial: true }
    all.add(next)
    const reference = own(next, '$ref')
    if (reference !== undefined) {
      const target = follow(reference, root)
      if (target === undefined) partial = true
      else queue.push(target)
    }
    if (own(next, '$dynamicRef') !== undefined || own(next, '$recursiveRef') !== undefined) partial = true
    const allOf = own(next, 'allOf')
    if (Array.isArray(allOf)) for (const one of allOf.slice(0, MAX_PARTS)) queue.push(one)
  }
  return { all: [...all], never, partial }
}

/** The target of a reference within the same document; chains are followed by the caller. */
function follow(reference: JsonValue, root: JsonValue): JsonValue | undefined {
  if (typeof reference !== 'string' || !reference.startsWith('#')) return undefined
  if (reference === '#') return root
  if (!reference.startsWith('#/')) return anchored(reference.slice(1), root)
  let node: JsonValue | undefined = root
  const steps = reference.slice(2).split('/')
  if (steps.length > MAX_REF_HOPS) return undefined
  for (const step of steps) {
    const key = unescape(step)
    if (Array.isArray(node)) node = node[Number(key)]
    else node = isObject(node) ? own(node, key) : undefined
  }
  return node
}

/** JSON Pointer (RFC 6901) in a URI fragment. */
function unescape(step: string): string {
  const text = step.replaceAll('~1', '/').replaceAll('~0', '~')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** `$anchor`, where tools put it: at a definition. */
function anchored(name: string, root: JsonValue): JsonValue | undefined {
  if (!isObject(root)) return undefined
  for (const key of ['$defs', 'definitions']) {
    const definitions = own(root, key)
    if (!isObject(definitions)) continue
    for (const one of Object.values(definitions)) {
      if (isObject(one) && (own(one, '$anchor') === name || own(one, '$id') === `#${name}`)) return one
    }
  }
  return undefined
}

/** The lists of alternatives among the parts: of each list at least one must hold. */
function alternativesOf(parts: Parts): (readonly JsonValue[])[] {
  return parts.all.flatMap((part) =>
    ['anyOf', 'oneOf'].flatMap((key) => {
      const list = own(part, key)
      return Array.isArray(list) && list.length > 0 && list.length <= MAX_PARTS ? [list] : []
    }),
  )
}

export const alternatives = (node: SchemaNode): SchemaNode[][] =>
  alternativesOf(partsOf(node)).map((list) => list.map((schema) => ({ schema, root: node.root })))

/** The types that a value may have; undefined when the schema does not say. `number` includes `integer`. */
export function typesOf(node: SchemaNode): ReadonlySet<TypeName> | undefined {
  if (!isObject(node.schema)) return node.schema === false ? new Set() : undefined
  const known = knownTypes.get(node.schema)
  if (known?.root === node.root) return known.types
  const types = typesWithin(node, afresh())
  knownTypes.set(node.schema, { root: node.root, types })
  return types
}

/** Tools stay, and are asked again for every definition. */
const knownTypes = new WeakMap<JsonObject, { root: JsonValue; types: ReadonlySet<TypeName> | undefined }>()

const typesWithin = (node: SchemaNode, budget: Budget): ReadonlySet<TypeName> | undefined =>
  within(budget, undefined, () => findTypes(node, budget))

function findTypes(node: SchemaNode, budget: Budget): ReadonlySet<TypeName> | undefined {
  const parts = partsOf(node)
  if (parts.never) return new Set()
  let allowed: ReadonlySet<TypeName> | undefined
  const narrow = (types: ReadonlySet<TypeName> | undefined) => {
    if (types) allowed = allowed ? new Set([...allowed].filter((type) => types.has(type))) : types
  }
  for (const part of parts.all) {
    narrow(declared(own(part, 'type')))
    const choices = choicesOf(part)
    if (choices) narrow(new Set(choices.flatMap((choice) => [typeOf(choice), ...(isWhole(choice) ? NUMBER : [])])))
  }
  for (const list of alternativesOf(parts)) {
    const branches = list.map((schema) => typesWithin({ schema, root: node.root }, budget))
    if (branches.every((types) => types !== undefined)) narrow(new Set(branches.flatMap((types) => [...types])))
  }
  return allowed
}

const NUMBER: readonly TypeName[] = ['number']
const isWhole = (value: JsonValue): boolean => typeof value === 'number' && Number.isInteger(value)

function declared(type: JsonValue | undefined): ReadonlySet<TypeName> | undefined {
  const names = (Array.isArray(type) ? type : [type]).flatMap((name) => TYPES.filter((known) => known === name))
  if (names.length === 0) return undefined
  return new Set(names.includes('number') ? [...names, 'integer'] : names)
}

function choicesOf(part: JsonObject): readonly JsonValue[] | undefined {
  const constant = own(part, 'const')
  if (constant !== undefined) return [constant]
  const list = own(part, 'enum')
  return Array.isArray(list) ? list : undefined
}

/** The values that there are, where the schema lists them (`enum`, `const`). */
export function choices(node: SchemaNode): readonly JsonValue[] | undefined {
  return partsOf(node)
    .all.map(choicesOf)
    .find((list) => list !== undefined)
}

export function typeOf(value: JsonValue): TypeName {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    case 'number':
      return Number.isInteger(value) ? 'integer' : 'number'
    default:
      return JSON.isRawJSON(value) ? (/[.eE]/u.test(JSON.stringify(value)) ? 'number' : 'integer') : 'object'
  }
}

/** Keys that must be there. */
export const requiredKeys = (node: SchemaNode): string[] => [
  ...new Set(
    partsOf(node).all.flatMap((part) => {
      const list = own(part, 'required')
      return Array.isArray(list) ? list.filter((key) => typeof key === 'string') : []
    }),
  ),
]

/** Keys that the schema names, alternatives included. */
export const namedKeys = (node: SchemaNode): string[] => [...new Set(namesWithin(node, afresh()))]

const namesWithin = (node: SchemaNode, budget: Budget): string[] => within(budget, [], () => findNames(node, budget))

function findNames(node: SchemaNode, budget: Budget): string[] {
  const parts = partsOf(node)
  const names = parts.all.flatMap((part) => {
    const properties = own(part, 'properties')
    return isObject(properties) ? Object.keys(properties) : []
  })
  const others = alternativesOf(parts).flatMap((list) =>
    list.flatMap((schema) => namesWithin({ schema, root: node.root }, budget)),
  )
  return [...names, ...others]
}

/** What the parts of a schema say about one key. */
interface Answer {
  found: SchemaNode[]
  /** Schemas for keys that are not named. */
  others: SchemaNode[]
  /** It allows any other key. */
  open: boolean
  /** It refuses any other key. */
  closed: boolean
  /** It names keys, and not this one. */
  names: boolean
}

/** What stands under a key of an object. Where keys are named and others neither allowed nor refused: `absent`. */
export function property(node: SchemaNode, key: string): Child {
  const types = typesOf(node)
  if (types && !types.has('object')) return 'absent'
  const { found, others, open, closed, names } = ask(node, key, afresh())
  const [first, second] = found
  if (first) return second ? { schema: { allOf: found.map((one) => one.schema) }, root: node.root } : first
  if (closed) return 'absent'
  if (open) return 'unknown'
  return others[0] ?? (names ? 'absent' : 'unknown')
}

const ask = (node: SchemaNode, key: string, budget: Budget): Answer =>
  within(budget, { found: [], others: [], open: true, closed: false, names: false }, () => findKey(node, key, budget))

function findKey(node: SchemaNode, key: string, budget: Budget): Answer {
  const parts = partsOf(node)
  const answer: Answer = { found: [], others: [], open: parts.partial, closed: parts.never, names: false }
  for (const part of parts.all) askPart(part, node.root, key, answer)
  for (const list of alternativesOf(parts)) {
    const branches = list
      .map((schema) => ({ schema, root: node.root }))
      .filter((branch) => typesWithin(branch, budget)?.has('object') ?? true)
      .map((branch) => ask(branch, key, budget))
    merge(answer, branches, node.root)
  }
  return answer
}

function askPart(part: JsonObject, root: JsonValue, key: string, answer: Answer): void {
  const properties = own(part, 'properties')
  if (isObject(properties)) {
    answer.names = true
    const schema = own(properties, key)
    if (schema === false) answer.closed = true
    else if (schema !== undefined) answer.found.push({ schema, root })
    if (schema !== undefined) return
  }
  // Their patterns come from strangers and are never run: any key may be meant.
  const patterns = own(part, 'patternProperties')
  const conditional = own(part, 'if') !== undefined || own(part, 'dependentSchemas') !== undefined
  if (conditional || (isObject(patterns) && Object.keys(patterns).length > 0)) {
    answer.open = true
    return
  }
  const rest = own(part, 'additionalProperties') ?? own(part, 'unevaluatedProperties')
  if (rest === false) answer.closed = true
  else if (rest === true) answer.open = true
  else if (isObject(rest)) {
    if (Object.keys(rest).length === 0) answer.open = true
    else answer.others.push({ schema: rest, root })
  }
}

/** Of alternatives one holds, and it is not known which. */
function merge(answer: Answer, branches: readonly Answer[], root: JsonValue): void {
  if (branches.length === 0) return
  const found = branches.flatMap((branch) => branch.found)
  const others = branches.flatMap((branch) => branch.others)
  const silent = branches.some((branch) => !branch.closed && !branch.names && branch.found.length === 0)
  if (found.length > 0) {
    answer.found.push({ schema: silent ? true : { anyOf: found.map((one) => one.schema) }, root })
    return
  }
  if (branches.some((branch) => branch.open)) answer.open = true
  else if (others.length > 0) answer.others.push({ schema: { anyOf: others.map((one) => one.schema) }, root })
  else if (branches.every((branch) => branch.closed)) answer.closed = true
  else if (!silent) answer.names = true
}

/** What stands at a place of a list; without `index` at any place. */
export const item = (node: SchemaNode, index?: number): Child => itemWithin(node, index, afresh())

const itemWithin = (node: SchemaNode, index: number | undefined, budget: Budget): Child =>
  within<Child>(budget, 'unknown', () => findItem(node, index, budget))

function findItem(node: SchemaNode, index: number | undefined, budget: Budget): Child {
  const types = typesOf(node)
  if (types && !types.has('array')) return 'absent'
  const parts = partsOf(node)
  for (const part of parts.all) {
    const items = own(part, 'items')
    const first = own(part, 'prefixItems') ?? (Array.isArray(items) ? items : undefined)
    const rest = Array.isArray(items) ? own(part, 'additionalItems') : items
    if (Array.isArray(first)) {
      if (index === undefined) return 'unknown'
      const schema = first[index]
      if (schema !== undefined) return { schema, root: node.root }
    }
    if (rest === false) return index === undefined ? 'unknown' : 'absent'
    if (isObject(rest)) return { schema: rest, root: node.root }
  }
  const [list] = alternativesOf(parts)
  const branches = (list ?? [])
    .map((schema) => ({ schema, root: node.root }))
    .filter((branch) => typesOf(branch)?.has('array') ?? true)
  return branches.length === 1 && branches[0] ? itemWithin(branches[0], index, budget) : 'unknown'
}

const INDEX = /^(?:0|[1-9][0-9]{0,8})$/u

/** What stands at a path, as templates go it: keys, places of lists. */
export function typeAt(node: SchemaNode, path: readonly (string | number)[]): Child {
  let here: SchemaNode = node
  for (const step of path) {
    const next = stepInto(here, String(step))
    if (typeof next === 'string') return next
    here = next
  }
  return here.schema === true ? 'unknown' : here
}

function stepInto(node: SchemaNode, step: string): Child {
  const types = typesOf(node)
  const answers: Child[] = []
  if (!types || types.has('object')) answers.push(property(node, step))
  if (!types || types.has('array')) {
    answers.push(INDEX.test(step) ? item(node, Number(step)) : 'absent')
  }
  return answers.find((answer) => typeof answer !== 'string') ?? (answers.includes('unknown') ? 'unknown' : 'absent')
}

/** `a number`, `text or a list`, for people. */
export function describeTypes(types: ReadonlySet<TypeName>): string {
  const names = [...types].filter((type) => !(type === 'integer' && types.has('number')))
  return names.map((type) => NOUNS[type]).join(' or ') || 'nothing at all'
}

const NOUNS: Readonly<Record<TypeName, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'null',
  object: 'an object',
  array: 'a list',
}
