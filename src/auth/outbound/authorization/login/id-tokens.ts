import type { BackendSpec } from '../../../../model/backend.ts'
import type { ConsentNeeded } from '../../../../model/credential.ts'
import type { Principal } from '../../../../model/principal.ts'
import type { Secret } from '../../../../model/secret.ts'
import type { Owner } from '../authorization-code.ts'
import type { Consent, Consents } from '../browser/consents.ts'
import { loginKey, type Store, type StoredLogin, withLogin, withoutLogins } from '../store/store.ts'
import { unavailable } from '../unavailable.ts'
import type { Login, Logins } from './login.ts'

export interface IdTokensParts {
  readonly store: Store
  readonly now: () => number
  readonly consents: Consents
  readonly logins: Logins
  readonly ownerOf: (principal: Principal) => Owner | undefined
  readonly consentNeeded: (consent: Consent) => ConsentNeeded
}

/** ID tokens of users who have signed in at the issuer of their inbound tokens. */
export interface IdTokens {
  /** Kept, or renewed. `backend`: for which one it is. Throws `ConsentNeeded`, `CREDENTIAL_UNAVAILABLE`. */
  of(principal: Principal, backend: BackendSpec): Promise<Secret>
  readonly subscribe: (listener: (subject: string | undefined) => void) => () => void
}

/** What is shown to an identity provider must live long enough for it. */
const MARGIN_MS = 60_000

export function createIdTokens(parts: IdTokensParts): IdTokens {
  const { store, now, consents, logins } = parts

  const isFresh = ({ expiresAt }: StoredLogin): boolean => expiresAt > now() + MARGIN_MS

  /** `undefined`: the user has to sign in again. */
  async function renewed(key: string, login: Login, expected: string): Promise<StoredLogin | undefined> {
    return store.exclusively(key, async () => {
      const kept = (await store.read()).logins[key]
      if (!kept || isFresh(kept)) return kept
      const next = kept.refresh === undefined ? undefined : await refreshed(kept, kept.refresh, login, expected)
      await store.update((state) => (next ? withLogin(state, next) : withoutLogins(state, (one) => one === kept)))
      return next
    })
  }

  async function refreshed(kept: StoredLogin, refresh: Secret, login: Login, expected: string) {
    const next = await login.renew(refresh)
    if (next?.subject !== expected) return undefined
    const { idToken, refresh: rotated, expiresAt } = next
    return { ...kept, idToken, refresh: rotated ?? refresh, expiresAt }
  }

  return {
    async of(principal, backend) {
      const owner = parts.ownerOf(principal)
      if (owner?.person.kind !== 'user') {
        throw unavailable(`the backend "${backend.id}" needs to know the user, which takes incomingAuth of type oidc`)
      }
      const { subject, person } = owner
      const login = logins.get(person.issuer)
      const key = loginKey({ issuer: person.issuer, subject, backend: backend.id })
      const kept = login && (await store.read()).logins[key]
      const good = kept && (isFresh(kept) ? kept : await renewed(key, login, person.subject))
      if (good) return good.idToken
      throw parts.consentNeeded(consents.ask({ ...owner, backend, aim: 'login', scopes: [] }))
    },
    subscribe: (listener) =>
      store.subscribe(({ logins }, { logins: before }) => {
        for (const [key, login] of Object.entries({ ...before, ...logins })) {
          if (key in logins !== key in before) listener(login.subject)
        }
      }),
  }
}
