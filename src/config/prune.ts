import { list, type Located, type LocatedMap, map } from './positions.ts'

/** Sections whose keys do not depend on one another. Others are right as a whole or not at all. */
const LOOSE_SECTIONS = new Set<PropertyKey>(['aggregation', 'operational'])

/**
 * The tree without the parts that `paths` lead to, and without what only makes sense together with them: half a
 * backend would only raise faults that follow from the first.
 */
export function without(root: LocatedMap, paths: readonly (readonly PropertyKey[])[]): LocatedMap {
  const doomed = new Set<Located>()
  for (const path of paths) doomed.add(part(root, path))
  const rest = copy(root, doomed)
  return rest?.kind === 'map' ? rest : map(root.at)
}

/** What must go for a path: its section, the list item it passes through, the value, or the map that lacks the key. */
function part(root: LocatedMap, path: readonly PropertyKey[]): Located {
  const [first = ''] = path
  const section = root.entries.get(String(first))?.value
  if (section?.kind === 'map' && !LOOSE_SECTIONS.has(first)) return section
  let node: Located = root
  for (const step of path) {
    if (node.kind === 'list') return node.items[Number(step)] ?? node
    const next: Located | undefined = node.kind === 'map' ? node.entries.get(String(step))?.value : undefined
    if (!next) return node
    node = next
  }
  return node
}

function copy(node: Located, doomed: ReadonlySet<Located>): Located | undefined {
  if (doomed.has(node)) return undefined
  if (node.kind === 'scalar') return node
  if (node.kind === 'list') {
    const items = node.items.flatMap((item) => copy(item, doomed) ?? [])
    return list(items, node.at)
  }
  const kept = map(node.at)
  for (const [key, entry] of node.entries) {
    const value = copy(entry.value, doomed)
    if (value) kept.entries.set(key, { at: entry.at, value })
  }
  return kept
}
