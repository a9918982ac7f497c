import { GatewayError } from '../../model/errors.ts'
import { putYoungest } from '../bounded.ts'

/** Work that is done once for all who wait for it under one key. */
export interface SingleFlight<T> {
  /** Joins what is under way, or begins it. A failure answers for a second. */
  readonly run: (key: string, work: () => Promise<T>) => Promise<T>
  /** What is under way for the key. */
  readonly pending: (key: string) => Promise<T> | undefined
  /** The next one begins anew, whatever is under way. */
  readonly forget: (key: string) => void
}

/** A server that fails is asked once in this time for each key. */
const PAUSE_MS = 1000

export function createSingleFlight<T>(now: () => number): SingleFlight<T> {
  const pending = new Map<string, Promise<T>>()
  const failures = new Map<string, { error: Error; until: number }>()

  function begin(key: string, work: () => Promise<T>): Promise<T> {
    const mine = work()
      .catch((error: unknown) => {
        // A person may sign in at any moment, and the page for it may open.
        const isPersons = error instanceof GatewayError && error.code === 'CONSENT_NEEDED'
        const failure = { error: error as Error, until: now() + PAUSE_MS }
        if (!isPersons && pending.get(key) === mine) putYoungest(failures, key, failure)
        throw error
      })
      .finally(() => {
        if (pending.get(key) === mine) pending.delete(key)
      })
    pending.set(key, mine)
    return mine
  }

  return {
    run(key, work) {
      const running = pending.get(key)
      if (running) return running
      const failure = failures.get(key)
      if (failure && failure.until > now()) return Promise.reject(failure.error)
      failures.delete(key)
      return begin(key, work)
    },
    pending: (key) => pending.get(key),
    forget(key) {
      pending.delete(key)
      failures.delete(key)
    },
  }
}
