/** Listeners that hear of something until they leave. */
export interface Listeners<Args extends readonly unknown[]> {
  readonly add: (listener: (...args: Args) => void) => () => void
  readonly call: (...args: Args) => void
}

export function createListeners<Args extends readonly unknown[]>(): Listeners<Args> {
  const all = new Set<{ listener: (...args: Args) => void }>()
  return {
    add(listener) {
      const entry = { listener }
      all.add(entry)
      return () => void all.delete(entry)
    },
    call(...args) {
      for (const { listener } of all) listener(...args)
    },
  }
}
