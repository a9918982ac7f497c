import type { NativeLists } from '../../model/backend.ts'
import type { ListKind } from '../../model/catalogue.ts'
import type { BackendId } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { isSignInTool } from '../../model/sign-in.ts'
import type { Contribution } from '../contribution.ts'
import { KINDS } from '../kinds.ts'
import { pinKey, type Lock, type Pinned } from './lock.ts'
import { hashOf, hashOfInstructions } from './pins.ts'

/** A definition that nobody is shown. `new`: nobody has approved it. `changed`: something else was approved. */
export interface Withheld extends Pinned {
  why: 'new' | 'changed'
}

/**
 * Takes out what the lock does not know. A changed entry keeps its name from others (`reserved`): a server that alters a tool
 * must not thereby hand its name to another one. A new one has no claim to any name.
 */
export function withhold(
  contributions: readonly Contribution[],
  lock: Lock,
): { contributions: Contribution[]; withheld: Withheld[] } {
  const withheld: Withheld[] = []
  return { contributions: contributions.map((contribution) => admitted(contribution, lock, withheld)), withheld }
}

function admitted(contribution: Contribution, lock: Lock, withheld: Withheld[]): Contribution {
  const { backend, lists } = contribution
  if (!lists) return contribution
  const before = withheld.length
  const passes = (pinned: Pinned, hash: string): boolean => {
    const hashes = lock.get(pinKey(pinned))?.hashes
    if (hashes?.includes(hash)) return true
    withheld.push({ ...pinned, why: hashes ? 'changed' : 'new' })
    return false
  }
  const reserved: Partial<Record<ListKind, string[]>> = {}
  const filtered = (list: ListKind): readonly JsonObject[] => {
    const { kind, key } = KINDS[list]
    return lists[list].filter((definition) => {
      if (isSignInTool(definition)) return true
      const hash = hashOf(list, definition)
      // Broken ones are left out by whoever builds the catalogue, who also says so.
      if (hash === undefined) return true
      const pinned = { backend, kind, name: definition[key] as string }
      if (passes(pinned, hash)) return true
      if (lock.has(pinKey(pinned))) (reserved[list] ??= []).push(pinned.name)
      return false
    })
  }
  const { instructions, ...rest } = lists
  const kept: NativeLists = {
    ...rest,
    tools: filtered('tools'),
    prompts: filtered('prompts'),
    resources: filtered('resources'),
    templates: filtered('templates'),
  }
  const hash = hashOfInstructions(lists)
  if (instructions !== undefined && (hash === undefined || passes(instructionsOf(backend), hash))) {
    kept.instructions = instructions
  }
  return withheld.length === before ? contribution : { ...contribution, lists: kept, reserved }
}

const instructionsOf = (backend: BackendId): Pinned => ({ backend, kind: 'instructions', name: '' })
