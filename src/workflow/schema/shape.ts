import { suggest } from '../../model/nearest.ts'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import type { SchemaFault } from './literals.ts'
import { own } from './node.ts'

const TYPES = ['string', 'number', 'integer', 'boolean', 'null', 'object', 'array']
const MAX_SCHEMAS = 2000
const MAX_DEPTH = 50

/** Keywords below which further schemas stand, by how they stand there. */
const BELOW: Readonly<Record<'one' | 'list' | 'map', readonly string[]>> = {
  one: ['items', 'additionalProperties', 'additionalItems', 'not', 'if', 'then', 'else', 'contains', 'propertyNames'],
  list: ['allOf', 'anyOf', 'oneOf', 'prefixItems'],
  map: ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'],
}

type Check = (value: JsonValue) => boolean

const isCount: Check = (value) => Number.isInteger(value) && Number(value) >= 0
const isNumber: Check = (value) => typeof value === 'number'
const isText: Check = (value) => typeof value === 'string'

/** Keywords whose values have one form. */
const FORMS: readonly { readonly keys: readonly string[]; readonly check: Check; readonly says: string }[] = [
  {
    keys: ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
    check: isCount,
    says: 'a whole number of 0 or more',
  },
  { keys: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'], check: isNumber, says: 'a number' },
  { keys: ['multipleOf'], check: (value) => isNumber(value) && Number(value) > 0, says: 'a number above 0' },
  { keys: ['uniqueItems'], check: (value) => typeof value === 'boolean', says: 'true or false' },
  { keys: ['pattern'], check: isPattern, says: 'a regular expression' },
  { keys: ['title', 'description', 'format', '$ref'], check: isText, says: 'a text' },
  { keys: ['enum'], check: (value) => Array.isArray(value), says: 'a list of values' },
  { keys: ['required'], check: (value) => Array.isArray(value) && value.every(isText), says: 'a list of names' },
]

function isPattern(value: JsonValue): boolean {
  try {
    return typeof value === 'string' && new RegExp(value, 'u') instanceof RegExp
  } catch {
    return false
  }
}

type Complain = (path: readonly (string | number)[], message: string, hint?: string) => void

/** What is wrong with a schema that an author wrote: forms of its keywords, references that lead outside. */
export function checkSchema(schema: JsonValue): SchemaFault[] {
  const faults: SchemaFault[] = []
  const complain: Complain = (path, message, hint) =>
    void faults.push({ path, message, ...(hint === undefined ? {} : { hint }) })
  const left = { schemas: MAX_SCHEMAS }
  visit(schema, [], left, complain)
  if (left.schemas < 0) complain([], `a schema of more than ${MAX_SCHEMAS} parts`)
  return faults
}

function visit(
  schema: JsonValue,
  path: readonly (string | number)[],
  left: { schemas: number },
  complain: Complain,
): void {
  if (left.schemas-- <= 0) return
  if (typeof schema === 'boolean') return
  if (!isObject(schema)) return complain(path, 'expected a JSON Schema')
  if (path.length > MAX_DEPTH) return complain(path, 'the schema is nested too deep')
  checkKeywords(schema, path, complain)
  const deeper = (value: JsonValue, ...steps: (string | number)[]) => visit(value, [...path, ...steps], left, complain)
  for (const key of BELOW.one) {
    const value = own(schema, key)
    if (Array.isArray(value) && key === 'items') for (const [index, one] of value.entries()) deeper(one, key, index)
    else if (value !== undefined) deeper(value, key)
  }
  for (const key of BELOW.list) {
    const value = own(schema, key)
    if (value === undefined) continue
    if (!Array.isArray(value)) complain([...path, key], 'expected a list of schemas')
    else for (const [index, one] of value.entries()) deeper(one, key, index)
  }
  for (const key of BELOW.map) {
    const value = own(schema, key)
    if (value === undefined) continue
    if (!isObject(value)) complain([...path, key], 'expected a map of schemas')
    else for (const [name, one] of Object.entries(value)) deeper(one ?? null, key, name)
  }
}

function checkKeywords(schema: JsonObject, path: readonly (string | number)[], complain: Complain): void {
  const type = own(schema, 'type')
  for (const [index, name] of (Array.isArray(type) ? type : type === undefined ? [] : [type]).entries()) {
    if (TYPES.includes(name as string)) continue
    const at = Array.isArray(type) ? [...path, 'type', index] : [...path, 'type']
    complain(
      at,
      `there is no type ${JSON.stringify(name)}`,
      typeof name === 'string' ? suggest(name, TYPES) : undefined,
    )
  }
  for (const { keys, check, says } of FORMS) {
    for (const key of keys) {
      const value = own(schema, key)
      if (value !== undefined && !check(value)) complain([...path, key], `expected ${says}`)
    }
  }
  const reference = own(schema, '$ref')
  if (typeof reference === 'string' && !reference.startsWith('#')) {
    complain([...path, '$ref'], 'only references within the same schema are followed', 'copy the other schema here')
  }
}
