import { join } from 'node:path'
import { ANONYMOUS, type Principal } from '../../model/principal.ts'
import type { IssuerNote } from '../issuer/key-source.ts'
import { type GuardedFetch, guardedFetch } from '../net/guarded-fetch.ts'
import { createLocalDoor, type LocalToken, localToken, userName } from './local.ts'
import { metadataUrl, protectedResource, type ProtectedResourceMetadata } from './metadata.ts'
import { createTokenDoor } from './oidc.ts'
import { type AuthenticatorSettings, soundIssuers } from './settings.ts'

/** Says who is asking. */
export interface Authenticator {
  /**
   * At once for anonymous callers, local tokens and tokens that were verified before; a promise otherwise. Throws, or
   * rejects with, a `GatewayError`: `UNAUTHENTICATED` and `SCOPE_MISSING` carry a challenge, `ISSUER_UNREACHABLE`
   * says that the token could not be checked.
   */
  readonly authenticate: (authorization: string | undefined) => Principal | Promise<Principal>
  /** What clients read to find their way to a token (RFC 9728); only with type `oidc` and a `publicUrl`. */
  readonly metadata: () => ProtectedResourceMetadata | undefined
  /** The token that clients must show; only with type `local`. */
  readonly local: LocalToken | undefined
  readonly close: () => void
}

export interface AuthenticatorDeps {
  /** Where a local token is kept that has no `tokenFile`; absent: it is not kept. */
  stateFolder?: string
  tell?: (note: IssuerNote) => void
  /** Milliseconds since the epoch. */
  now?: () => number
  fetch?: GuardedFetch
}

/** Contacts nobody until the first token comes. Throws an `Error` for settings that cannot be used. */
export function createAuthenticator(settings: AuthenticatorSettings, deps: AuthenticatorDeps = {}): Authenticator {
  switch (settings.incomingAuth.type) {
    case 'anonymous':
      return { authenticate: () => ANONYMOUS, metadata: () => undefined, local: undefined, close() {} }
    case 'local':
      return localAuthenticator(settings, deps)
    case 'oidc':
      return oidcAuthenticator(settings, deps)
  }
}

function localAuthenticator({ incomingAuth }: AuthenticatorSettings, deps: AuthenticatorDeps): Authenticator {
  const { stateFolder, now = Date.now } = deps
  const kept = stateFolder === undefined ? undefined : join(stateFolder, 'local-token')
  const local = localToken(incomingAuth.local?.tokenFile ?? kept)
  return { authenticate: createLocalDoor(local, userName(), now), metadata: () => undefined, local, close() {} }
}

function oidcAuthenticator(settings: AuthenticatorSettings, deps: AuthenticatorDeps): Authenticator {
  const { publicUrl, name } = settings
  const { tell = () => {}, now = Date.now, fetch = guardedFetch } = deps
  const issuers = soundIssuers(settings)
  const required = [...new Set(issuers.flatMap(({ requiredScopes }) => requiredScopes))]
  const scopes = issuers.flatMap((issuer) => issuer.scopes)
  const advertised = [...new Set([...(scopes.length > 0 ? scopes : ['openid']), ...required])]
  const closing = new AbortController()
  const door = createTokenDoor(
    issuers,
    {
      metadataUrl: publicUrl === undefined ? undefined : metadataUrl(publicUrl),
      scopes: required.length > 0 ? required : advertised,
    },
    {
      fetch,
      signal: closing.signal,
      now,
      tell(note) {
        // What closing breaks off is no failure of the issuer.
        if (!closing.signal.aborted) tell(note)
      },
    },
  )
  const names = issuers.map((issuer) => issuer.name)
  const metadata = publicUrl === undefined ? undefined : protectedResource(publicUrl, name, names, advertised)
  return {
    authenticate: door.authenticate,
    metadata: () => metadata,
    local: undefined,
    close() {
      closing.abort()
      door.forget()
    },
  }
}
