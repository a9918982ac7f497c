import type { Credential, CredentialSpec } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import { bearerChallenge } from './authorization/server/challenge.ts'
import { createKeptTokens } from './kept-tokens.ts'
import type { Token } from './token-answer.ts'
import type { TokenEndpoint } from './token-endpoint.ts'

export type ClientCredentialsSpec = Extract<CredentialSpec, { kind: 'client_credentials' }>

export interface ClientCredentialsDeps {
  /** Asked whenever a token is needed. */
  find: () => Promise<FoundEndpoint>
  /** Milliseconds since the epoch. */
  now: () => number
}

/** Where tokens of the gateway's own come from. */
export interface FoundEndpoint {
  endpoint: TokenEndpoint
  /** RFC 8707; only where it was learnt from the backend that it is understood. */
  resource: string | undefined
}

/** A backend that always asks for more must not collect every scope there is. */
const MAX_STEPS = 2

/** Shows a token of the gateway's own (RFC 6749 section 4.4), the same for all callers. */
export function createClientCredentials(
  spec: Pick<ClientCredentialsSpec, 'scopes' | 'audience'>,
  { find, now }: ClientCredentialsDeps,
): Credential {
  const kept = createKeptTokens<readonly string[]>({ obtain: async (scopes) => ({ token: await grant(scopes) }), now })
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
    close() {},
  }
}

const keyOf = (scopes: readonly string[]): string => scopes.join(' ')
