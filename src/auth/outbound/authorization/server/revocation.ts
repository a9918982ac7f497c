import { allowInsecureRequests, customFetch, revocationRequest } from 'oauth4webapi'
import type { BackendSpec } from '../../../../model/backend.ts'
import type { Secret } from '../../../../model/secret.ts'
import { clientAuthentications } from '../../../net/client-authentication.ts'
import type { GuardedFetch } from '../../../net/guarded-fetch.ts'
import { oauthFetch } from '../../../net/oauth-fetch.ts'
import type { StoredToken } from '../store/store.ts'
import { unavailable } from '../unavailable.ts'
import { authorizationServer } from './discovery.ts'
import { clientFor } from './registration.ts'
import { type Trust, trustOf, within } from './trust.ts'

export interface RevocationParts {
  readonly fetch: GuardedFetch
  readonly now: () => number
}

const LIMITS = { timeoutMs: 5000, maxBytes: 16 * 1024 }

/**
 * Has both tokens revoked (RFC 7009), where the server does that. `spec`: the backend as configured, if it still is.
 * Rejects when the server cannot be asked, or refuses.
 */
export async function revoke(
  spec: BackendSpec | undefined,
  token: StoredToken,
  { fetch, now }: RevocationParts,
): Promise<void> {
  const credential = spec?.credential?.kind === 'authorization_code' ? spec.credential : undefined
  const trust: Trust = trustOf(token.url, credential?.issuer, credential?.allowPrivate)
  const identity = clientFor(token.client, credential?.client)
  const { issuer, revocationEndpoint: url, authMethods } = await authorizationServer(token.issuer, trust, fetch)
  if (url === undefined || !identity) return
  const server = { issuer, revocation_endpoint: url }
  const { client, methods = authMethods } = identity
  const reach = within(trust, url)
  const [authenticate] = clientAuthentications({ client, methods, audience: issuer }, now)
  const options = {
    [customFetch]: oauthFetch(fetch, { ...reach, ...LIMITS }),
    [allowInsecureRequests]: reach.allowHttp !== false,
  }

  async function revokeOne(hint: string, secret: Secret): Promise<void> {
    const answer = await revocationRequest(
      server,
      { client_id: client.id },
      (_server, _client, form, headers) => authenticate(form, headers),
      secret.reveal(),
      { ...options, additionalParameters: { token_type_hint: hint } },
    )
    await answer.body?.cancel()
    if (answer.status === 200) return
    throw unavailable(`${new URL(issuer).origin} answered the revocation with status ${answer.status}`)
  }

  // The refresh token first: it could still bring forth another access token. What becomes of it, the other one follows.
  const refresh = token.refresh && revokeOne('refresh_token', token.refresh)
  await refresh?.catch(() => {})
  await revokeOne('access_token', token.access)
  await refresh
}
