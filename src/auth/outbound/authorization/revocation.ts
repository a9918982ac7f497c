import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  None,
  revocationRequest,
} from 'oauth4webapi'
import type { BackendSpec } from '../../../model/backend.ts'
import type { OAuthClient } from '../../../model/credential.ts'
import type { GuardedFetch } from '../../net/guarded-fetch.ts'
import { oauthFetch } from '../../net/oauth-fetch.ts'
import { createClientAssertion } from '../client-assertion.ts'
import { authorizationServer } from './discovery.ts'
import { clientFor } from './registration.ts'
import type { StoredToken } from './store.ts'
import { type Trust, trustOf, within } from './trust.ts'

const LIMITS = { timeoutMs: 5000, maxBytes: 16 * 1024 }

/**
 * Has both tokens revoked (RFC 7009), where the server does that. `spec`: the backend as configured, if it still is.
 * Rejects when the server cannot be asked.
 */
export async function revoke(spec: BackendSpec | undefined, token: StoredToken, fetch: GuardedFetch): Promise<void> {
  const credential = spec?.credential?.kind === 'authorization_code' ? spec.credential : undefined
  const trust: Trust = trustOf(token.url, credential?.issuer, credential?.allowPrivate)
  const identity = clientFor(token.client, credential?.client)
  const { issuer, revocationEndpoint: url, authMethods } = await authorizationServer(token.issuer, trust, fetch)
  if (url === undefined || !identity) return
  const reach = within(trust, url)
  const server = { issuer, revocation_endpoint: url }
  const client = { client_id: identity.client.id }
  const prove = proof(identity.client, identity.methods ?? authMethods, issuer)
  // The refresh token first: it could still bring forth another access token.
  for (const [hint, value] of [
    ['refresh_token', token.refresh],
    ['access_token', token.access],
  ] as const) {
    if (value === undefined) continue
    const response = await revocationRequest(server, client, prove, value, {
      [customFetch]: oauthFetch(fetch, { ...reach, ...LIMITS }),
      [allowInsecureRequests]: reach.allowHttp !== false,
      additionalParameters: { token_type_hint: hint },
    })
    await response.body?.cancel()
  }
}

function proof(client: OAuthClient, methods: readonly string[], issuer: string): ClientAuth {
  const { id, secret, privateKey } = client
  if (privateKey) {
    const assertion = createClientAssertion(privateKey.reveal())
    return async (_server, _client, form) => {
      form.set('client_id', id)
      form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
      form.set('client_assertion', await assertion(id, issuer, Date.now()))
    }
  }
  if (!secret) return None()
  const usesForm = methods.includes('client_secret_post') && !methods.includes('client_secret_basic')
  return usesForm ? ClientSecretPost(secret.reveal()) : ClientSecretBasic(secret.reveal())
}
