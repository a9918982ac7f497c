import { allowInsecureRequests, customFetch, genericTokenEndpointRequest, OperationProcessingError } from 'oauth4webapi'
import type { OAuthClient } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonValue } from '../../model/json.ts'
import { createSemaphore } from '../concurrency/semaphore.ts'
import { type ClientAuthentication, clientAuthentications } from '../net/client-authentication.ts'
import { FetchRefused, type GuardedFetch } from '../net/guarded-fetch.ts'
import { oauthFetch } from '../net/oauth-fetch.ts'
import type { Reach } from '../net/reach.ts'
import { objectOf, readToken, type Token, type TokenUse } from './token-answer.ts'

/** Where tokens are asked for, and as whom. */
export interface EndpointSettings {
  url: string
  reach: Reach
  /** Audience of client assertions. Absent: the endpoint itself. */
  issuer?: string | undefined
  /** Absent: the client does not say who it is. */
  client?: OAuthClient | undefined
  /** `token_endpoint_auth_methods_supported`. Absent: not known, so a secret is tried in the header, then in the form. */
  methods?: readonly string[] | undefined
}

export interface EndpointParts {
  fetch: GuardedFetch
  /** Milliseconds since the epoch. */
  now: () => number
}

/** What is asked for. */
export interface GrantRequest {
  /** `grant_type`. */
  type: string
  /** Those without a value are left out. */
  parameters?: Readonly<Record<string, string | undefined>>
  scopes?: readonly string[]
  /** Default: `bearer`. */
  use?: TokenUse
}

/** Throws `GrantRefused` when the endpoint refuses, `CREDENTIAL_UNAVAILABLE` for everything else. */
export type TokenEndpoint = (request: GrantRequest) => Promise<Token>

/** The endpoint has answered with an error of RFC 6749 section 5.2. */
export class GrantRefused extends GatewayError<'CREDENTIAL_UNAVAILABLE'> {
  /** `error`, such as `invalid_grant`. */
  readonly reason: string

  constructor(message: string, reason: string, detail: string | undefined) {
    super('CREDENTIAL_UNAVAILABLE', message, detail === undefined ? {} : { detail })
    this.reason = reason
  }
}

const REQUESTS = { atOnce: 64, waiting: 1024 }
const TIMEOUT_MS = 10_000
const MAX_BYTES = 2 ** 16
const MAX_QUOTED = 200

/** One token endpoint (RFC 6749 section 3.2): at most 64 requests at a time, 10 s and 64 KiB each. */
export function createTokenEndpoint(settings: EndpointSettings, parts: EndpointParts): TokenEndpoint {
  const { url, reach, client, methods, issuer = url } = settings
  const { now } = parts
  const origin = URL.parse(url)?.origin ?? 'the token endpoint'
  const fail = (what: string): GatewayError =>
    new GatewayError('CREDENTIAL_UNAVAILABLE', `no token from ${origin}: ${what}`)
  const inTurn = createSemaphore(REQUESTS, () => fail('too many requests are waiting for it'))
  const server = { issuer, token_endpoint: url }
  const options = {
    [customFetch]: oauthFetch(parts.fetch, { ...reach, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }),
    [allowInsecureRequests]: reach.allowHttp !== false,
  }
  let known: readonly ClientAuthentication[] | undefined

  /** The ways to say who we are, the likeliest first. */
  function ways(): readonly ClientAuthentication[] {
    try {
      return (known ??= clientAuthentications({ client, methods, audience: issuer }, now))
    } catch (error) {
      throw fail((error as Error).message)
    }
  }

  async function ask(request: GrantRequest, authenticate: ClientAuthentication): Promise<Token> {
    const { type, parameters = {}, scopes = [], use = 'bearer' } = request
    const form = new URLSearchParams()
    for (const [name, value] of Object.entries({ ...parameters, scope: scopes.join(' ') || undefined })) {
      if (value !== undefined) form.set(name, value)
    }
    const answer = await genericTokenEndpointRequest(
      server,
      // The library wants some client; `authenticate` alone writes it into the request.
      { client_id: client?.id ?? '-' },
      (_server, _client, body, headers) => authenticate(body, headers),
      type,
      form,
      options,
    )
    const text = await answer.text()
    if (answer.status !== 200) throw refusal(answer.status, text, form)
    try {
      return readToken(text, use, scopes, now())
    } catch (error) {
      throw fail(`it gave ${(error as Error).message}`)
    }
  }

  function refusal(status: number, text: string, sent: URLSearchParams): GatewayError {
    const answer = objectOf(text)
    const secrets = [client?.secret?.reveal(), ...SECRET_PARAMETERS.map((name) => sent.get(name))]
    const reason = quotable(answer?.['error'], secrets)
    if (reason === undefined) return fail(`it answered with status ${status}`)
    const detail = quotable(answer?.['error_description'], secrets)
    return new GrantRefused(`no token from ${origin}: it answered ${reason}`, reason, detail)
  }

  return async (request) => {
    const tried = ways()
    for (const [place, authenticate] of tried.entries()) {
      try {
        const token = await inTurn(() => ask(request, authenticate))
        if (place > 0) known = [authenticate]
        return token
      } catch (error) {
        const another = error instanceof GrantRefused && error.reason === 'invalid_client' && place + 1 < tried.length
        if (another) continue
        if (error instanceof GatewayError) throw error
        const told = error instanceof FetchRefused || error instanceof OperationProcessingError
        throw fail(told ? error.message : 'it cannot be asked')
      }
    }
    throw fail('there is no way to authenticate')
  }
}

/** Members of a request that an answer might repeat and that nobody may read. */
const SECRET_PARAMETERS = [
  'client_secret',
  'client_assertion',
  'assertion',
  'subject_token',
  'actor_token',
  'refresh_token',
  'code',
  'code_verifier',
]

/** The printable beginning of a text of the answer; `undefined` when it is none or repeats a secret. */
function quotable(text: JsonValue | undefined, secrets: readonly (string | null | undefined)[]): string | undefined {
  if (typeof text !== 'string' || text === '') return undefined
  if (secrets.some((secret) => secret && text.includes(secret))) return undefined
  return text.replaceAll(/[^\x20-\x7e]/gu, '?').slice(0, MAX_QUOTED)
}
