import type { Entry } from '../../model/catalogue.ts'
import type { Principal } from '../../model/principal.ts'
import { mayBeAllowed } from './decide.ts'
import { targetOf } from './request.ts'
import type { PolicySet } from './set.ts'
import { nextTurn } from './turns.ts'
import type { View } from './unit.ts'
import { viewOf } from './view.ts'
import type { TargetKind } from './vocabulary.ts'

/** Milliseconds of deciding before others get their turn. */
const SLICE_MS = 3

type Entries = ReadonlyMap<string, Entry>

async function choose(set: PolicySet, principal: Principal, kind: TargetKind, entries: Entries): Promise<Entries> {
  const chosen = new Map<string, Entry>()
  await nextTurn()
  let until = performance.now() + SLICE_MS
  for (const [name, entry] of entries) {
    if (mayBeAllowed(set, { principal, target: targetOf(kind, entry), origin: 'client' })) chosen.set(name, entry)
    if (performance.now() < until) continue
    await nextTurn()
    until = performance.now() + SLICE_MS
  }
  return chosen
}

/**
 * The entries that a client may see, in their order: those that could be allowed to it. Remembered for each map of entries
 * and class of principals; equal classes get the same map. Works in slices of a few milliseconds.
 */
export function listFilter(set: PolicySet, principal: Principal, kind: TargetKind, entries: Entries): Promise<Entries> {
  const lists = set.memory.lists as WeakMap<Entries, WeakMap<View, Promise<Entries>>>
  let byClass = lists.get(entries)
  if (!byClass) {
    byClass = new WeakMap()
    lists.set(entries, byClass)
  }
  const view = viewOf(set, set.whole, principal)
  let chosen = byClass.get(view)
  if (!chosen) {
    chosen = choose(set, principal, kind, entries)
    byClass.set(view, chosen)
  }
  return chosen
}
