import type { OnError } from '../plan.ts'
import { readDuration } from './durations.ts'
import type { Ledger, Path } from './faults.ts'
import type { AuthoredStep } from './draft.ts'

const MAX_RETRIES = 10
const DEFAULT_DELAY_MS = 1000

/** What happens when a step fails, as its author wrote it. */
export function readOnError({ onError }: AuthoredStep, path: Path, ledger: Ledger): OnError {
  if (!onError) return { action: 'abort', retries: 0, delayMs: DEFAULT_DELAY_MS }
  const { action = 'abort', retryCount, maxRetries } = onError
  const at = [...path, 'onError']
  const key = retryCount === undefined ? 'maxRetries' : 'retryCount'
  const count = retryCount ?? maxRetries
  if (retryCount !== undefined && maxRetries !== undefined && retryCount !== maxRetries) {
    ledger.error({ path: [...at, 'maxRetries'] }, 'maxRetries is another spelling of retryCount, and they differ')
  }
  const delayMs = readDuration(onError.retryDelay, [...at, 'retryDelay'], DEFAULT_DELAY_MS, ledger, 'none')
  if (action !== 'retry') {
    if ((count ?? 0) > 0) {
      ledger.warn({ path: [...at, key] }, `${key} has no effect with action "${action}"`, 'write action: retry')
    }
    return { action, retries: 0, delayMs }
  }
  if ((count ?? 0) < 1) {
    const where = count === undefined ? [...at, 'action'] : [...at, key]
    ledger.error({ path: where }, 'the action "retry" needs a retryCount of 1 or more')
  } else if ((count ?? 0) > MAX_RETRIES) {
    ledger.warn({ path: [...at, key] }, `no step is retried more than ${MAX_RETRIES} times`, `write ${MAX_RETRIES}`)
  }
  return { action, retries: Math.min(count ?? 0, MAX_RETRIES), delayMs }
}
