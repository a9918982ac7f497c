import type { JsonObject, JsonValue } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { clip } from './clip.ts'
import { decodeHeaderValue, encodeHeaderValue } from './headers.ts'
import { isRawNumber } from './json.ts'

/** One argument of a tool that travels in a header as well (2026-07-28, streamable HTTP, "Custom Headers from Tool Parameters"). */
interface ParamHeader {
  /** `Mcp-Param-Region`, and the same in lower case, as Node files received headers. */
  name: string
  key: string
  /** Where in `arguments` the value stands. */
  path: readonly string[]
  integer: boolean
}

export type ParamHeaders = readonly ParamHeader[]

const ANNOTATION = 'x-mcp-header'
/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** `number` is left out on purpose: its text is not the same in every language. */
const TYPES: readonly unknown[] = ['string', 'integer', 'boolean']

/** Keywords other than `properties` that hold schemas. What they say depends on the value, so nothing in them can be a header. */
const ELSEWHERE: ReadonlySet<string> = new Set(
  (
    'items prefixItems additionalItems unevaluatedItems contains additionalProperties unevaluatedProperties ' +
    'propertyNames contentSchema oneOf anyOf allOf not if then else'
  ).split(' '),
)
/** The same, of which each holds an object of schemas. */
const ELSEWHERE_BY_NAME: ReadonlySet<string> = new Set([
  'patternProperties',
  'dependentSchemas',
  'dependencies',
  '$defs',
  'definitions',
])

const known = new WeakMap<JsonObject, { found: ParamHeaders | string | undefined }>()

/**
 * The annotated arguments of a tool; `undefined`: it has none. A string: what is wrong with an annotation;
 * nobody may be shown such a tool over HTTP.
 */
export function paramHeadersOf(tool: JsonObject): ParamHeaders | string | undefined {
  let entry = known.get(tool)
  if (!entry) known.set(tool, (entry = { found: scan(tool['inputSchema']) }))
  return entry.found
}

function scan(schema: JsonValue | undefined): ParamHeaders | string | undefined {
  const found = new Map<string, ParamHeader>()
  const fault = visit(schema, [], true, found)
  if (fault !== undefined) return fault
  return found.size === 0 ? undefined : [...found.values()]
}

/** Collects into `found` by key; answers with the first fault. `reachable`: only `properties` lie between the root and here. */
function visit(
  schema: JsonValue | undefined,
  path: readonly string[],
  reachable: boolean,
  found: Map<string, ParamHeader>,
): string | undefined {
  if (!isObject(schema)) return undefined
  if (Object.hasOwn(schema, ANNOTATION)) {
    const header = reachable && path.length > 0 ? headerAt(schema, path) : UNREACHABLE
    if (typeof header === 'string') return `${ANNOTATION} at ${clip(path.join('.') || 'the root')} ${header}`
    if (found.has(header.key)) return `${ANNOTATION} ${clip(header.name)} stands at two arguments`
    found.set(header.key, header)
  }
  const { properties } = schema
  if (isObject(properties)) {
    for (const [name, child] of Object.entries(properties)) {
      const fault = visit(child, [...path, name], reachable, found)
      if (fault !== undefined) return fault
    }
  }
  for (const keyword in schema) {
    for (const child of schemasUnder(keyword, schema[keyword])) {
      const fault = visit(child, [...path, keyword], false, found)
      if (fault !== undefined) return fault
    }
  }
  return undefined
}

function schemasUnder(keyword: string, value: JsonValue | undefined): readonly (JsonValue | undefined)[] {
  if (ELSEWHERE.has(keyword)) return Array.isArray(value) ? value : [value]
  return ELSEWHERE_BY_NAME.has(keyword) && isObject(value) ? Object.values(value) : []
}

const UNREACHABLE = 'is not reached from the root through "properties" alone'

function headerAt({ [ANNOTATION]: suffix, type }: JsonObject, path: readonly string[]): ParamHeader | string {
  if (typeof suffix !== 'string' || !TOKEN.test(suffix)) return 'is not the name of a header'
  if (!TYPES.includes(type)) return 'marks something else than a string, an integer or a boolean'
  const name = `Mcp-Param-${suffix}`
  return { name, key: name.toLowerCase(), path, integer: type === 'integer' }
}

/** The headers of one `tools/call` upstream: names and values in turn. Arguments that are absent or null have none. */
export function paramHeaderPairs(headers: ParamHeaders, params: JsonObject): string[] {
  const pairs: string[] = []
  for (const { name, path } of headers) {
    const value = valueAt(params['arguments'], path)
    if (isMirrored(value)) pairs.push(name, encodeHeaderValue(textOf(value)))
  }
  return pairs
}

/**
 * What is wrong with the received headers of a `tools/call` against its body; `undefined`: nothing.
 * A header without an argument is refused too: something on the way may have decided by it.
 * `received` is asked with names in lower case.
 */
export function paramHeaderMismatch(
  headers: ParamHeaders,
  received: (key: string) => string | undefined,
  params: JsonObject,
): string | undefined {
  for (const header of headers) {
    const value = valueAt(params['arguments'], header.path)
    const sent = received(header.key)
    if (sent === undefined) {
      if (isMirrored(value)) return `the header ${clip(header.name)} is required for the argument ${argument(header)}`
      continue
    }
    const said = decodeHeaderValue(sent)
    if (said === undefined) return `the header ${clip(header.name)} has a broken base64 form`
    if (!agrees(header, said, value))
      return `the header ${clip(header.name)} says ${clip(said)}, the argument ${argument(header)} does not`
  }
  return undefined
}

/** Integers of which every language has the same text, strings and booleans. */
function isMirrored(value: JsonValue | undefined): value is string | number | boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) || !Number.isInteger(value)
  return typeof value === 'string' || typeof value === 'boolean'
}

const INTEGER = /^-?\d+(?:\.0+)?$/

function agrees({ integer }: ParamHeader, said: string, value: JsonValue | undefined): boolean {
  // A long number that kept its spelling needs no header, but may have one.
  if (!isMirrored(value) && typeof value !== 'number' && !isRawNumber(value)) return false
  if (integer && Number.isSafeInteger(value) && INTEGER.test(said)) return Number(said) === value
  return said === textOf(value)
}

/** Half of a surrogate pair has no UTF-8 form, so a header cannot hold it. */
function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value)
}

function valueAt(root: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let value = root
  for (const name of path) {
    if (!isObject(value) || isRawNumber(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

function argument({ path }: ParamHeader): string {
  return clip(path.join('.'))
}
