import type { BackendSpec } from '../../../model/backend.ts'
import type { GuardedFetch } from '../../net/guarded-fetch.ts'
import { createTokenEndpoint, GrantRefused } from '../token-endpoint.ts'
import type { Token } from '../token-answer.ts'
import { authorizationServer } from './discovery.ts'
import { clientFor, forgetClient } from './registration.ts'
import { isForgotten, tokenFields } from './sign-in.ts'
import { type Store, type StoredToken, tokenKey, withoutTokens, withToken } from './store.ts'
import { codeSpec, targetOf } from './target.ts'
import { within } from './trust.ts'
import { asUnavailable } from './unavailable.ts'

export interface RenewParts {
  readonly store: Store
  readonly fetch: GuardedFetch
  readonly now: () => number
}

/**
 * The token after `seen`: what another process has stored meanwhile, or a refreshed one, which is written before anybody
 * uses it. `undefined`: it is lost, and dropped. Throws `CREDENTIAL_UNAVAILABLE` when the server cannot be asked.
 */
export async function renew(
  backend: BackendSpec,
  seen: StoredToken,
  parts: RenewParts,
): Promise<StoredToken | undefined> {
  const { store } = parts
  const key = tokenKey(seen)
  return store.exclusively(key, async () => {
    const current = (await store.read()).tokens[key]
    if (!current || current.access !== seen.access) return current
    const token = await refreshed(backend, current, parts)
    const next = token && { ...current, ...tokenFields(token, current.scopes, parts.now()) }
    await store.update((state) => {
      // Nobody refreshes beside us, but users sign in and out.
      if (state.tokens[key]?.access !== current.access) return state
      return next ? withToken(state, next) : withoutTokens(state, (token) => tokenKey(token) === key)
    })
    return (await store.read()).tokens[key]
  })
}

/** `undefined`: only the user can help. */
async function refreshed(backend: BackendSpec, token: StoredToken, parts: RenewParts): Promise<Token | undefined> {
  const { issuer, resource, client, refresh } = token
  const identity = clientFor(client, codeSpec(backend).client)
  if (refresh === undefined || !identity) return undefined
  const { trust } = targetOf(backend)
  try {
    // Refresh tokens go to the issuer that gave them, whatever the backend names today.
    const { tokenEndpoint: url, authMethods } = await authorizationServer(issuer, trust, parts.fetch)
    const endpoint = createTokenEndpoint(
      { url, reach: within(trust, url), issuer, methods: authMethods, ...identity },
      parts,
    )
    return await endpoint({ type: 'refresh_token', parameters: { refresh_token: refresh, resource } })
  } catch (error) {
    if (isForgotten(error, client)) await forgetClient(issuer, client, parts.store)
    else if (!(error instanceof GrantRefused && error.reason === 'invalid_grant')) throw asUnavailable(error)
    return undefined
  }
}
