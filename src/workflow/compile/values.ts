import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import { EvaluationError, type Scope } from '../plan.ts'
import { convertExactly, convertText, wanted } from '../schema/convert.ts'
import { show } from '../schema/literals.ts'
import { type Child, item, property, requiredKeys, type SchemaNode, typeOf, typesOf } from '../schema/node.ts'
import type { Dialect } from '../template/dialect.ts'
import { evaluateValue, parseValue } from '../template/template.ts'
import { toText } from '../template/values.ts'
import type { Path } from './faults.ts'
import type { Pen, Text } from './reading.ts'
import { seenBy } from './texts.ts'

type Make = (scope: Scope, at: number) => JsonObject

/**
 * The arguments of a call, as their author writes them: every text is a template. An argument whose template gives
 * nothing is left out where `node` does not require it. Texts become what the schema asks for, when they are exactly
 * that.
 */
export function buildArguments(authored: JsonObject, node: SchemaNode | undefined, path: Path, pen: Pen): Make {
  const value = node ? convertLiterals(authored, node) : authored
  const parsed = parseValue(value)
  if ('faults' in parsed) {
    for (const { message, offset, hint, path: inner } of parsed.faults) {
      pen.reading.ledger.error({ path: [...path, ...inner], offset }, message, hint)
    }
    return () => ({})
  }
  const texts = parsed.templates.map(({ path: inner, template }) => {
    const { optional, child } = node ? placeIn(node, inner) : { optional: false, child: undefined }
    const text: Text = { path: [...path, ...inner], template, purpose: optional ? 'optional' : 'value' }
    return { inner, text, fit: child && fitting(template.dialect, child, inner) }
  })
  pen.texts.push(...texts.map(({ text }) => text))
  if (texts.length === 0) return () => value as JsonObject
  const seen = seenBy(
    texts.flatMap(({ text }) => text.template.mentions),
    pen,
  )
  const optional = new Set(
    texts.flatMap(({ inner, text }) => (text.purpose === 'optional' ? [JSON.stringify(inner)] : [])),
  )
  const fits = texts.flatMap(({ inner, fit }) => (fit ? [{ inner, fit }] : []))
  const isOptional = (inner: Path) => optional.has(JSON.stringify(inner))
  return (scope, now) => {
    const result = evaluateValue(parsed, seen(scope, now), { now, isOptional }) as JsonObject
    for (const { inner, fit } of fits) replace(result, inner, fit)
    return result
  }
}

/** Texts without templates, as the schema asks for them. Those that do not convert stay; they are told elsewhere. */
function convertLiterals(value: JsonValue, node: SchemaNode): JsonValue {
  if (typeof value === 'string') {
    const converted = value.includes('{{') ? undefined : convertExactly(value, node)
    return converted?.ok ? converted.value : value
  }
  const inside = (child: SchemaNode | string, one: JsonValue) =>
    typeof child === 'string' ? one : convertLiterals(one, child)
  if (Array.isArray(value)) return value.map((one, index) => inside(item(node, index), one))
  if (!isObject(value) || JSON.isRawJSON(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (one === undefined ? [] : [[key, inside(property(node, key), one)]])),
  )
}

/** The schema of a place, and whether what is there may be left out. */
function placeIn(root: SchemaNode, path: Path): { child: SchemaNode | undefined; optional: boolean } {
  let node: SchemaNode | undefined = root
  let optional = false
  for (const key of path) {
    if (!node) return { child: undefined, optional: false }
    const types = typesOf(node)
    const inList: boolean = typeof key === 'number' && types?.has('object') !== true
    const child: Child = inList ? item(node, Number(key)) : property(node, String(key))
    optional = !inList && !requiredKeys(node).includes(String(key))
    node = typeof child === 'string' ? undefined : child
  }
  return { child: node, optional }
}

type Fit = (value: JsonValue) => JsonValue

/** In Go's spelling everything is rendered first, so a number may stand where a text is asked for. */
function fitting(dialect: Dialect, node: SchemaNode, path: Path): Fit | undefined {
  const types = typesOf(node)
  if (!types) return undefined
  const need = wanted(node)
  const rendered = dialect === 'go'
  if (!need && !rendered) return undefined
  return (value) => {
    if (typeof value !== 'string') {
      return rendered && types.has('string') && !types.has(typeOf(value)) ? toText(value) : value
    }
    if (!need) return value
    const converted = convertText(value, need)
    if (converted) return converted.value
    throw new EvaluationError(`the argument "${path.join('.')}" must be ${need.says}, and is ${show(value)}`)
  }
}

/** Changes a member that was made for this call. */
function replace(root: JsonObject, path: Path, fit: Fit): void {
  let holder: JsonValue | undefined = root
  for (const key of path.slice(0, -1)) holder = memberOf(holder, key)
  const last = path.at(-1)
  const value = last === undefined ? undefined : memberOf(holder, last)
  if (last === undefined || value === undefined) return
  const fitted = fit(value)
  if (Array.isArray(holder)) holder[Number(last)] = fitted
  else if (isObject(holder)) {
    Object.defineProperty(holder, last, { value: fitted, enumerable: true, writable: true, configurable: true })
  }
}

const memberOf = (holder: JsonValue | undefined, key: string | number): JsonValue | undefined => {
  if (Array.isArray(holder)) return holder[Number(key)]
  return isObject(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined
}
