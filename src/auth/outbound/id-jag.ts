import type { Credential, CredentialSpec } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Identified, Principal } from '../../model/principal.ts'
import type { Secret } from '../../model/secret.ts'
import { WRITTEN } from '../net/reach.ts'
import { createListeners } from './authorization/listeners.ts'
import { createKeptTokens, type Obtained } from './kept-tokens.ts'
import { NOTHING } from './shown.ts'
import { endOf, isKeyOf, notEcho, proofOf, subjectKey, TOKEN_EXCHANGE, tokenType } from './subject.ts'
import type { TokenEndpoints } from './token-endpoints.ts'

export type IdJagSpec = Extract<CredentialSpec, { kind: 'id_jag' }>

export interface IdJagDeps {
  endpoints: TokenEndpoints
  /** Milliseconds since the epoch. */
  now: () => number
  /** For `subjectTokenType: 'id_token'`. Throws, or rejects with, `ConsentNeeded` when the user must sign in first. */
  idTokenOf: (principal: Principal) => Secret | Promise<Secret>
  /** Tells whose ID token has come or gone (`Credential.subscribe`). */
  subscribe: Credential['subscribe']
}

/** Whose token is exchanged, and when it ends: milliseconds since the epoch. */
interface Subject {
  principal: Identified
  end: number | undefined
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/**
 * Enterprise-managed authorization: the identity provider, which knows the caller, grants an assertion (ID-JAG) that the
 * authorization server of the backend gives a token for. Kept per subject, never longer than the caller's own token.
 */
export function createIdJag(spec: IdJagSpec, { endpoints, now, idTokenOf, subscribe }: IdJagDeps): Credential {
  const { idp, target, scopes, subjectTokenType } = spec
  const provider = endpoints({ url: idp.tokenUrl, reach: WRITTEN, client: idp.client })
  const server = endpoints({ url: target.tokenUrl, reach: WRITTEN, client: target.client, issuer: target.audience })
  const kept = createKeptTokens<Subject>({ obtain, now })
  const listeners = createListeners<[string | undefined]>()
  const leave = subscribe((key) => {
    kept.forget((kept) => key === undefined || isKeyOf(key, kept))
    listeners.call(key)
  })

  const subjectOf = (principal: Identified): Subject => ({ principal, end: endOf(principal, now()) })

  async function obtain({ principal, end }: Subject): Promise<Obtained> {
    const subject = subjectTokenType === 'id_token' ? await idTokenOf(principal) : proofOf(principal)
    const assertion = await provider({
      type: TOKEN_EXCHANGE,
      parameters: {
        requested_token_type: tokenType('id-jag'),
        audience: target.audience,
        resource: target.resource,
        subject_token: subject.reveal(),
        subject_token_type: tokenType(subjectTokenType),
      },
      scopes,
      use: 'n_a',
    })
    if (assertion.issuedType !== tokenType('id-jag')) {
      throw new GatewayError('CREDENTIAL_UNAVAILABLE', 'the identity provider returned something else than an ID-JAG')
    }
    notEcho(assertion, subject)
    const parameters = { assertion: assertion.value.reveal() }
    const token = await server({ type: JWT_BEARER, parameters, scopes })
    if (principal.proof) notEcho(token, principal.proof)
    return { token: notEcho(token, subject), notAfter: end }
  }

  return {
    perCaller: true,
    headers(principal) {
      return principal.kind === 'anonymous' ? NOTHING : kept.headers(subjectKey(principal), subjectOf(principal))
    },
    async refused(principal, answer) {
      if (principal.kind === 'anonymous' || answer.status !== 401) return false
      return kept.replace(subjectKey(principal), subjectOf(principal), answer.shown)
    },
    subscribe: listeners.add,
    close: leave,
  }
}
