import { isObject } from '../../model/json.ts'
import type { SchemaJson, Type } from './cedar.ts'
import type { Entities } from './entities.ts'
import { uidOf, uidText } from './entity.ts'
import type { Kind, Kinds } from './infer.ts'
import {
  ACTIONS,
  ARGUMENT,
  CLAIM,
  FEATURE_TYPE,
  HINTS,
  LIST_ACTIONS,
  PRINCIPAL_TYPE,
  RESOURCE_ATTRIBUTES,
} from './vocabulary.ts'

type CedarType = Type<string>
type Attribute = CedarType & { required?: boolean }
export type Attributes = Record<string, Attribute>

const TEXT: CedarType = { type: 'String' }
const PLAIN = new Set<string>(['String', 'Long', 'Boolean'])

/** Of an attribute whose type follows from its use. */
function typeOfKind(kind: Kind): CedarType {
  if (kind === 'Set') return { type: 'Set', element: TEXT }
  if (kind.startsWith('Set:')) return { type: 'Set', element: typeOfKind(kind.slice('Set:'.length) as Kind) }
  return PLAIN.has(kind) ? { type: kind } : { type: 'Extension', name: kind }
}

/** The one type that stands for all uses; what does not agree with it, the check will say. */
export function oneKind(kinds: ReadonlySet<Kind> | undefined): Kind {
  const all = [...(kinds ?? [])]
  return all.find((kind) => kind !== 'Set') ?? all[0] ?? 'String'
}

const EXTENSIONS: Readonly<Record<string, string>> = { ip: 'ipaddr' }

/** Of a value in the configured entities. */
function typeOfValue(value: unknown): CedarType {
  if (typeof value === 'number') return { type: 'Long' }
  if (typeof value === 'boolean') return { type: 'Boolean' }
  if (Array.isArray(value)) return { type: 'Set', element: typeOfValue(value[0] ?? '') }
  if (!isObject(value)) return TEXT
  if ('__entity' in value) return { type: 'Entity', name: uidOf(value as never).type }
  const extension = value['__extn']
  if (isObject(extension)) {
    const name = extension['fn']
    if (typeof name === 'string') return { type: 'Extension', name: EXTENSIONS[name] ?? name }
  }
  return { type: 'Record', attributes: optional(value) }
}

const optional = (values: object): Attributes =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { ...typeOfValue(value), required: false }]))

/** What the configured entities of one type have. */
export function configuredAttributes(entities: Entities, type: string): Attributes {
  const found: Attributes = {}
  for (const entity of entities.values())
    if (uidOf(entity.uid).type === type)
      for (const [name, one] of Object.entries(optional(entity.attrs))) found[name] ??= one
  return found
}

export const OWN_RESOURCE_ATTRIBUTES: Attributes = {
  ...Object.fromEntries(RESOURCE_ATTRIBUTES.map((name) => [name, TEXT])),
  uri: { ...TEXT, required: false },
  ...Object.fromEntries(HINTS.map((name) => [name, { type: 'Boolean' as const, required: false }])),
}

/** What configured entities say of our own attributes and cannot be. */
export function wrongAttributes(entities: Entities): string[] {
  const resources = Object.values(ACTIONS).map(({ entity }): string => entity)
  return [...entities.values()].flatMap((entity) => {
    const uid = uidOf(entity.uid)
    if (!resources.includes(uid.type)) return []
    return Object.entries(optional(entity.attrs)).flatMap(([name, { type }]) => {
      const own = Object.hasOwn(OWN_RESOURCE_ATTRIBUTES, name) ? OWN_RESOURCE_ATTRIBUTES[name] : undefined
      return !own || own.type === type ? [] : [`${name} of ${uidText(uid)} must be a ${own.type}, not a ${type}`]
    })
  })
}

export const OWN_CONTEXT_ATTRIBUTES: Attributes = { origin: TEXT, workflow: { ...TEXT, required: false } }

/**
 * The world as these claims and arguments are used. Everything that may be missing is optional; tools, resources and
 * prompts have the same attributes, so that a rule about all of them is told what may be missing and not that it is wrong.
 * `lists`: some rule is about lists.
 */
export function schemaFor(kinds: Kinds, groupType: string, entities: Entities, lists: boolean): SchemaJson<string> {
  const open = (prefix: string): Attributes =>
    Object.fromEntries(
      [...kinds]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, all]) => [name, { ...typeOfKind(oneKind(all)), required: false }]),
    )
  const claims = open(CLAIM)
  const args = open(ARGUMENT)
  const above = new Map<string, Set<string>>()
  const lift = (type: string, ...parents: string[]): void => {
    const all = above.get(type) ?? new Set()
    for (const parent of parents) all.add(parent)
    above.set(type, all)
  }
  lift(PRINCIPAL_TYPE, groupType)
  lift(groupType, groupType)
  lift('MCP')
  lift('Group')
  lift('Backend', 'Group')
  for (const { entity } of Object.values(ACTIONS)) lift(entity, 'MCP', 'Backend')
  if (lists) lift(FEATURE_TYPE, 'MCP')
  for (const entity of entities.values()) {
    for (const parent of entity.parents) lift(uidOf(parent).type)
    lift(uidOf(entity.uid).type, ...entity.parents.map((parent) => uidOf(parent).type))
  }
  const resources = new Set([...Object.values(ACTIONS).map((row) => row.entity as string), FEATURE_TYPE])
  const entityTypes = Object.fromEntries(
    [...above].map(([type, parents]) => [
      type,
      {
        memberOfTypes: [...parents],
        shape: {
          type: 'Record' as const,
          attributes: {
            ...configuredAttributes(entities, type),
            ...(type === PRINCIPAL_TYPE ? claims : {}),
            ...(resources.has(type) ? { ...args, ...OWN_RESOURCE_ATTRIBUTES } : {}),
          },
        },
        ...([...entities.values()].some((entity) => uidOf(entity.uid).type === type && entity.tags)
          ? { tags: TEXT }
          : {}),
      },
    ]),
  )
  const context = { type: 'Record' as const, attributes: { ...claims, ...args, ...OWN_CONTEXT_ATTRIBUTES } }
  const applies = (resource: string) => ({
    appliesTo: { principalTypes: [PRINCIPAL_TYPE], resourceTypes: [resource], context },
  })
  return {
    '': {
      entityTypes,
      actions: {
        ...Object.fromEntries(Object.entries(ACTIONS).map(([name, row]) => [name, applies(row.entity)])),
        ...(lists ? Object.fromEntries(LIST_ACTIONS.map((name) => [name, applies(FEATURE_TYPE)])) : {}),
      },
    },
  }
}
