import { map, type LocatedMap } from '../positions.ts'
import type { Contribution } from './contribution.ts'

/** camelCase YAML or JSON is the schema's own shape: it is taken as it is, and every unknown key is an error. */
export function readVmcp(root: LocatedMap): Contribution {
  const tree = map(root.at, root.entries)
  // Editors find the JSON Schema by it.
  tree.entries.delete('$schema')
  return { tree, faults: [] }
}
