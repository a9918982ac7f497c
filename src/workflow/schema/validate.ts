import { createRequire } from 'node:module'
import { createContext, Script } from 'node:vm'
import type * as Draft07 from 'ajv'
import type { Ajv, FuncKeywordDefinition, Options, ValidateFunction } from 'ajv'
import type * as Draft2020 from 'ajv/dist/2020.js'
import type { Ajv2020 } from 'ajv/dist/2020.js'
import { canonicalJson } from '../../model/canonical-json.ts'
import { isDeep, isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import { own } from './node.ts'

/** What is wrong with a value; undefined when nothing is. */
export type Validate = (value: JsonValue) => string | undefined

const PATTERN_MS = 50
const MAX_PATTERN_TEXT = 10_000_000
/** As deep as messages may be. */
const MAX_DEPTH = 1000
const TOLD = 3

const script = new Script('pattern.test(text)')

/** A pattern may come from a stranger: it runs apart, for a bounded time. What takes longer does not match. */
function boundedPattern(source: string, flags: string): { test: (text: string) => boolean } {
  const context = createContext({ pattern: new RegExp(source, flags), text: '' })
  const test = (text: string): boolean => {
    if (text.length > MAX_PATTERN_TEXT) return false
    context['text'] = text
    try {
      return script.runInContext(context, { timeout: PATTERN_MS }) === true
    } catch {
      return false
    }
  }
  return { test }
}
boundedPattern.code = 'new RegExp'

const OPTIONS: Options = {
  strict: false,
  logger: false,
  validateSchema: false,
  validateFormats: false,
  // What compiled schemas call themselves must not reach the next one.
  addUsedSchema: false,
  // Every object has a `constructor`, which nobody has sent.
  ownProperties: true,
  code: { regExp: boundedPattern },
}

/** The library's own compares every two items, and freezes for seconds over a few thousand objects. */
const UNIQUE_ITEMS: FuncKeywordDefinition = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  compile: (isWanted: boolean) => (items: JsonValue[]) => !isWanted || areUnique(items),
  error: { message: 'must NOT have duplicate items' },
}

/** What is too deep to be written down counts as a repetition. */
const areUnique = (items: JsonValue[]): boolean =>
  !isDeep(items, MAX_DEPTH) && new Set(items.map(canonicalJson)).size === items.length

function withOwnKeywords<Validator extends Ajv | Ajv2020>(ajv: Validator): Validator {
  ajv.removeKeyword(UNIQUE_ITEMS.keyword as string)
  ajv.addKeyword(UNIQUE_ITEMS)
  return ajv
}

const DRAFT_07 = /^https?:\/\/json-schema\.org\/draft-0[4-7]\/schema#?$/u

let modern: Ajv2020 | undefined
let draft07: Ajv | undefined

/** Loaded when it is needed: gateways without composite tools would wait for it at their start. */
const load = createRequire(import.meta.url)
const makeModern = (): Ajv2020 => {
  const { Ajv2020 } = load('ajv/dist/2020.js') as typeof Draft2020
  return withOwnKeywords(new Ajv2020(OPTIONS))
}
const makeDraft07 = (): Ajv => {
  const { Ajv } = load('ajv') as typeof Draft07
  return withOwnKeywords(new Ajv(OPTIONS))
}

/**
 * A validator of a schema: draft-07 where it says so, else 2020-12. Compiled once; no other document is ever fetched.
 * Throws when the schema cannot be compiled.
 */
export function validator(schema: JsonObject): Validate {
  const named = own(schema, '$schema')
  const ajv =
    typeof named === 'string' && DRAFT_07.test(named) ? (draft07 ??= makeDraft07()) : (modern ??= makeModern())
  const { $schema: _, $id: __, ...plain } = schema
  const validate: ValidateFunction = ajv.compile(plain)
  ajv.removeSchema(plain)
  return (value) => (validate(nearest(value)) ? undefined : explain(validate))
}

/**
 * A value with numbers of JavaScript's own: what it cannot hold exactly would be no number to a validator. The same one when
 * there are none. Values are no deeper than messages may be.
 */
function nearest(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (JSON.isRawJSON(value)) return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, Number(value.rawJSON)))
  if (Array.isArray(value)) {
    const items = value.map(nearest)
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  const entries = Object.entries(value).map(([key, member]) => [key, member && nearest(member)] as const)
  return entries.some(([key, member]) => member !== value[key]) ? Object.fromEntries(entries) : value
}

function explain({ errors }: ValidateFunction): string {
  const told = (errors ?? []).slice(0, TOLD).map(({ instancePath, message, params }) => {
    const extra =
      isObject(params) && typeof params['additionalProperty'] === 'string' ? ` (${params['additionalProperty']})` : ''
    return `${instancePath === '' ? 'the value' : instancePath.slice(1).replaceAll('/', '.')} ${message ?? 'is wrong'}${extra}`
  })
  return told.join('; ')
}

const validators = new WeakMap<JsonObject, Validate>()

/** Checks values against a schema, which is compiled at the first use and once. One that cannot be compiled fits no value. */
export function validatorFor(schema: JsonObject): Validate {
  return (value) => {
    const validate = validators.get(schema) ?? compiled(schema)
    validators.set(schema, validate)
    return validate(value)
  }
}

function compiled(schema: JsonObject): Validate {
  try {
    return validator(schema)
  } catch (problem) {
    const message = `the schema cannot be used: ${problem instanceof Error ? problem.message : String(problem)}`
    return () => message
  }
}
