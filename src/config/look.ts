import type { Step } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

/** What a check sees, and how it tells what is wrong. */
export interface Look {
  config: AuthoredConfig
  /** Of all backends; undefined: some may come from elsewhere. */
  names: readonly string[] | undefined
  /** A fault at the value that `steps` leads to. */
  error: (steps: readonly Step[], message: string, hint?: string) => void
  /** A fault at the key that `steps` leads to. */
  keyError: (steps: readonly Step[], message: string, hint?: string) => void
  warn: (steps: readonly Step[], message: string, hint?: string) => void
}

export type Check = (look: Look) => void

/** A value stands as text or in the variable that `<key>Env` names, not both. */
export function bothSpellings(block: object, steps: readonly Step[], keyError: Look['keyError']): void {
  for (const key of Object.keys(block)) {
    const plainKey = key.replace(/Env$/u, '')
    if (plainKey !== key && Object.hasOwn(block, plainKey))
      keyError([...steps, plainKey], `${plainKey} and ${key} contradict each other`, `keep ${key}`)
  }
}

/** The issuers of incoming tokens, each with its place. */
export function issuersOf({ incomingAuth }: AuthoredConfig) {
  const oidc = incomingAuth?.oidc
  const at = ['incomingAuth', 'oidc']
  if (oidc === undefined) return []
  return Array.isArray(oidc)
    ? oidc.map((issuer, index) => ({ issuer, steps: [...at, index] as Step[] }))
    : [{ issuer: oidc, steps: at as Step[] }]
}
