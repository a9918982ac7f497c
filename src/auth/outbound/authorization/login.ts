import type { Secret } from '../../../model/secret.ts'
import { createDiscovery } from '../../inbound/discovery.ts'
import { issuerDocuments } from '../../inbound/issuer-documents.ts'
import { createKeySource } from '../../inbound/key-source.ts'
import type { Issuer } from '../../inbound/settings.ts'
import { readFile } from 'node:fs/promises'
import type { GuardedFetch } from '../../net/guarded-fetch.ts'
import { createTokenEndpoint, type GrantRequest } from '../token-endpoint.ts'
import { type AuthorizationServer, authorizationServer } from './discovery.ts'
import { verifyIdToken } from './id-token.ts'
import { type Trust, within } from './trust.ts'
import { unavailable } from './unavailable.ts'

/** Somebody who has signed in at the issuer. */
export interface SignedIn {
  readonly subject: string
  readonly idToken: Secret
  readonly refresh: Secret | undefined
  /** Of the ID token, milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Sign-in at an issuer of inbound tokens (OpenID Connect Core 1.0). Everything throws `CREDENTIAL_UNAVAILABLE`. */
export interface Login {
  readonly clientId: string
  server(): Promise<AuthorizationServer>
  redeem(code: string, flow: { verifier: string; redirectUri: string; nonce: string }): Promise<SignedIn>
  /** The ID token anew; throws when the issuer gives none. */
  renew(refresh: Secret): Promise<SignedIn>
}

export interface LoginParts {
  readonly fetch: GuardedFetch
  readonly now: () => number
  readonly signal: AbortSignal
}

/** `undefined`: without `clientId` the gateway is no client of this issuer. */
export function createLogin(issuer: Issuer, parts: LoginParts): Login | undefined {
  const { clientId, clientSecret } = issuer
  if (clientId === undefined) return undefined
  const { now, signal } = parts
  const trust: Trust = { written: [], learnt: { allowHttp: issuer.allowHttp, allowPrivate: issuer.allowPrivate } }
  const fetch: GuardedFetch = async (url, options) => {
    const ca = issuer.caFile === undefined ? undefined : await readFile(issuer.caFile, 'utf8')
    return parts.fetch(url, { ...options, ...(ca !== undefined && { ca }), signal })
  }
  const documents = issuerDocuments(issuer, parts.fetch, signal)
  const discovery = createDiscovery(issuer.name, documents, now)
  const keySource = createKeySource({ issuer, documents, discovery, now, tell: () => {} })
  const server = () => authorizationServer(issuer.name, trust, fetch)

  async function signedIn(request: GrantRequest, nonce?: string): Promise<SignedIn> {
    const { tokenEndpoint: url, authMethods: methods } = await server()
    const client = { id: clientId ?? '', ...(clientSecret && { secret: clientSecret }) }
    const settings = { url, reach: within(trust, url), issuer: issuer.name, client, methods }
    const { idToken, refresh } = await createTokenEndpoint(settings, { fetch, now })(request)
    if (!idToken) throw unavailable('the issuer gave no ID token')
    const expected = { issuer: issuer.name, clientId: client.id, ...(nonce !== undefined && { nonce }) }
    const { subject, expiresAt } = await verifyIdToken(idToken.reveal(), expected, keySource, now)
    return { subject, idToken, refresh, expiresAt }
  }

  return {
    clientId,
    server,
    redeem: (code, { verifier, redirectUri, nonce }) =>
      signedIn(
        { type: 'authorization_code', parameters: { code, redirect_uri: redirectUri, code_verifier: verifier } },
        nonce,
      ),
    renew: (refresh) => signedIn({ type: 'refresh_token', parameters: { refresh_token: refresh.reveal() } }),
  }
}
