import { suggest } from '../../model/nearest.ts'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import { EvaluationError, type Evaluate, type Scope } from '../plan.ts'
import { convertText, wanted } from '../schema/convert.ts'
import { checkArguments, show } from '../schema/literals.ts'
import { describeTypes, nodeOf, own, type SchemaNode, typeOf, typesOf } from '../schema/node.ts'
import { checkSchema } from '../schema/shape.ts'
import { validatorFor } from '../schema/validate.ts'
import type { Path } from './faults.ts'
import type { Pen } from './reading.ts'
import { readText, valueOf } from './texts.ts'
import { buildArguments } from './values.ts'

type AuthoredOutput = NonNullable<AuthoredCompositeTool['output']>
type AuthoredProperty = NonNullable<AuthoredOutput['properties']>[string]

const TYPES = ['string', 'integer', 'number', 'boolean', 'object', 'array']
const MAX_NESTING = 10

/** JSON Schema of the result; undefined when the definition does not declare one. */
export function outputSchemaOf({ output }: AuthoredCompositeTool): JsonObject | undefined {
  if (!output?.properties || Object.keys(output.properties).length === 0) return undefined
  return {
    type: 'object',
    ...(output.description === undefined ? {} : { description: output.description }),
    ...membersSchema(output.properties, output.required),
  }
}

function membersSchema(
  properties: Readonly<Record<string, AuthoredProperty>>,
  required?: readonly string[],
): JsonObject {
  return {
    properties: Object.fromEntries(
      Object.entries(properties).map(([key, property]) => [key, propertySchema(property)]),
    ),
    ...(required && required.length > 0 ? { required: [...required] } : {}),
  }
}

function propertySchema(property: AuthoredProperty): JsonObject {
  const { type, description, items, properties, required } = property
  const kind = type ?? (properties ? 'object' : undefined)
  return {
    ...(kind === undefined ? {} : { type: kind }),
    ...(description === undefined ? {} : { description }),
    ...(property.default === undefined ? {} : { default: property.default as JsonValue }),
    ...(items === undefined ? {} : { items: items as JsonValue }),
    ...(property.enum === undefined ? {} : { enum: property.enum as JsonValue[] }),
    ...(properties ? membersSchema(properties, required) : {}),
  }
}

/** Makes the result of a run. `steps`: ids in the order of the plan. */
export type Result = (steps: readonly string[]) => Evaluate<JsonObject>

/** Reads how the result is made; undefined: it is the output of the last step. */
export function readOutput(definition: AuthoredCompositeTool, pen: Pen): Result | undefined {
  const { output } = definition
  const schema = outputSchemaOf(definition)
  if (!output?.properties || !schema) {
    for (const [index, name] of (output?.required ?? []).entries()) {
      pen.reading.ledger.error({ path: ['output', 'required', index] }, `the output has no "${name}"`)
    }
    return undefined
  }
  const members = readMembers(output.properties, output.required ?? [], ['output'], '', 1, pen)
  const validate = validatorFor(schema)
  return (steps) => (scope, at) => {
    const result = members(scope, at, steps)
    const problem = validate(result)
    if (problem !== undefined) throw new EvaluationError(`the output is not what it is declared to be: ${problem}`)
    return result
  }
}

type Members = (scope: Scope, at: number, steps: readonly string[]) => JsonObject
type Member = (scope: Scope, at: number, steps: readonly string[]) => JsonValue | undefined

function readMembers(
  properties: Readonly<Record<string, AuthoredProperty>>,
  required: readonly string[],
  path: Path,
  label: string,
  depth: number,
  pen: Pen,
): Members {
  const names = Object.keys(properties)
  for (const [index, name] of required.entries()) {
    if (Object.hasOwn(properties, name)) continue
    const owner = label === '' ? 'the output' : `"${label}"`
    pen.reading.ledger.error({ path: [...path, 'required', index] }, `${owner} has no "${name}"`, suggest(name, names))
  }
  const members = Object.entries(properties).map(([key, property]) => {
    const name = label === '' ? key : `${label}.${key}`
    const at = [...path, 'properties', key]
    return [key, name, readProperty(property, required.includes(key), at, name, depth, pen)] as const
  })
  return (scope, at, steps) =>
    Object.fromEntries(
      members.flatMap(([key, name, make]) => {
        const value = make(scope, at, steps)
        if (value !== undefined) return [[key, value]]
        if (!required.includes(key)) return []
        throw new EvaluationError(`the output needs "${name}", and there is no value for it`)
      }),
    )
}

function readProperty(
  property: AuthoredProperty,
  required: boolean,
  path: Path,
  label: string,
  depth: number,
  pen: Pen,
): Member {
  const { error, warn } = pen.reading.ledger
  const { type, value, properties } = property
  if (type !== undefined && !TYPES.includes(type)) {
    error({ path: [...path, 'type'] }, `there is no type "${type}"`, suggest(type, TYPES))
    return () => undefined
  }
  if (value !== undefined && properties) {
    error({ path: [...path, 'properties'] }, `"${label}" has both value and properties`, 'keep one of them')
  }
  if (properties && type !== undefined && type !== 'object') {
    error({ path: [...path, 'properties'] }, `"${label}" has properties and is of type ${type}`, 'write type: object')
  }
  if (depth > MAX_NESTING) {
    error({ path }, `the output is nested more than ${MAX_NESTING} deep`)
    return () => undefined
  }
  if (property.items !== undefined) {
    for (const fault of checkSchema(property.items as JsonValue)) {
      error({ path: [...path, 'items', ...fault.path] }, fault.message, fault.hint)
    }
  }
  const node = nodeOf(propertySchema(property))
  const fallback = property.default as JsonValue | undefined
  if (fallback !== undefined) {
    for (const fault of checkArguments(node, fallback, { isTemplate: () => false, member: 'member' })) {
      error({ path: [...path, 'default', ...fault.path] }, fault.message, fault.hint)
    }
  }
  if (properties && value === undefined) {
    return readMembers(properties, property.required ?? [], path, label, depth + 1, pen)
  }
  if (value === undefined) {
    if (fallback !== undefined) return () => fallback
    const key = String(path.at(-1))
    warn({ path }, `"${label}" has no value, and is taken from the last step whose output has "${key}"`, 'write value')
    return (scope, _at, steps) => fitted(lastNamed(key, scope, steps), node, label)
  }
  const optional = !required || fallback !== undefined
  const made = readValue(value as JsonValue, [...path, 'value'], optional, pen)
  const make: Member = (scope, at) => fitted(made(scope, at), node, label)
  if (fallback === undefined) return make
  return (scope, at, steps) => {
    try {
      return make(scope, at, steps) ?? fallback
    } catch (problem) {
      if (problem instanceof EvaluationError) return fallback
      throw problem
    }
  }
}

type Read = (scope: Scope, at: number) => JsonValue | undefined

/** A value as its author writes it: a template, or JSON with templates in it. */
function readValue(value: JsonValue, path: Path, optional: boolean, pen: Pen): Read {
  if (typeof value !== 'string') {
    const read = buildArguments({ value }, undefined, path.slice(0, -1), pen)
    return (scope, at) => read(scope, at)['value']
  }
  const text = readText(value, path, optional ? 'optional' : 'value', pen)
  return text ? valueOf(text, pen) : () => undefined
}

function lastNamed(key: string, scope: Scope, steps: readonly string[]): JsonValue | undefined {
  for (const id of steps.toReversed()) {
    const view = Object.hasOwn(scope.steps, id) ? scope.steps[id] : undefined
    const value = view?.status === 'completed' && isObject(view.output) ? own(view.output, key) : undefined
    if (value !== undefined) return value
  }
  return undefined
}

/** The value as the type that is declared for it. */
function fitted(value: JsonValue | undefined, node: SchemaNode, label: string): JsonValue | undefined {
  const types = typesOf(node)
  if (value === undefined || !types || types.has(typeOf(value))) return value
  if (types.has('string')) return typeof value === 'object' ? JSON.stringify(value) : String(value)
  const need = wanted(node)
  const converted = typeof value === 'string' && need ? convertText(value, need) : undefined
  if (converted) return converted.value
  throw new EvaluationError(`the output "${label}" must be ${describeTypes(types)}, and is ${show(value)}`)
}
