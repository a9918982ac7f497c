import { type Fault, fileError } from './faults.ts'
import { get, list, type Located, type LocatedMap, map, type Position, put } from './positions.ts'

/**
 * Joins what several documents say: backends in the order of the documents, every other section from one of them.
 * Two documents that set the same section contradict each other, whatever they say.
 */
export function merge(trees: readonly LocatedMap[], fallback: Position): { tree: LocatedMap; faults: Fault[] } {
  const faults: Fault[] = []
  const tree = map(trees[0]?.at ?? fallback)
  const backends: Located[] = []
  let backendsAt: Position | undefined
  for (const part of trees) {
    for (const [key, entry] of part.entries) {
      const existing = tree.entries.get(key)
      if (key === 'backends' && entry.value.kind === 'list') {
        backends.push(...entry.value.items)
        backendsAt ??= entry.at
      } else if (existing) {
        const { file, line, column } = existing.at
        faults.push(
          fileError(entry.at, `"${key}" is set twice`, `it is set at ${file}:${line}:${column} too; keep one`),
        )
      } else put(tree, key, entry.value, entry.at)
    }
  }
  if (backendsAt && !get(tree, 'backends')) put(tree, 'backends', list(backends, backendsAt))
  return { tree, faults }
}
