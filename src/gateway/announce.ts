import { diffCatalogues } from '../aggregation/diff.ts'
import type { Caller, Change } from '../model/call.ts'
import type { Catalogue } from '../model/catalogue.ts'

/** Somebody who wants to know of changes of what they see. */
export interface Watcher {
  caller: Caller
  listener: (change: Change) => void
  /** It does not want to know any more. */
  ended: boolean
}

/** A catalogue as one caller may see it. */
export type Seen = (caller: Caller) => Catalogue | Promise<Catalogue>

/** Tells each watcher what has changed of what it sees. Nobody is told of what is none of their business. */
export async function announce(watchers: Iterable<Watcher>, before: Seen, after: Seen): Promise<void> {
  const diffs = new WeakMap<Catalogue, WeakMap<Catalogue, Change>>()
  // Callers of one class see one and the same object.
  const diff = (old: Catalogue, now: Catalogue): Change => {
    const known = diffs.get(old)?.get(now)
    if (known) return known
    const change = diffCatalogues(old, now)
    const byOld = diffs.get(old) ?? new WeakMap<Catalogue, Change>()
    diffs.set(old, byOld.set(now, change))
    return change
  }
  for (const watcher of Array.from(watchers)) {
    const [old, now] = await Promise.all([before(watcher.caller), after(watcher.caller)])
    const change = diff(old, now)
    if (!watcher.ended && (change.tools || change.prompts || change.resources)) watcher.listener(change)
  }
}
