import { createKeyedMutex } from '../../../concurrency/keyed-mutex.ts'
import { createListeners } from '../listeners.ts'
import { EMPTY, type State, type Store } from './store.ts'

/** What is kept ends with the process. */
export function createMemoryStore(): Store {
  const listeners = createListeners<[State, State]>()
  let state = EMPTY
  return {
    read: async () => state,
    async update(change) {
      const before = state
      state = change(state)
      if (state !== before) listeners.call(state, before)
    },
    exclusively: createKeyedMutex(),
    subscribe: listeners.add,
    close() {},
  }
}
