import { suggest } from '../../model/nearest.ts'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import type { SchemaFault } from './literals.ts'
import { own } from './node.ts'

/** Without a schema the user answers in words. */
const FREE: JsonObject = { type: 'object', properties: { response: { type: 'string' } }, required: ['response'] }

/** Reference limits: 100 KB of schema. A form of more fields than this nobody fills in. */
const MAX_FIELDS = 100
const MAX_CHARACTERS = 100_000

type Check = (value: JsonValue) => boolean

const isText: Check = (value) => typeof value === 'string'
const isNumber: Check = (value) => typeof value === 'number'
const isCount: Check = (value) => Number.isInteger(value) && Number(value) >= 0
const isTexts: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(isText)
const isTitled: Check = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((one) => isObject(one) && isText(own(one, 'const') ?? null) && isText(own(one, 'title') ?? null))
const isChoices: Check = (value) =>
  isObject(value) &&
  ((own(value, 'type') === 'string' && isTexts(own(value, 'enum') ?? null)) || isTitled(own(value, 'anyOf') ?? null))
const FORMATS = ['email', 'uri', 'date', 'date-time']
const isFormat: Check = (value) => FORMATS.includes(value as string)

interface Keyword {
  readonly check: Check
  readonly says: string
}

const TEXT: Keyword = { check: isText, says: 'a text' }
const NUMBER: Keyword = { check: isNumber, says: 'a number' }
const COUNT: Keyword = { check: isCount, says: 'a whole number of 0 or more' }
const TEXTS: Keyword = { check: isTexts, says: 'a list of texts' }
const COMMON = { title: TEXT, description: TEXT }
const NUMERIC = { ...COMMON, minimum: NUMBER, maximum: NUMBER, default: NUMBER }

/** The forms of a field (MCP 2025-11-25, `PrimitiveSchemaDefinition`), by type. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, Keyword>>>> = {
  string: {
    ...COMMON,
    default: TEXT,
    minLength: COUNT,
    maxLength: COUNT,
    pattern: TEXT,
    format: { check: isFormat, says: `one of ${FORMATS.join(', ')}` },
    enum: TEXTS,
    enumNames: TEXTS,
    oneOf: { check: isTitled, says: 'a list of {const: ..., title: ...}' },
  },
  number: NUMERIC,
  integer: NUMERIC,
  boolean: { ...COMMON, default: { check: (value) => typeof value === 'boolean', says: 'true or false' } },
  array: {
    ...COMMON,
    minItems: COUNT,
    maxItems: COUNT,
    items: { check: isChoices, says: '{type: string, enum: [...]} or {anyOf: [{const: ..., title: ...}]}' },
    default: { check: (value) => Array.isArray(value) && value.every(isText), says: 'a list of texts' },
  },
}

const ROOT_KEYS = ['type', 'properties', 'required', 'title', 'description', '$schema', 'additionalProperties']

/**
 * Checks the form of a question: the flat subset of JSON Schema that clients can show. `schema` is what they are sent;
 * without one the answer is `{response}`, a text.
 */
export function checkElicitationSchema(schema: JsonObject | undefined): {
  schema: JsonObject
  faults: readonly SchemaFault[]
} {
  if (schema === undefined) return { schema: FREE, faults: [] }
  const faults: SchemaFault[] = []
  const complain = (path: readonly (string | number)[], message: string, hint?: string) =>
    void faults.push({ path, message, ...(hint === undefined ? {} : { hint }) })
  if (JSON.stringify(schema).length > MAX_CHARACTERS) {
    return { schema: FREE, faults: [{ path: [], message: 'the schema of a question is longer than 100 KB' }] }
  }
  const type = own(schema, 'type')
  if (type !== 'object') {
    complain(
      type === undefined ? [] : ['type'],
      'the schema of a question must be of type object',
      'put the value into a property: {type: object, properties: {answer: ...}}',
    )
    return { schema: FREE, faults }
  }
  for (const key of Object.keys(schema)) {
    if (!ROOT_KEYS.includes(key)) complain([key], `questions cannot carry "${key}"`, suggest(key, ROOT_KEYS))
  }
  const properties = own(schema, 'properties') ?? {}
  if (!isObject(properties)) {
    complain(['properties'], 'expected a map of fields')
    return { schema: FREE, faults }
  }
  const names = Object.keys(properties)
  if (names.length > MAX_FIELDS) complain(['properties'], `a question has at most ${MAX_FIELDS} fields`)
  for (const name of names.slice(0, MAX_FIELDS)) {
    checkField(properties[name] ?? null, ['properties', name], complain)
  }
  const required = own(schema, 'required')
  if (required !== undefined && !(Array.isArray(required) && required.every(isText))) {
    complain(['required'], 'expected a list of names')
  } else if (Array.isArray(required)) {
    for (const [index, name] of required.filter((one) => typeof one === 'string').entries()) {
      if (!names.includes(name)) complain(['required', index], `there is no field "${name}"`, suggest(name, names))
    }
  }
  return { schema: { ...schema, properties }, faults }
}

function checkField(
  field: JsonValue,
  path: readonly (string | number)[],
  complain: (path: readonly (string | number)[], message: string, hint?: string) => void,
): void {
  const type = isObject(field) ? own(field, 'type') : undefined
  const kind = typeof type === 'string' ? type : ''
  const keywords = Object.hasOwn(FIELDS, kind) ? FIELDS[kind] : undefined
  if (!isObject(field) || !keywords) {
    const found = kind === '' ? '' : `, found "${kind}"`
    const hint = 'clients can show text, numbers, yes or no, and choices, but nothing nested'
    complain(kind === '' ? path : [...path, 'type'], `expected a field of type ${KINDS}${found}`, hint)
    return
  }
  for (const [key, value] of Object.entries(field)) {
    if (key === 'type' || value === undefined) continue
    const keyword = Object.hasOwn(keywords, key) ? keywords[key] : undefined
    if (!keyword) complain([...path, key], `a question's field of type ${kind} cannot have "${key}"`)
    else if (!keyword.check(value)) complain([...path, key], `expected ${keyword.says}`)
  }
  if (kind === 'array' && own(field, 'items') === undefined) complain(path, 'a list of choices needs items')
}

const KINDS = 'string, number, integer, boolean or array of choices'
