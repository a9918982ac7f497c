import type { RunState } from '../run-state.ts'
import type { RunStore } from '../store/run-store.ts'

/** A store of which one sees what was written last. */
export function watched(store: RunStore): { readonly store: RunStore; readonly last: () => RunState | undefined } {
  let last: RunState | undefined
  return {
    last: () => last,
    store: {
      ...store,
      create: (run, room) => {
        last = run.body?.run
        return store.create(run, room)
      },
      update: (before, after) => {
        last = after.body?.run
        return store.update(before, after)
      },
    },
  }
}
