import type { Credential, CredentialSpec } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Identified } from '../../model/principal.ts'
import type { Secret } from '../../model/secret.ts'
import { WRITTEN } from '../net/reach.ts'
import { createClientCredentials } from './client-credentials.ts'
import { createKeptTokens, type Obtained } from './kept-tokens.ts'
import { NOTHING } from './shown.ts'
import { endOf, notEcho, proofOf, subjectKey, TOKEN_EXCHANGE, tokenType } from './subject.ts'
import type { TokenEndpoint } from './token-endpoint.ts'
import type { TokenEndpoints } from './token-endpoints.ts'

export type TokenExchangeSpec = Extract<CredentialSpec, { kind: 'token_exchange' }>

export interface TokenExchangeDeps {
  endpoints: TokenEndpoints
  /** Milliseconds since the epoch. */
  now: () => number
}

/** Whose token is exchanged. */
interface Shower {
  proof: Secret
  /** Milliseconds since the epoch. */
  end: number | undefined
}

const ACCESS_TYPES: readonly (string | undefined)[] = [tokenType('access_token'), tokenType('jwt'), undefined]

/**
 * Shows each caller's own token, exchanged for one that this backend takes (RFC 8693). Kept per subject and never longer
 * than the caller's own. The gateway itself, which lists, has a token of its own when its client can authenticate.
 */
export function createTokenExchange(spec: TokenExchangeSpec, { endpoints, now }: TokenExchangeDeps): Credential {
  const { tokenUrl, client, audience, scopes, subjectTokenType } = spec
  const endpoint = endpoints({ url: tokenUrl, reach: WRITTEN, client })
  const kept = createKeptTokens<Shower>({ obtain: exchange, now })
  const own = ownCredential(spec, endpoint, now)

  async function exchange({ proof, end }: Shower): Promise<Obtained> {
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
    return { token: notEcho(token, proof), notAfter: end }
  }

  const showerOf = (principal: Identified): Shower => ({ proof: proofOf(principal), end: endOf(principal, now()) })

  return {
    perCaller: true,
    headers(principal) {
      if (principal.kind === 'anonymous') return own?.headers(principal) ?? NOTHING
      return kept.headers(subjectKey(principal), showerOf(principal))
    },
    async refused(principal, answer) {
      if (principal.kind === 'anonymous') return own?.refused(principal, answer) ?? false
      return answer.status === 401 && kept.replace(subjectKey(principal), showerOf(principal), answer.shown)
    },
    subscribe: () => () => {},
    close() {},
  }
}

function ownCredential(
  { client, audience, scopes }: TokenExchangeSpec,
  endpoint: TokenEndpoint,
  now: () => number,
): Credential | undefined {
  if (!client?.secret && !client?.privateKey) return undefined
  const find = async () => ({ endpoint, resource: undefined })
  return createClientCredentials({ scopes, ...(audience !== undefined && { audience }) }, { find, now })
}
