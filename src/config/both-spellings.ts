import type { CheckContext } from './check-context.ts'
import type { Step } from './positions.ts'

/** A value stands as text or in the variable that `<key>Env` names, not both. */
export function bothSpellings(block: object, steps: readonly Step[], keyError: CheckContext['keyError']): void {
  for (const key of Object.keys(block)) {
    const plainKey = key.replace(/Env$/u, '')
    if (plainKey !== key && Object.hasOwn(block, plainKey))
      keyError([...steps, plainKey], `${plainKey} and ${key} contradict each other`, `keep ${key}`)
  }
}
