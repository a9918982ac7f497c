import type { JsonObject } from '../../model/json.ts'
import { FetchRefused } from '../net/guarded-fetch.ts'
import type { Discovery } from './discovery.ts'
import type { IssuerDocuments } from './issuer-documents.ts'
import { createQueue } from './queue.ts'
import { Unproven, unreachable } from './refusals.ts'
import type { Issuer } from './settings.ts'

/**
 * What the issuer says about an opaque token; `wasGood`: it has said before that it is active. Throws `Unproven`, and
 * `ISSUER_UNREACHABLE` when it does not say.
 */
export type Introspect = (token: string, wasGood: boolean) => Promise<JsonObject>

/** Made-up tokens must not turn us against the issuer, nor keep those that are new and good from being asked about. */
const LIMITS = { atOnce: 64, waiting: 256, patienceMs: 5000 }

/**
 * RFC 7662. `discovers`: the endpoint may come from discovery. It must not with several issuers, because then an
 * opaque token could be shown to somebody who did not issue it.
 */
export function createIntrospection(
  issuer: Issuer,
  documents: IssuerDocuments,
  discovery: Discovery,
  discovers: boolean,
): Introspect | undefined {
  const found = discovers && issuer.clientId !== undefined && issuer.clientSecret !== undefined
  if (issuer.introspectionUrl === undefined && !found) return undefined
  const inTurn = createQueue(LIMITS, () => unreachable(`${issuer.name}: too many introspections at a time`))

  async function ask(token: string): Promise<JsonObject> {
    const { url, methods } = await endpoint()
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' })
    return documents.post(url, 'the introspection', credentials(issuer, methods, form), form)
  }

  async function endpoint(): Promise<{ url: string; methods: readonly string[] }> {
    if (issuer.introspectionUrl !== undefined) return { url: issuer.introspectionUrl, methods: ['client_secret_basic'] }
    const { introspectionUrl: url, introspectionMethods: methods } = await discovery.document()
    if (url === undefined) throw new Unproven('opaque')
    return { url, methods }
  }

  return async (token, wasGood) => {
    try {
      const claims = await (wasGood ? ask(token) : inTurn(() => ask(token)))
      if (claims['active'] !== true) throw new Unproven('inactive')
      return claims
    } catch (error) {
      if (error instanceof FetchRefused) throw unreachable(`${issuer.name}: ${error.message}`)
      throw error
    }
  }
}

/** Headers; what belongs into the body is added to `form` (RFC 6749 section 2.3.1). */
function credentials(
  { clientId, clientSecret }: Issuer,
  methods: readonly string[],
  form: URLSearchParams,
): Readonly<Record<string, string>> {
  if (clientId === undefined) return {}
  if (
    clientSecret === undefined ||
    (!methods.includes('client_secret_basic') && methods.includes('client_secret_post'))
  ) {
    form.set('client_id', clientId)
    if (clientSecret) form.set('client_secret', clientSecret.reveal())
    return {}
  }
  const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret.reveal())}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
