import type { BackendId } from '../../../../model/ids.ts'
import type { Secret } from '../../../../model/secret.ts'
import type { GuardedFetch } from '../../../net/guarded-fetch.ts'
import type { Token } from '../../token-answer.ts'
import type { TokenEndpoints } from '../../token-endpoints.ts'
import type { Logins } from '../login/login.ts'
import type { Challenge } from '../server/challenge.ts'
import { type Discovered, discover } from '../server/discovery.ts'
import { clientAt, clientFor, type ClientPlace, forgetClient } from '../server/registration.ts'
import { union } from '../server/scopes.ts'
import { codeSpec, targetOf } from '../server/target.ts'
import { within } from '../server/trust.ts'
import { type Store, type StoredClient, tokenKey, withLogin, withoutTokens, withToken } from '../store/store.ts'
import { isForgotten, tokenFields } from '../stored-token.ts'
import { unavailable } from '../unavailable.ts'
import { type Consent, randomText } from './consents.ts'
import type { Flow, Flows, Step } from './flow.ts'

export interface SignInParts {
  readonly store: Store
  readonly flows: Flows
  readonly fetch: GuardedFetch
  readonly now: () => number
  readonly endpoints: TokenEndpoints
  readonly place: () => ClientPlace
  /** By issuer of inbound tokens. */
  readonly logins: Logins
  /** What each backend has last said about the way to a token. */
  readonly challenges: ReadonlyMap<BackendId, Challenge>
}

/** Sends a browser to sign in: where it goes. Both throw `CREDENTIAL_UNAVAILABLE`, `FetchRefused`. */
export interface SignIn {
  /** At the authorization server of the backend, for tokens to show to it. */
  readonly atBackend: (consent: Consent, browser: Secret) => Promise<string>
  /** At the issuer of inbound tokens, to see who it is. */
  readonly atIssuer: (consent: Consent, browser: Secret) => Promise<string>
}

export function createSignIn(parts: SignInParts): SignIn {
  const { store, flows, fetch, now } = parts

  async function atBackend(consent: Consent, browser: Secret): Promise<string> {
    const { backend } = consent
    const spec = codeSpec(backend)
    const target = targetOf(backend)
    const place = parts.place()
    const { redirectUri } = place
    const found = await discover(target, parts.challenges.get(backend.id), fetch)
    const client = await clientAt(found.server, spec.client, place, target.trust, parts)
    const scopes = wantedScopes(union(spec.scopes ?? found.scopes, consent.scopes), found)
    const scope = scopes.join(' ') || undefined
    return flows.begin(
      {
        consent,
        browser,
        server: found.server,
        mustSayS256: true,
        redirectUri,
        finish: (code, flow) => redeem(code, flow, found, client, scopes),
      },
      {
        client_id: client.id,
        scope,
        resource: found.resource,
        // OpenID Connect Core 1.0 section 11: without it servers ignore the scope.
        ...(scopes.includes(OFFLINE) && { prompt: 'consent' }),
      },
    )
  }

  async function redeem(
    code: string,
    flow: Flow,
    { resource, server }: Discovered,
    client: StoredClient,
    scopes: readonly string[],
  ): Promise<Step> {
    const { consent, redirectUri, verifier } = flow
    const { backend, subject } = consent
    const spec = codeSpec(backend)
    const target = targetOf(backend)
    const identity = clientFor(client, spec.client)
    if (!identity) throw unavailable('the client was configured anew during the sign-in')
    const { tokenEndpoint: url, issuer, authMethods } = server
    const reach = within(target.trust, url)
    const endpoint = parts.endpoints({ url, reach, issuer, methods: authMethods, ...identity })
    let token: Token
    try {
      token = await endpoint({
        type: 'authorization_code',
        parameters: { code, redirect_uri: redirectUri, code_verifier: verifier.reveal(), resource },
      })
    } catch (error) {
      if (!isForgotten(error, client) || consent.retried) throw error
      consent.retried = true
      await forgetClient(issuer, client, store)
      return { kind: 'again' }
    }
    const { url: shownAt } = target
    const stored = {
      backend: backend.id,
      url: shownAt,
      subject,
      issuer,
      resource,
      client,
      ...tokenFields(token, scopes, now()),
    }
    const key = tokenKey(stored)
    await store.update((state) => {
      // What an earlier authorization server of this backend gave.
      const others = withoutTokens(
        state,
        (other) => other.backend === backend.id && other.subject === subject && tokenKey(other) !== key,
      )
      return withToken(others, stored)
    })
    return { kind: 'connected' }
  }

  async function atIssuer(consent: Consent, browser: Secret): Promise<string> {
    const { person, aim, mistaken } = consent
    const login = person.kind === 'user' ? parts.logins.get(person.issuer) : undefined
    if (!login || person.kind !== 'user')
      throw unavailable('the gateway is no client of the issuer: clientId is missing')
    const nonce = randomText()
    const server = await login.server()
    const { redirectUri } = parts.place()
    const lasting = aim === 'login' && server.scopes.includes(OFFLINE)

    async function identify(code: string, { verifier }: Flow): Promise<Step> {
      if (!login || person.kind !== 'user') throw unavailable('nobody can sign in')
      const who = await login.redeem(code, { verifier, redirectUri, nonce })
      if (who.subject !== person.subject) {
        consent.mistaken = true
        return { kind: 'wrong-user' }
      }
      if (aim === 'backend') return { kind: 'go', url: await atBackend(consent, browser) }
      const { idToken, refresh, expiresAt } = who
      await store.update((state) =>
        withLogin(state, {
          backend: consent.backend.id,
          subject: consent.subject,
          issuer: person.issuer,
          idToken,
          ...(refresh && { refresh }),
          expiresAt,
        }),
      )
      return { kind: 'connected' }
    }

    return flows.begin(
      { consent, browser, server, mustSayS256: false, redirectUri, finish: identify },
      {
        client_id: login.clientId,
        nonce,
        scope: lasting ? `openid ${OFFLINE}` : 'openid',
        prompt: [...(mistaken ? ['login'] : []), ...(lasting ? ['consent'] : [])].join(' ') || undefined,
      },
    )
  }

  return { atBackend, atIssuer }
}

const OFFLINE = 'offline_access'

/** Where the server has a scope for refresh tokens, it is asked for them; alone it would stand for no scope at all. */
function wantedScopes(scopes: readonly string[], { server }: Discovered): readonly string[] {
  return scopes.length > 0 && server.scopes.includes(OFFLINE) ? union(scopes, [OFFLINE]) : scopes
}
