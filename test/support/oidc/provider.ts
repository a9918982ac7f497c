import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'
import type { Certified } from './certificate.ts'
import { type SigningKey, signingKey } from './signing.ts'

/** What the provider issues for a resource. */
interface ResourceTokens {
  format: 'jwt' | 'opaque'
  /** Of JWTs. */
  alg?: string
  /** Default: the resource itself. */
  audience?: string
  /** Scopes that may be asked for, with spaces between. */
  scope?: string
  lifeSeconds?: number
}

export interface RunningProvider {
  issuer: string
  /** Keys in use, by algorithm. With them a test signs what the provider never would. */
  keys: ReadonlyMap<string, SigningKey>
  /** A confidential client for client credentials and introspection. */
  client: { id: string; secret: string }
  resources: Map<string, ResourceTokens>
  /** Requests by path. */
  hits: Map<string, number>
  /** A token of the client itself, by the client credentials grant. */
  clientToken(resource: string, scope?: string): Promise<string>
  /** A token of a user who has consented. */
  userToken(resource: string, user: string, scope?: string): Promise<string>
  revoke(token: string): Promise<void>
  /** New keys for all algorithms. `keep`: the old ones are still published. */
  rotate(keep: boolean): Promise<void>
  /** Plays a browser whose user signs in as `user` and consents: returns the address that the flow comes back to. */
  browse(url: string, user?: string): Promise<URL>
  close(): Promise<void>
}

export interface ProviderOptions {
  /** Client id metadata documents by their address, which is the id of the client; the provider is given them unfetched. */
  clientDocuments?: ReadonlyMap<string, object>
  /** Scopes that it knows besides its own: what clients may name when they register. */
  scopes?: readonly string[]
  /** Everybody who may refresh gets a refresh token, asked for or not. */
  refreshes?: boolean
  /** Of the confidential client. Default: `http://127.0.0.1/callback`. */
  redirectUris?: readonly string[]
}

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA']
/** Seconds. */
const TTL = {
  AccessToken: (_context: unknown, token: { resourceServer?: { accessTokenTTL?: number } }) =>
    token.resourceServer?.accessTokenTTL ?? 600,
  AuthorizationCode: 60,
  ClientCredentials: 600,
  Grant: 600,
  IdToken: 600,
  Interaction: 60,
  RefreshToken: 600,
  Session: 600,
}
const CLIENT = { id: 'gateway', secret: 'a-secret-of-the-gateway:/+' }

/** A real `oidc-provider` on loopback: discovery, key set, introspection, revocation, registration and code flow. */
export async function startProvider(tls?: Certified, options: ProviderOptions = {}): Promise<RunningProvider> {
  let generation = 0
  const newKeys = async () => {
    generation++
    const made = await Promise.all(ALGORITHMS.map((alg) => signingKey(alg, `${alg}-${generation}`)))
    return new Map(made.map((key) => [key.alg, key]))
  }
  let keys = await newKeys()
  let retired: SigningKey[] = []
  const resources = new Map<string, ResourceTokens>()
  const hits = new Map<string, number>()
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => {}
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').replace(/\?.*/u, '')
    hits.set(path, (hits.get(path) ?? 0) + 1)
    handle(request, response)
  }
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  const issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`

  // The store of the package is one for the process, so tokens outlive the exchange of the provider.
  const renew = (): Provider => {
    const all = [...keys.values(), ...retired].map(({ privateJwk }) => privateJwk)
    const provider = quietly(() => new Provider(issuer, configuration(all, resources, options)))
    const callback = provider.callback()
    handle = (request, response) => {
      if (request.url?.startsWith('/interaction/')) void consent(provider, request, response)
      else callback(request, response)
    }
    return provider
  }
  let provider = renew()

  async function post(path: string, form: Record<string, string>): Promise<{ access_token?: string }> {
    const basic = [CLIENT.id, CLIENT.secret].map(encodeURIComponent).join(':')
    const headers = { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }
    const answer = await fetch(`${issuer}${path}`, { method: 'POST', headers, body: new URLSearchParams(form) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
    return text === '' ? {} : (JSON.parse(text) as { access_token?: string })
  }

  return {
    issuer,
    get keys() {
      return keys
    },
    client: CLIENT,
    resources,
    hits,
    async clientToken(resource, scope) {
      const form = { grant_type: 'client_credentials', resource, ...(scope === undefined ? {} : { scope }) }
      return (await post('/token', form)).access_token ?? ''
    },
    async userToken(resource, user, scope = '') {
      const client = await provider.Client.find(CLIENT.id)
      const grant = new provider.Grant({ clientId: CLIENT.id, accountId: user })
      grant.addResourceScope(resource, scope)
      const grantId = await grant.save()
      const token = new provider.AccessToken({ accountId: user, client, grantId, scope, gty: 'authorization_code' })
      token.resourceServer = new provider.ResourceServer(resource, resourceInfo(resources, resource))
      return token.save()
    },
    async revoke(token) {
      await post('/token/revocation', { token })
    },
    async rotate(keep) {
      retired = keep ? [...retired, ...keys.values()] : []
      keys = await newKeys()
      provider = renew()
    },
    browse: (url, user = 'alice') => browse(url, issuer, user),
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

function resourceInfo(resources: ReadonlyMap<string, ResourceTokens>, resource: string): object {
  const tokens = resources.get(resource)
  if (!tokens) throw new Error(`the test names no resource ${resource}`)
  return {
    scope: tokens.scope ?? '',
    audience: tokens.audience ?? resource,
    accessTokenTTL: tokens.lifeSeconds ?? 600,
    accessTokenFormat: tokens.format,
    ...(tokens.format === 'jwt' ? { jwt: { sign: { alg: tokens.alg ?? 'RS256' } } } : {}),
  }
}

function configuration(
  jwks: object[],
  resources: ReadonlyMap<string, ResourceTokens>,
  { clientDocuments, refreshes, scopes = [], redirectUris = ['http://127.0.0.1/callback'] }: ProviderOptions,
): object {
  const given = (url: string): Response => {
    const document = clientDocuments?.get(url)
    return document ? Response.json(document) : new Response('', { status: 404 })
  }
  const mayRefresh = (_context: unknown, client: { grantTypeAllowed(type: string): boolean }): boolean =>
    client.grantTypeAllowed('refresh_token')
  return {
    ...(clientDocuments && { fetch: async (url: URL | string) => given(String(url)) }),
    ...(refreshes && { issueRefreshToken: mayRefresh }),
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
        redirect_uris: redirectUris,
        response_types: ['code'],
      },
    ],
    jwks: { keys: jwks },
    cookies: { keys: ['a key for tests'] },
    scopes: ['openid', 'offline_access', ...scopes],
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, groups: ['staff'] }) }),
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      registration: { enabled: true },
      ...(clientDocuments && { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } }),
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => resourceInfo(resources, resource),
      },
    },
    ttl: TTL,
  }
}

/** Signs in as the user of the cookie `user`, and consents to everything. */
async function consent(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  const user = /(?:^|; )user=([^;]+)/u.exec(request.headers.cookie ?? '')?.[1] ?? 'alice'
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: user } })
    return
  }
  const grant = new provider.Grant({ accountId: session?.accountId ?? user, clientId: params['client_id'] })
  const { scope = '', resource } = params
  grant.addOIDCScope(scope)
  if (resource !== undefined) grant.addResourceScope(resource, scope)
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
}

async function browse(start: string, issuer: string, user: string): Promise<URL> {
  const cookies = new Map([['user', user]])
  let url = new URL(start)
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { headers: { cookie }, redirect: 'manual' })
    await answer.body?.cancel()
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/u.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`${url.href} answered ${answer.status} and leads nowhere`)
    url = new URL(location, url)
    if (url.origin !== issuer) return url
  }
  throw new Error('the flow does not end')
}

/** The package warns at start of what is fine in a test: plain http, a store in memory. */
function quietly<T>(work: () => T): T {
  const { info, warn } = console
  console.info = () => {}
  console.warn = () => {}
  try {
    return work()
  } finally {
    Object.assign(console, { info, warn })
  }
}
