import { type Fault, warning } from '../faults.ts'
import { didYouMean } from '../../model/nearest.ts'
import { type LocatedMap, scalar } from '../positions.ts'
import { configSchema } from '../schema.ts'
import type { Contribution } from './contribution.ts'
import { type Dialect, renameKeys } from './rename-keys.ts'

const TOOLHIVE: Dialect = {
  words: new Map([['group', 'groupRef']]),
  second: (at, key) => warning(at, `"${key}" is another spelling of a key that stands here already, and is ignored`),
  unknown: (at, key, known) => warning(at, `unknown key "${key}" is ignored`, didYouMean(key, known.map(snake))),
}

/** The v0.6.11 operator writes these types, though the loader of its time refused them. */
const STRATEGY_TYPES = new Map([['discovered', 'unauthenticated']])

/** Reads the snake_case dialect of ToolHive v0.6.11. Its loader ignored unknown keys: here they are warnings. */
export function readSnakeCase(root: LocatedMap): Contribution {
  const faults: Fault[] = []
  const tree = renameKeys(root, configSchema, TOOLHIVE, faults)
  softenStrategies(tree, faults)
  return { tree, faults }
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
    const replacement = STRATEGY_TYPES.get(String(type.value.value))
    if (replacement === undefined) continue
    faults.push(warning(type.value.at, `the type "${String(type.value.value)}" is read as "${replacement}"`))
    type.value = scalar(replacement, type.value.at)
  }
}
