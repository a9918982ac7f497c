import type { Step } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

/** What a check sees, and how it tells what is wrong. */
export interface CheckContext {
  config: AuthoredConfig
  /** Of all backends; undefined: some may come from elsewhere. */
  names: readonly string[] | undefined
  /** Sections that were left out because of faults in them: nothing is wrong for want of them. */
  lost: ReadonlySet<string>
  /** A fault at the value that `steps` leads to. */
  error: (steps: readonly Step[], message: string, hint?: string) => void
  /** A fault at the key that `steps` leads to. */
  keyError: (steps: readonly Step[], message: string, hint?: string) => void
  warn: (steps: readonly Step[], message: string, hint?: string) => void
}

export type Check = (context: CheckContext) => void
