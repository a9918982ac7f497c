import { GatewayError } from '../../../model/errors.ts'
import { remember } from './bounded.ts'

/** Work that is done once for all who wait for it under one key. */
export interface SingleFlight<T> {
  readonly run: (key: string, work: () => Promise<T>) => Promise<T>
  /** Resolves when nothing is under way for the key; never rejects. */
  readonly idle: (key: string) => Promise<void>
}

/** A server that fails is asked once in this time for each key. */
const PAUSE_MS = 1000

export function createSingleFlight<T>(now: () => number): SingleFlight<T> {
  const pending = new Map<string, Promise<T>>()
  const failures = new Map<string, { error: Error; until: number }>()

  async function attempt(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // A person may sign in at any moment, and the page for it may open.
      if (!(error instanceof GatewayError && error.code === 'CONSENT_NEEDED')) {
        remember(failures, key, { error: error as Error, until: now() + PAUSE_MS })
      }
      throw error
    } finally {
      pending.delete(key)
    }
  }

  return {
    run(key, work) {
      const running = pending.get(key)
      if (running) return running
      const failure = failures.get(key)
      if (failure && failure.until > now()) return Promise.reject(failure.error)
      failures.delete(key)
      const mine = attempt(key, work)
      pending.set(key, mine)
      return mine
    },
    idle: async (key) => {
      await pending.get(key)?.catch(() => {})
    },
  }
}
