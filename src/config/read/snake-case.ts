import { type Fault, warning } from '../faults.ts'
import { didYouMean } from '../../model/nearest.ts'
import { type Located, type LocatedMap, list, map, put, scalar } from '../positions.ts'
import { configSchema } from '../schema.ts'
import type { Contribution } from './contribution.ts'
import { insideOf, shapeFor } from './schema-walk.ts'

/** Keys whose camelCase name is another word. */
const RENAMED: Readonly<Record<string, string>> = { group: 'groupRef' }

/** The v0.6.11 operator writes these types, though the loader of its time refused them. */
const STRATEGY_TYPES: Readonly<Record<string, string>> = { discovered: 'unauthenticated' }

/** `dependsOn` is spelt `depends_on`, and `dependson` by the operator. */
const fold = (key: string): string => key.replaceAll('_', '').toLowerCase()

/**
 * Reads the snake_case dialect of ToolHive v0.6.11. The table of its keys is computed from the one schema, so only
 * keys of ours are renamed and names chosen by users (backends, tools, arguments) stay as they are.
 * Its loader ignored unknown keys: here they are warnings.
 */
export function readSnakeCase(root: LocatedMap): Contribution {
  const faults: Fault[] = []
  const tree = convertMap(root, configSchema, faults)
  softenStrategies(tree, faults)
  return { tree, faults }
}

function convert(node: Located, schema: unknown, faults: Fault[]): Located {
  if (schema === undefined || node.kind === 'scalar') return node
  if (node.kind === 'map') return convertMap(node, schema, faults)
  const inner = insideOf(schema, 'list')
  return list(
    node.items.map((item) => convert(item, inner, faults)),
    node.at,
  )
}

function convertMap(node: LocatedMap, schema: unknown, faults: Fault[]): LocatedMap {
  const shape = shapeFor(schema)
  const result = map(node.at)
  if (!shape) {
    const inner = insideOf(schema, 'map')
    for (const [key, entry] of node.entries) put(result, key, convert(entry.value, inner, faults), entry.at)
    return result
  }
  const names = new Map(Object.keys(shape).map((key) => [fold(key), key]))
  for (const [key, entry] of node.entries) {
    const name = RENAMED[key] ?? names.get(fold(key))
    if (name === undefined) {
      const hint = didYouMean(key, Object.keys(shape).map(snake))
      faults.push(warning(entry.at, `unknown key "${key}" is ignored`, hint))
    } else if (result.entries.has(name)) {
      faults.push(warning(entry.at, `"${key}" is another spelling of a key that stands here already, and is ignored`))
    } else put(result, name, convert(entry.value, shape[name], faults), entry.at)
  }
  return result
}

const snake = (key: string): string => key.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`)

function softenStrategies(tree: LocatedMap, faults: Fault[]): void {
  const outgoing = tree.entries.get('outgoingAuth')?.value
  if (outgoing?.kind !== 'map') return
  const backends = outgoing.entries.get('backends')?.value
  const strategies = [outgoing.entries.get('default'), ...(backends?.kind === 'map' ? backends.entries.values() : [])]
  for (const entry of strategies) {
    const type = entry?.value.kind === 'map' ? entry.value.entries.get('type') : undefined
    if (type?.value.kind !== 'scalar') continue
    const replacement = STRATEGY_TYPES[String(type.value.value)]
    if (replacement === undefined) continue
    faults.push(warning(type.value.at, `the type "${String(type.value.value)}" is read as "${replacement}"`))
    type.value = scalar(replacement, type.value.at)
  }
}
