import type { Credential, CredentialSpec } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import { WRITTEN } from '../net/reach.ts'
import { bearerChallenge } from './authorization/challenge.ts'
import { trustOf, within } from './authorization/trust.ts'
import { createKeptTokens } from './kept-token.ts'
import type { Token } from './token-answer.ts'
import { createTokenEndpoint, type EndpointParts, type EndpointSettings, type TokenEndpoint } from './token-endpoint.ts'

export type ClientCredentialsSpec = Extract<CredentialSpec, { kind: 'client_credentials' }>

/** What the metadata of a backend says about where its tokens come from. */
export interface DiscoveredEndpoint {
  tokenUrl: string
  issuer: string
  /** As the backend calls itself. Absent: by its url. */
  resource?: string
  /** `token_endpoint_auth_methods_supported`. */
  methods?: readonly string[]
}

export interface ClientCredentialsDeps extends EndpointParts {
  backendUrl: string
  /** For a spec without `tokenUrl`; asked whenever a token is needed. */
  discover: () => Promise<DiscoveredEndpoint>
}

interface Found {
  endpoint: TokenEndpoint
  /** RFC 8707; only where it was learnt from the backend that it is understood. */
  resource: string | undefined
}

/** A backend that always asks for more must not collect every scope there is. */
const MAX_STEPS = 2

/** Shows a token of the gateway's own (RFC 6749 section 4.4), the same for all callers. */
export function createClientCredentials(spec: ClientCredentialsSpec, deps: ClientCredentialsDeps): Credential {
  const find = finder(spec, deps)
  const kept = createKeptTokens<readonly string[]>({
    obtain: async (scopes) => ({ token: await grant(scopes) }),
    ...(deps.now && { now: deps.now }),
  })
  let scopes = spec.scopes
  let key = keyOf(scopes)
  let steps = 0
  let turn: Promise<unknown> = Promise.resolve()

  async function grant(wanted: readonly string[]): Promise<Token> {
    const { endpoint, resource } = await find()
    return endpoint({
      type: 'client_credentials',
      parameters: { audience: spec.audience, resource },
      scopes: wanted,
    })
  }

  /** The union of what was asked for and what is missing (MCP, "Step-Up Authorization Flow"). */
  async function stepUp(missing: readonly string[], shown: readonly string[]): Promise<boolean> {
    const current = await kept.headers(key, scopes)
    if (current[1] !== shown[1]) return true
    const union = [...new Set([...scopes, ...missing])]
    if (union.length === scopes.length || steps === MAX_STEPS) return false
    steps++
    try {
      await kept.headers(keyOf(union), union)
    } catch (error) {
      if (error instanceof GatewayError) return false
      throw error
    }
    scopes = union
    key = keyOf(union)
    return true
  }

  return {
    perCaller: false,
    headers: () => kept.headers(key, scopes),
    async refused(_principal, answer) {
      if (answer.status === 401) return kept.replace(key, scopes, answer.shown)
      const challenge = bearerChallenge(answer.challenge)
      if (challenge?.error !== 'insufficient_scope' || challenge.scopes.length === 0) return false
      // One after the other: the first may have got what the next one misses.
      const mine = turn.then(() => stepUp(challenge.scopes, answer.shown))
      turn = mine.catch(() => {})
      return mine
    },
    subscribe: () => () => {},
  }
}

const keyOf = (scopes: readonly string[]): string => scopes.join(' ')

/** Written endpoints are known; others are looked for each time and built anew when they have moved. */
function finder(spec: ClientCredentialsSpec, deps: ClientCredentialsDeps): () => Promise<Found> {
  const { tokenUrl, client, allowPrivate } = spec
  if (tokenUrl !== undefined) {
    const endpoint = createTokenEndpoint({ url: tokenUrl, reach: WRITTEN, client }, deps)
    return async () => ({ endpoint, resource: undefined })
  }
  const trust = trustOf(deps.backendUrl, undefined, allowPrivate)
  let last: { settings: EndpointSettings; endpoint: TokenEndpoint } | undefined
  return async () => {
    const { tokenUrl: url, issuer, methods, resource = deps.backendUrl } = await found(deps)
    if (last?.settings.url !== url || last.settings.issuer !== issuer) {
      const settings = { url, issuer, methods, reach: within(trust, url), client }
      last = { settings, endpoint: createTokenEndpoint(settings, deps) }
    }
    return { endpoint: last.endpoint, resource }
  }
}

async function found({ discover }: ClientCredentialsDeps): Promise<DiscoveredEndpoint> {
  try {
    return await discover()
  } catch (error) {
    if (error instanceof GatewayError) throw error
    const message = "the authorization server is not to be found from the backend's metadata"
    throw new GatewayError('CREDENTIAL_UNAVAILABLE', message, { cause: error, detail: (error as Error).message })
  }
}
