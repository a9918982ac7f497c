import { type Environment, folderOf } from './backends.ts'
import { expandTexts, literal } from './expand.ts'
import { type Fault, fileError } from './faults.ts'
import { list, type Located, type LocatedMap, map, positionOf, put, scalar } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

/** Places outside of backends in whose texts references are replaced. Never policies, never what people read. */
const PLACES: readonly (readonly string[])[] = [
  ['publicUrl'],
  ['allowedHosts'],
  ['allowedOrigins'],
  ['tls'],
  ['sealing'],
  ['incomingAuth', 'oidc'],
  ['incomingAuth', 'local'],
  ['outgoingAuth', 'store'],
  ['workflowStorage'],
]

/** Strategies are expanded too, once for each backend that they are for: what is missing withholds only that. */
const STRATEGIES: readonly (readonly string[])[] = [
  ['outgoingAuth', 'default'],
  ['outgoingAuth', 'backends'],
]

/** Replaces the references of what concerns the whole file, which is refused when one of them cannot be. */
export function expandFileValues(
  root: LocatedMap,
  config: AuthoredConfig,
  environment: Environment,
): { config: AuthoredConfig; faults: Fault[] } {
  const faults: Fault[] = []
  const { env, onRead } = environment
  const expanded = PLACES.reduce<unknown>((value, place) => {
    const around = { env, onRead, folder: folderOf(positionOf(root, place), environment) }
    return inValue(value, place, (texts) =>
      expandTexts(texts, around, (steps, { message, hint }) => {
        faults.push(fileError(positionOf(root, [...place, ...steps]), message, hint || undefined))
      }),
    )
  }, config)
  return { config: expanded as AuthoredConfig, faults }
}

function inValue(value: unknown, [key, ...rest]: readonly string[], change: (value: unknown) => unknown): unknown {
  if (key === undefined) return change(value)
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return value
  return { ...value, [key]: inValue((value as Record<string, unknown>)[key], rest, change) }
}

/** A tree whose values mean what is written: in manifests `${...}` has no meaning, least of all inside secrets. */
export const literalTree = (tree: LocatedMap): LocatedMap =>
  [...PLACES, ...STRATEGIES].reduce<Located>((node, place) => inTree(node, place, literally), tree) as LocatedMap

function inTree(node: Located, [key, ...rest]: readonly string[], change: (node: Located) => Located): Located {
  if (key === undefined) return change(node)
  const entry = node.kind === 'map' ? node.entries.get(key) : undefined
  if (node.kind !== 'map' || !entry) return node
  return map(node.at, [...node.entries, [key, { at: entry.at, value: inTree(entry.value, rest, change) }]])
}

/** The same texts, which expand to themselves. */
export function literally(node: Located): Located {
  switch (node.kind) {
    case 'scalar':
      return typeof node.value === 'string' ? scalar(literal(node.value), node.at) : node
    case 'list':
      return list(node.items.map(literally), node.at)
    case 'map': {
      const result = map(node.at)
      for (const [key, { at, value }] of node.entries) put(result, key, literally(value), at)
      return result
    }
  }
}
