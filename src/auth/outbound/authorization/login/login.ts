import type { Issuer } from '../../../../model/issuer.ts'
import type { Secret } from '../../../../model/secret.ts'
import { issuerAccess } from '../../../issuer/access.ts'
import { withAuthorities } from '../../../issuer/documents.ts'
import type { GuardedFetch } from '../../../net/guarded-fetch.ts'
import type { Token } from '../../token-answer.ts'
import { GrantRefused, type GrantRequest } from '../../token-endpoint.ts'
import { createTokenEndpoints, type TokenEndpoints } from '../../token-endpoints.ts'
import { type AuthorizationServer, readServer } from '../server/discovery.ts'
import { type Trust, within } from '../server/trust.ts'
import { asUnavailable, unavailable } from '../unavailable.ts'
import { verifyIdToken } from './id-token.ts'

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
  redeem(code: string, flow: { verifier: Secret; redirectUri: string; nonce: string }): Promise<SignedIn>
  /** The ID token anew; `undefined`: the issuer gives none without the user. */
  renew(refresh: Secret): Promise<SignedIn | undefined>
}

/** By name of the issuer. */
export type Logins = ReadonlyMap<string, Login>

export interface LoginParts {
  readonly fetch: GuardedFetch
  readonly now: () => number
  readonly signal: AbortSignal
  readonly endpoints: TokenEndpoints
}

/** `undefined`: without `clientId` the gateway is no client of this issuer. */
export function createLogin(issuer: Issuer, parts: LoginParts): Login | undefined {
  const { name, clientId, clientSecret, allowHttp, allowPrivate, caFile } = issuer
  if (clientId === undefined) return undefined
  const { fetch, now, signal } = parts
  const trust: Trust = { written: [], learnt: { allowHttp, allowPrivate } }
  const client = { id: clientId, ...(clientSecret && { secret: clientSecret }) }
  const { discovery, keySource } = issuerAccess(issuer, { fetch, signal, now, tell: () => {} })
  const endpoints =
    caFile === undefined ? parts.endpoints : createTokenEndpoints({ fetch: withAuthorities(issuer, fetch), now })
  const server = async () => readServer(await discovery.document(), name, trust)

  /** `undefined`: without an ID token. */
  async function signedIn(request: GrantRequest, nonce?: string): Promise<SignedIn | undefined> {
    const { idToken, refresh } = await asked(request)
    if (!idToken) return undefined
    const expected = { issuer: name, clientId: client.id, ...(nonce !== undefined && { nonce }) }
    const { subject, expiresAt } = await verifyIdToken(idToken.reveal(), expected, keySource, now)
    return { subject, idToken, refresh, expiresAt }
  }

  async function asked(request: GrantRequest): Promise<Token> {
    const { tokenEndpoint: url, authMethods: methods } = await server()
    try {
      return await endpoints({ url, reach: within(trust, url), issuer: name, client, methods })(request)
    } catch (error) {
      // It may have moved.
      if (!(error instanceof GrantRefused)) discovery.forget()
      throw error
    }
  }

  return {
    clientId,
    server,
    async redeem(code, { verifier, redirectUri, nonce }) {
      const parameters = { code, redirect_uri: redirectUri, code_verifier: verifier.reveal() }
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
