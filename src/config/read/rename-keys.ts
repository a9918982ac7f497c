import type { Fault } from '../faults.ts'
import { list, type Located, type LocatedMap, map, type Position, put } from '../positions.ts'
import { insideOf, shapeFor } from './schema-walk.ts'

/** How keys are written elsewhere, and what is told of those that lead nowhere. */
export interface Dialect {
  /** Keys whose name today is another word. */
  words?: ReadonlyMap<string, string>
  /** A key that is another spelling of `name`, which stands here too: it is left out. */
  second: (at: Position, key: string, name: string) => Fault
  /** A key that nobody knows is left out. Absent: it stays, to be refused where the schema is applied. */
  unknown?: (at: Position, key: string, known: readonly string[]) => Fault
}

/**
 * A map with its keys in the spelling of the schema, all the way down. Only keys of ours are renamed: names chosen by
 * users (backends, tools, arguments) stay as they are.
 */
export function renameKeys(node: LocatedMap, schema: unknown, dialect: Dialect, faults: Fault[]): LocatedMap {
  const shape = shapeFor(schema)
  const result = map(node.at)
  if (!shape) {
    const inner = insideOf(schema, 'map')
    for (const [key, { at, value }] of node.entries) put(result, key, renameInside(value, inner, dialect, faults), at)
    return result
  }
  const known = Object.keys(shape)
  const names = new Map(known.map((key) => [fold(key), key]))
  const nameOf = (key: string): string | undefined => {
    const words = [key, dialect.words?.get(key) ?? key]
    return words.find((one) => known.includes(one)) ?? names.get(fold(key))
  }
  for (const [key, { at, value }] of node.entries) {
    const name = nameOf(key)
    if (name === undefined) {
      if (dialect.unknown) faults.push(dialect.unknown(at, key, known))
      else put(result, key, value, at)
    } else if (name !== key && (node.entries.has(name) || result.entries.has(name))) {
      faults.push(dialect.second(at, key, name))
    } else put(result, name, renameInside(value, shape[name], dialect, faults), at)
  }
  return result
}

function renameInside(node: Located, schema: unknown, dialect: Dialect, faults: Fault[]): Located {
  if (schema === undefined || node.kind === 'scalar') return node
  if (node.kind === 'map') return renameKeys(node, schema, dialect, faults)
  const inner = insideOf(schema, 'list')
  return list(
    node.items.map((item) => renameInside(item, inner, dialect, faults)),
    node.at,
  )
}

/** `dependsOn` is spelt `depends_on` in files and documents of v0.6, and `dependson` by its operator. */
const fold = (key: string): string => key.replaceAll('_', '').toLowerCase()
