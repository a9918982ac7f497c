import { createHash, timingSafeEqual } from 'node:crypto'
import { Secret } from '../../../../model/secret.ts'
import type { AuthorizationServer } from '../server/discovery.ts'
import { unavailable } from '../unavailable.ts'
import { type Consent, randomText } from './consents.ts'

/** One way to an authorization server and back (RFC 6749 section 4.1), in one browser. */
export interface Flow {
  readonly consent: Consent
  /** The cookie that the browser must bring back. */
  readonly browser: Secret
  readonly server: AuthorizationServer
  /** The server was found and not written: it must say that it supports PKCE (MCP, "Authorization Code Protection"). */
  readonly mustSayS256: boolean
  readonly redirectUri: string
  readonly state: string
  /** Of PKCE (RFC 7636). */
  readonly verifier: Secret
  /** Redeems the code. */
  readonly finish: (code: string, flow: Flow) => Promise<Step>
}

/** What the browser is told next. */
export type Step =
  | { readonly kind: 'go'; readonly url: string }
  | { readonly kind: 'connected' }
  /** The sign-in has to begin anew, which needs nothing of the user. */
  | { readonly kind: 'again' }
  | { readonly kind: 'wrong-user' }

/** The ways that are under way, one for a consent. */
export interface Flows {
  /** Where the browser goes. Throws `CREDENTIAL_UNAVAILABLE` when the server cannot do what is needed. */
  begin(flow: Omit<Flow, 'state' | 'verifier'>, parameters: Readonly<Record<string, string | undefined>>): string
  /** Who has come back with this state. */
  find(state: string): Flow | undefined
  end(flow: Flow): void
}

export function createFlows(isPending: (consent: Consent) => boolean): Flows {
  const flows = new Map<string, Flow>()

  function end({ state }: Flow): void {
    flows.delete(state)
  }

  return {
    begin(parts, parameters) {
      const { authorizationEndpoint, challengeMethods, issuer } = parts.server
      const { origin } = new URL(issuer)
      if (authorizationEndpoint === undefined) throw unavailable(`${origin} signs no users in`)
      if (parts.mustSayS256 && !challengeMethods.includes('S256'))
        throw unavailable(`${origin} does not say that it supports PKCE with S256`)
      for (const flow of flows.values()) if (flow.consent === parts.consent || !isPending(flow.consent)) end(flow)
      const flow: Flow = { ...parts, state: randomText(), verifier: new Secret(randomText()) }
      flows.set(flow.state, flow)
      const url = new URL(authorizationEndpoint)
      const query = {
        ...parameters,
        response_type: 'code',
        redirect_uri: flow.redirectUri,
        state: flow.state,
        code_challenge: createHash('sha256').update(flow.verifier.reveal()).digest('base64url'),
        code_challenge_method: 'S256',
      }
      for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
      return url.href
    },
    find(state) {
      const flow = flows.get(state)
      return flow && isPending(flow.consent) ? flow : undefined
    },
    end,
  }
}

/** RFC 9207 section 2.4: compared as it stands; a server that names itself in its answers must do so in each. */
export function isFromServer({ server }: Flow, query: URLSearchParams): boolean {
  const named = query.getAll('iss')
  return named.length === 0 ? !server.namesItself : named.length === 1 && named[0] === server.issuer
}

/** Whether a text is the secret; how long that takes says nothing about it. */
export function isSecret(secret: Secret, text: string): boolean {
  const [left, right] = [secret.reveal(), text].map((text) => createHash('sha256').update(text).digest()) as [
    Buffer,
    Buffer,
  ]
  return timingSafeEqual(left, right)
}
