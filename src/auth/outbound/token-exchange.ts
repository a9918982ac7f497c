import type { Credential, CredentialSpec } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Identified, Principal } from '../../model/principal.ts'
import { WRITTEN } from '../net/reach.ts'
import { createClientCredentials } from './client-credentials.ts'
import { createKeptTokens, type Obtained } from './kept-token.ts'
import { notEcho, NOTHING, proofOf, subjectKey, TOKEN_EXCHANGE, tokenType } from './subject.ts'
import { createTokenEndpoint, type EndpointParts } from './token-endpoint.ts'

export type TokenExchangeSpec = Extract<CredentialSpec, { kind: 'token_exchange' }>

export interface TokenExchangeDeps extends EndpointParts {
  backendUrl: string
}

const ACCESS_TYPES: readonly (string | undefined)[] = [tokenType('access_token'), tokenType('jwt'), undefined]

/**
 * Shows each caller's own token, exchanged for one that this backend takes (RFC 8693). Kept per subject and never longer
 * than the caller's own. The gateway itself, which lists, has a token of its own when its client can authenticate.
 */
export function createTokenExchange(spec: TokenExchangeSpec, deps: TokenExchangeDeps): Credential {
  const { tokenUrl, client, audience, scopes, subjectTokenType } = spec
  const endpoint = createTokenEndpoint({ url: tokenUrl, reach: WRITTEN, client }, deps)
  const kept = createKeptTokens<Identified>({ obtain: exchange, ...(deps.now && { now: deps.now }) })
  const own = ownCredential(spec, deps)

  async function exchange(principal: Identified): Promise<Obtained> {
    const proof = proofOf(principal)
    const token = await endpoint({
      type: TOKEN_EXCHANGE,
      parameters: {
        subject_token: proof.reveal(),
        subject_token_type: subjectTokenType,
        requested_token_type: tokenType('access_token'),
        audience,
      },
      scopes,
    })
    if (!ACCESS_TYPES.includes(token.issuedType)) {
      throw new GatewayError('CREDENTIAL_UNAVAILABLE', 'the exchange returned something else than an access token')
    }
    return { token: notEcho(token, proof), notAfter: principal.expiresAt }
  }

  return {
    perCaller: true,
    headers(principal: Principal) {
      if (principal.kind === 'anonymous') return own?.headers(principal) ?? NOTHING
      proofOf(principal)
      return kept.headers(subjectKey(principal), principal)
    },
    async refused(principal, answer) {
      if (principal.kind === 'anonymous') return own?.refused(principal, answer) ?? false
      return answer.status === 401 && kept.replace(subjectKey(principal), principal, answer.shown)
    },
    subscribe: () => () => {},
  }
}

function ownCredential(spec: TokenExchangeSpec, deps: TokenExchangeDeps): Credential | undefined {
  const { tokenUrl, client, audience, scopes } = spec
  if (!client?.secret && !client?.privateKey) return undefined
  return createClientCredentials(
    { kind: 'client_credentials', tokenUrl, client, scopes, ...(audience !== undefined && { audience }) },
    { ...deps, discover: () => Promise.reject(new Error('the endpoint is written')) },
  )
}
