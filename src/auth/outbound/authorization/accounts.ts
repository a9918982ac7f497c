import type { BackendSpec } from '../../../model/backend.ts'
import { type RevocationParts, revoke } from './server/revocation.ts'
import { addressOf } from './server/target.ts'
import { type Store, type StoredLogin, type StoredToken, withoutLogins, withoutTokens } from './store/store.ts'
import { asUnavailable } from './unavailable.ts'

/** One sign-in that is kept. */
export interface Account {
  readonly backend: string
  /** Key of the principal, or `local`. */
  readonly subject: string
  readonly issuer: string
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch; absent: the server did not say. */
  readonly expiresAt?: number
  readonly canRefresh: boolean
}

export function accountOf(kept: StoredToken | StoredLogin): Account {
  const { backend, subject, issuer, expiresAt, refresh } = kept
  return {
    backend,
    subject,
    issuer,
    scopes: 'scopes' in kept ? kept.scopes : ['openid'],
    ...(expiresAt !== undefined && { expiresAt }),
    canRefresh: refresh !== undefined,
  }
}

export interface SignOutParts extends RevocationParts {
  readonly store: Store
  /** Told why something could not be revoked: it may be good until it ends. */
  readonly failed: (why: string) => void
}

/** Forgets first: what cannot be revoked must not stay. `spec`: the backend as configured, if it still is. */
export async function signOut(
  spec: BackendSpec | undefined,
  backend: string,
  subject: string,
  parts: SignOutParts,
): Promise<boolean> {
  // Other configurations may have another backend of this name.
  const url = spec && addressOf(spec)
  const isMeant = (kept: StoredToken | StoredLogin): boolean =>
    kept.backend === backend && kept.subject === subject && (!('url' in kept) || url === undefined || kept.url === url)
  let lost: readonly StoredToken[] = []
  let found = false
  await parts.store.update((state) => {
    lost = Object.values(state.tokens).filter(isMeant)
    found = lost.length > 0 || Object.values(state.logins).some(isMeant)
    return found ? withoutLogins(withoutTokens(state, isMeant), isMeant) : state
  })
  await Promise.all(
    lost.map((token) =>
      revoke(spec, token, parts).catch((error: unknown) => parts.failed(asUnavailable(error).message)),
    ),
  )
  return found
}
