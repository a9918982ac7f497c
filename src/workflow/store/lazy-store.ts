import type { RunStore } from './run-store.ts'

export interface LazyParts {
  /** Called when the store is needed, and again after it has failed. */
  open: () => Promise<RunStore>
  /** Whether there may be runs before this process has written any. Asked each time, until it is open. */
  mayHoldRuns: () => boolean
}

/** A store that is opened when it is needed: to write the first run, or to look into one that may hold some. */
export function lazyStore({ open, mayHoldRuns }: LazyParts): RunStore {
  let store: Promise<RunStore> | undefined
  const use = (): Promise<RunStore> =>
    (store ??= open().catch((error: unknown) => {
      store = undefined
      throw error
    }))
  const look = (): Promise<RunStore> | undefined => store ?? (mayHoldRuns() ? use() : undefined)
  return {
    create: async (...given) => (await use()).create(...given),
    read: async (...given) => (await look())?.read(...given),
    update: async (...given) => (await look())?.update(...given) ?? false,
    list: async (...given) => (await look())?.list(...given) ?? [],
    renew: async (...given) => (await look())?.renew(...given) ?? [],
    erase: async (...given) => (await look())?.erase(...given),
    close: async () => store && (await store).close(),
  }
}
