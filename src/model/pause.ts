import type { Cancellation } from './cancellation.ts'

/** Resolves after `ms`, or at once when the signal is cancelled. It keeps no process alive. */
export function pause(ms: number, signal: Cancellation): Promise<void> {
  return new Promise((resolve) => {
    if (signal.cancelled) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.offCancel(done)
      resolve()
    }
    const timer = setTimeout(done, ms).unref()
    signal.onCancel(done)
  })
}
