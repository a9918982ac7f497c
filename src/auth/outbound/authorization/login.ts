import { readFile } from 'node:fs/promises'
import type { Secret } from '../../../model/secret.ts'
import { createDiscovery } from '../../inbound/discovery.ts'
import { issuerDocuments } from '../../inbound/issuer-documents.ts'
import { createKeySource } from '../../inbound/key-source.ts'
import type { Issuer } from '../../inbound/settings.ts'
import { FetchRefused, type GuardedFetch } from '../../net/guarded-fetch.ts'
import { createTokenEndpoint, GrantRefused, type GrantRequest } from '../token-endpoint.ts'
import { type AuthorizationServer, authorizationServer } from './discovery.ts'
import { verifyIdToken } from './id-token.ts'
import { type Trust, within } from './trust.ts'
import { asUnavailable, unavailable } from './unavailable.ts'

/** Somebody who has signed in at the issuer. */
interface SignedIn {
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
  /** The ID token anew; `undefined`: the issuer gives none without the user. */
  renew(refresh: Secret): Promise<SignedIn | undefined>
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
    return parts.fetch(url, { ...options, ...(issuer.caFile !== undefined && { ca: await readBundle(issuer.caFile) }) })
  }
  const documents = issuerDocuments(issuer, parts.fetch, signal)
  const discovery = createDiscovery(issuer.name, documents, now)
  const keySource = createKeySource({ issuer, documents, discovery, now, tell: () => {} })
  const server = () => authorizationServer(issuer.name, trust, fetch)

  /** `undefined`: without an ID token. */
  async function signedIn(request: GrantRequest, nonce?: string): Promise<SignedIn | undefined> {
    const { tokenEndpoint: url, authMethods: methods } = await server()
    const client = { id: clientId ?? '', ...(clientSecret && { secret: clientSecret }) }
    const settings = { url, reach: within(trust, url), issuer: issuer.name, client, methods }
    const { idToken, refresh } = await createTokenEndpoint(settings, { fetch, now })(request)
    if (!idToken) return undefined
    const expected = { issuer: issuer.name, clientId: client.id, ...(nonce !== undefined && { nonce }) }
    const { subject, expiresAt } = await verifyIdToken(idToken.reveal(), expected, keySource, now)
    return { subject, idToken, refresh, expiresAt }
  }

  return {
    clientId,
    server,
    async redeem(code, { verifier, redirectUri, nonce }) {
      const parameters = { code, redirect_uri: redirectUri, code_verifier: verifier }
      const who = await signedIn({ type: 'authorization_code', parameters }, nonce)
      if (!who) throw unavailable('the issuer gave no ID token')
      return who
    },
    async renew(refresh) {
      try {
        return await signedIn({ type: 'refresh_token', parameters: { refresh_token: refresh.reveal() } })
      } catch (error) {
        if (error instanceof GrantRefused) return undefined
        throw asUnavailable(error)
      }
    },
  }
}

async function readBundle(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    throw new FetchRefused('unreachable', 'the file of caBundlePath cannot be read')
  }
}
