import type { BackendSpec } from '../../../model/backend.ts'
import type { GuardedFetch } from '../../net/guarded-fetch.ts'
import type { Token } from '../token-answer.ts'
import { GrantRefused } from '../token-endpoint.ts'
import type { TokenEndpoints } from '../token-endpoints.ts'
import { authorizationServer } from './server/discovery.ts'
import { clientFor, forgetClient } from './server/registration.ts'
import { codeSpec, targetOf } from './server/target.ts'
import { within } from './server/trust.ts'
import { isSameToken, type Store, type StoredToken, tokenKey, withoutTokens, withToken } from './store/store.ts'
import { isForgotten, tokenFields } from './stored-token.ts'
import { asUnavailable } from './unavailable.ts'

export interface RenewParts {
  readonly store: Store
  readonly fetch: GuardedFetch
  readonly now: () => number
  readonly endpoints: TokenEndpoints
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
    if (!current || !isSameToken(current, seen)) return current
    const token = await refreshed(backend, current, parts)
    const next = token && { ...current, ...tokenFields(token, current.scopes, parts.now()) }
    await store.update((state) => {
      // Nobody refreshes beside us, but users sign in and out.
      if (!isSameToken(current, state.tokens[key])) return state
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
    const reach = within(trust, url)
    const endpoint = parts.endpoints({ url, reach, issuer, methods: authMethods, ...identity })
    return await endpoint({ type: 'refresh_token', parameters: { refresh_token: refresh.reveal(), resource } })
  } catch (error) {
    if (isForgotten(error, client)) await forgetClient(issuer, client, parts.store)
    else if (!(error instanceof GrantRefused && error.reason === 'invalid_grant')) throw asUnavailable(error)
    return undefined
  }
}
