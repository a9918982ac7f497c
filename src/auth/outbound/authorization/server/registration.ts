import type { OAuthClient } from '../../../../model/credential.ts'
import { isObject } from '../../../../model/json.ts'
import { isLoopbackUrl } from '../../../../model/loopback.ts'
import { Secret } from '../../../../model/secret.ts'
import { FetchRefused, type GuardedFetch } from '../../../net/guarded-fetch.ts'
import { objectOf } from '../../token-answer.ts'
import { clientKey, type Store, type StoredClient, withClient, withoutClient } from '../store/store.ts'
import { unavailable } from '../unavailable.ts'
import type { AuthorizationServer } from './discovery.ts'
import { type Trust, within } from './trust.ts'

/** Where the gateway's pages stand, and what they say about it as a client. */
export interface ClientPlace {
  readonly redirectUri: string
  /** Address of the document that is the gateway's client id; absent: nobody could fetch it. */
  readonly metadataUrl: string | undefined
}

export interface RegistrationParts {
  readonly store: Store
  readonly fetch: GuardedFetch
  readonly now: () => number
}

const CLIENT_NAME = 'vmcp'
const LIMITS = { timeoutMs: 10_000, maxBytes: 64 * 1024 }
/** A registration that ends within this time is of no use for a sign-in. */
const MARGIN_MS = 600_000

/** What the gateway asks of every authorization server (RFC 7591 section 2). */
export function clientMetadata(redirectUri: string, method: string): Readonly<Record<string, unknown>> {
  return {
    client_name: CLIENT_NAME,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: method,
    // OpenID Connect Registration section 2: servers refuse loopback addresses of web applications, and https of native ones.
    application_type: redirectUri.startsWith('http:') && isLoopbackUrl(redirectUri) ? 'native' : 'web',
  }
}

/**
 * The gateway as `server` knows it: as configured, else by the address of its metadata, else registered (RFC 7591), once
 * for all users. Throws `CREDENTIAL_UNAVAILABLE`, `FetchRefused`.
 */
export async function clientAt(
  server: AuthorizationServer,
  configured: OAuthClient | undefined,
  place: ClientPlace,
  trust: Trust,
  parts: RegistrationParts,
): Promise<StoredClient> {
  if (configured) return { id: configured.id, origin: 'configured' }
  if (server.readsClientMetadata && place.metadataUrl !== undefined) {
    return { id: place.metadataUrl, origin: 'document', method: 'none' }
  }
  const key = clientKey(server.issuer, place.redirectUri)
  return parts.store.exclusively(key, async () => {
    const known = (await parts.store.read()).clients[key]
    if (known && (known.expiresAt ?? Infinity) > parts.now() + MARGIN_MS) return known
    const client = await register(server, place.redirectUri, trust, parts.fetch)
    await parts.store.update((state) => withClient(state, key, client))
    return client
  })
}

/** The server does not know this client any more. */
export async function forgetClient(issuer: string, client: StoredClient, store: Store): Promise<void> {
  if (client.origin === 'registered') await store.update((state) => withoutClient(state, issuer, client.id))
}

/** Who we are in requests. `undefined`: the client was configured, and is not any more. */
export function clientFor(
  client: StoredClient,
  configured: OAuthClient | undefined,
): { client: OAuthClient; methods?: readonly string[] } | undefined {
  if (client.origin === 'configured') return configured?.id === client.id ? { client: configured } : undefined
  const { id, secret, method } = client
  return {
    client: { id, ...(secret && method !== 'none' && { secret }) },
    ...(method !== undefined && { methods: [method] }),
  }
}

/** In this order: without a secret there is nothing to keep. */
const METHODS = ['none', 'client_secret_basic', 'client_secret_post']

async function register(
  server: AuthorizationServer,
  redirectUri: string,
  trust: Trust,
  fetch: GuardedFetch,
): Promise<StoredClient> {
  const { origin } = new URL(server.issuer)
  const { registrationEndpoint: url } = server
  const wanted = METHODS.find((method) => server.authMethods.includes(method))
  if (url === undefined || wanted === undefined) {
    throw unavailable(`${origin} lets no client register: a clientId for it has to be configured`)
  }
  const answer = await fetch(url, {
    ...within(trust, url),
    ...LIMITS,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(clientMetadata(redirectUri, wanted)),
  })
  const document = objectOf(answer.text)
  if (answer.status !== 201 && answer.status !== 200) {
    const error = document?.['error']
    const code = typeof error === 'string' && /^\w{1,40}$/u.test(error) ? `: ${error}` : ''
    throw unavailable(`${origin} refused to register the gateway as a client (status ${answer.status}${code})`)
  }
  return isObject(document) ? registered(document, wanted, origin) : refuse(origin)
}

const PRINTABLE = /^[\x20-\x7e]{1,2048}$/u

function registered(document: Readonly<Record<string, unknown>>, wanted: string, origin: string): StoredClient {
  const { client_id: id, client_secret: secret, client_secret_expires_at: expiry } = document
  const method = document['token_endpoint_auth_method'] ?? (secret === undefined ? 'none' : wanted)
  if (typeof id !== 'string' || !PRINTABLE.test(id)) return refuse(origin)
  if (secret !== undefined && (typeof secret !== 'string' || !PRINTABLE.test(secret))) return refuse(origin)
  if (typeof method !== 'string' || !METHODS.includes(method)) return refuse(origin)
  if (method !== 'none' && secret === undefined) return refuse(origin)
  const ends = secret !== undefined && typeof expiry === 'number' && expiry > 0
  return {
    id,
    origin: 'registered',
    method,
    ...(typeof secret === 'string' && { secret: new Secret(secret) }),
    ...(ends && { expiresAt: expiry * 1000 }),
  }
}

function refuse(origin: string): never {
  throw new FetchRefused('answer', `${origin} gave an answer to the registration that cannot be used`)
}
