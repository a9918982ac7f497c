import type { Entry } from '../../model/catalogue.ts'
import type { Principal } from '../../model/principal.ts'
import { mayBeAllowed } from './decide.ts'
import { targetOf } from './request.ts'
import { rememberList } from './set.ts'
import type { PolicySet } from './set.ts'
import { nextTurn } from './turns.ts'
import type { View } from './unit.ts'
import { viewOf } from './view.ts'
import type { TargetKind } from './vocabulary.ts'

/** Milliseconds of deciding before others get their turn. */
const SLICE_MS = 3

type Entries = ReadonlyMap<string, Entry>

/** The lists that were chosen from one map. */
interface Chosen {
  byClass: WeakMap<View, Promise<Entries>>
  /** By what is in them: a 1 or a 0 of each entry. Classes are many, and most see the same. */
  distinct: Map<string, Entries>
}

async function choose(
  set: PolicySet,
  principal: Principal,
  kind: TargetKind,
  entries: Entries,
  { distinct }: Chosen,
): Promise<Entries> {
  const chosen = new Map<string, Entry>()
  let marks = ''
  await nextTurn()
  let until = performance.now() + SLICE_MS
  for (const [name, entry] of entries) {
    const listed = mayBeAllowed(set, { principal, target: targetOf(kind, entry), origin: 'client' })
    if (listed) chosen.set(name, entry)
    marks += listed ? '1' : '0'
    if (performance.now() < until) continue
    await nextTurn()
    until = performance.now() + SLICE_MS
  }
  if (chosen.size === entries.size) return entries
  const same = distinct.get(marks)
  if (same) return same
  distinct.set(marks, chosen)
  rememberList(set, chosen.size)
  return chosen
}

/**
 * The entries that a client may see, in their order: those that could be allowed to it. Remembered for each map of entries
 * and class of principals; who sees the same gets the same map, and the given one who sees all. Works in slices of a few
 * milliseconds.
 */
export function listFilter<Some extends Entry>(
  set: PolicySet,
  principal: Principal,
  kind: TargetKind,
  entries: ReadonlyMap<string, Some>,
): Promise<ReadonlyMap<string, Some>> {
  // Nothing is in what is chosen that was not in what was given.
  return filtered(set, principal, kind, entries) as Promise<ReadonlyMap<string, Some>>
}

function filtered(set: PolicySet, principal: Principal, kind: TargetKind, entries: Entries): Promise<Entries> {
  // Makes the class known first, which may make room.
  const view = viewOf(set, set.whole, principal)
  const byEntries = set.lists.byEntries as WeakMap<Entries, Chosen>
  let lists = byEntries.get(entries)
  if (!lists) {
    lists = { byClass: new WeakMap(), distinct: new Map() }
    byEntries.set(entries, lists)
  }
  let chosen = lists.byClass.get(view)
  if (!chosen) {
    const { byClass } = lists
    chosen = choose(set, principal, kind, entries, lists)
    // A failure is that of one list, not of a whole class for ever.
    chosen.catch(() => byClass.delete(view))
    byClass.set(view, chosen)
  }
  return chosen
}
