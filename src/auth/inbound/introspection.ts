import type { JsonObject } from '../../model/json.ts'
import { createSemaphore } from '../concurrency/semaphore.ts'
import type { IssuerAccess } from '../issuer/access.ts'
import { unreachable } from '../issuer/unreachable.ts'
import { clientAuthentications } from '../net/client-authentication.ts'
import { FetchRefused } from '../net/guarded-fetch.ts'
import { Unproven } from './refusals.ts'

/**
 * What the issuer says about an opaque token; `wasGood`: it has said before that it is active. Throws `Unproven`, and
 * `ISSUER_UNREACHABLE` when it does not say.
 */
export type Introspect = (token: string, wasGood: boolean) => Promise<JsonObject>

/** Made-up tokens must not turn us against the issuer, nor keep those that are new and good from being asked about. */
const LIMITS = { atOnce: 64, waiting: 256, patienceMs: 5000 }

/** RFC 8414 section 2. */
const DEFAULT_METHODS = ['client_secret_basic']

/**
 * RFC 7662. `discovers`: the endpoint may come from discovery. It must not with several issuers, because then an
 * opaque token could be shown to somebody who did not issue it.
 */
export function createIntrospection(
  { issuer, documents, discovery }: IssuerAccess,
  discovers: boolean,
  now: () => number,
): Introspect | undefined {
  const { name, introspectionUrl, clientId, clientSecret } = issuer
  const found = discovers && clientId !== undefined && clientSecret !== undefined
  if (introspectionUrl === undefined && !found) return undefined
  const client = clientId === undefined ? undefined : { id: clientId, ...(clientSecret && { secret: clientSecret }) }
  const inTurn = createSemaphore(LIMITS, () => unreachable(`${name}: too many introspections at a time`))

  async function ask(token: string): Promise<JsonObject> {
    const { url, methods } = await endpoint()
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' })
    const headers = new Headers()
    const [authenticate] = clientAuthentications({ client, methods, audience: name }, now)
    await authenticate(form, headers)
    return documents.post(url, 'the introspection', Object.fromEntries(headers), form)
  }

  async function endpoint(): Promise<{ url: string; methods: readonly string[] }> {
    if (introspectionUrl !== undefined) return { url: introspectionUrl, methods: DEFAULT_METHODS }
    const document = await discovery.document()
    const url = document['introspection_endpoint']
    const methods = document['introspection_endpoint_auth_methods_supported']
    if (typeof url !== 'string') throw new Unproven('opaque')
    return { url, methods: Array.isArray(methods) ? methods.map(String) : DEFAULT_METHODS }
  }

  return async (token, wasGood) => {
    try {
      const claims = await (wasGood ? ask(token) : inTurn(() => ask(token)))
      if (claims['active'] !== true) throw new Unproven('inactive')
      if (saysRefresh(claims)) throw new Unproven('type')
      return claims
    } catch (error) {
      if (error instanceof FetchRefused) throw unreachable(`${name}: ${error.message}`)
      throw error
    }
  }
}

/** Issuers know their refresh tokens, too, which open nothing here. Each says so in its own way. */
const saysRefresh = ({ token_type: type, token_use: use, typ }: JsonObject): boolean =>
  [type, use, typ].some((said) => typeof said === 'string' && /^refresh([_ -]?token)?$/iu.test(said))
