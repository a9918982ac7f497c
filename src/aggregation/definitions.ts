import { isDeep, isObject, type JsonObject, type JsonValue } from '../model/json.ts'
import type { ListKind } from '../model/catalogue.ts'

/** Deeper JSON could exhaust the stack of whoever serialises the list, ours or the client's. */
const DEEPEST = 200

type Check = (value: JsonValue | undefined) => boolean

const identifier: Check = (value) => typeof value === 'string' && value !== ''
const text: Check = (value) => typeof value === 'string'
const object: Check = isObject
const array: Check = (value) => Array.isArray(value)
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

interface Requirement {
  field: string
  check: Check
  says: string
}

const common: Requirement[] = [
  { field: 'title', check: optional(text), says: 'title is not a string' },
  { field: 'description', check: optional(text), says: 'description is not a string' },
  { field: 'annotations', check: optional(object), says: 'annotations is not an object' },
  { field: 'icons', check: optional(array), says: 'icons is not an array' },
  { field: '_meta', check: optional(object), says: '_meta is not an object' },
]

/**
 * The shape that clients insist on: one entry that fails here makes the official SDK's client refuse the whole list.
 * What they do not insist on (`outputSchema`, what stands inside a schema) is not looked at.
 */
const REQUIREMENTS: Record<ListKind, Requirement[]> = {
  tools: [
    { field: 'name', check: identifier, says: 'it has no name' },
    { field: 'inputSchema', check: object, says: 'it has no inputSchema object' },
    {
      field: 'inputSchema',
      check: (schema) => isObject(schema) && schema['type'] === 'object',
      says: 'its inputSchema is not of type object',
    },
    ...common,
  ],
  prompts: [
    { field: 'name', check: identifier, says: 'it has no name' },
    {
      field: 'arguments',
      check: optional((list) => Array.isArray(list) && list.every((one) => isObject(one) && text(one['name']))),
      says: 'arguments is not a list of named arguments',
    },
    ...common,
  ],
  resources: [
    { field: 'uri', check: identifier, says: 'it has no uri' },
    { field: 'name', check: text, says: 'it has no name' },
    { field: 'mimeType', check: optional(text), says: 'mimeType is not a string' },
    ...common,
  ],
  templates: [
    { field: 'uriTemplate', check: identifier, says: 'it has no uriTemplate' },
    { field: 'name', check: text, says: 'it has no name' },
    { field: 'mimeType', check: optional(text), says: 'mimeType is not a string' },
    ...common,
  ],
}

/** Why clients could not use this definition, or undefined when they can. */
export function definitionFault(list: ListKind, definition: unknown): string | undefined {
  if (!isObject(definition)) return 'it is not an object'
  for (const { field, check, says } of REQUIREMENTS[list]) {
    if (!check(own(definition, field))) return says
  }
  return isDeep(definition, DEEPEST) ? `it is nested more than ${DEEPEST} levels deep` : undefined
}

const own = (object: JsonObject, field: string) => (Object.hasOwn(object, field) ? object[field] : undefined)
