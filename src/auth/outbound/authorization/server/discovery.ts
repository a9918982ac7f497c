import type { JsonObject, JsonValue } from '../../../../model/json.ts'
import { FetchRefused, type GuardedFetch } from '../../../net/guarded-fetch.ts'
import { objectOf } from '../../token-answer.ts'
import { unavailable } from '../unavailable.ts'
import { bearerChallenge, type Challenge } from './challenge.ts'
import { readScopes } from './scopes.ts'
import { mayUse, type Trust, within } from './trust.ts'

/** Where a backend wants tokens to come from. */
export interface Target {
  /** Of the backend. */
  readonly url: string
  /** In the operator's words; absent: the backend's metadata name it. */
  readonly issuer: string | undefined
  readonly trust: Trust
}

/** What the backend says about itself (RFC 9728). */
interface ProtectedResource {
  /** For the parameter `resource` of every request (RFC 8707). */
  readonly resource: string
  readonly issuer: string
  /** Nobody has named the issuer, so any spelling of its address is good. */
  readonly isGuessed?: boolean
  /** The least that it wants. Empty: it does not say. */
  readonly scopes: readonly string[]
}

/** What an authorization server says about itself (RFC 8414, OpenID Connect Discovery 1.0). */
export interface AuthorizationServer {
  readonly issuer: string
  readonly authorizationEndpoint: string | undefined
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | undefined
  readonly revocationEndpoint: string | undefined
  /** How clients show who they are at the token endpoint; RFC 8414 gives the default. */
  readonly authMethods: readonly string[]
  readonly scopes: readonly string[]
  readonly challengeMethods: readonly string[]
  /** A client may be the address of a document about it. */
  readonly readsClientMetadata: boolean
  /** Its answers carry `iss` (RFC 9207). */
  readonly namesItself: boolean
}

export interface Discovered extends ProtectedResource {
  readonly server: AuthorizationServer
}

/** Of an address that is kept, or that a browser is sent to. */
const MAX_ADDRESS = 2048
const LIMITS = { timeoutMs: 5000, maxBytes: 256 * 1024 }

/**
 * The authorization server of a backend. `challenge`: the last that came from it. Throws `CREDENTIAL_UNAVAILABLE`,
 * `FetchRefused`.
 */
export async function discover(
  target: Target,
  challenge: Challenge | undefined,
  fetch: GuardedFetch,
): Promise<Discovered> {
  const resource =
    target.issuer === undefined
      ? await protectedResource(target, challenge ?? (await probe(target, fetch)), fetch)
      : { resource: canonical(target.url), issuer: target.issuer, scopes: [] }
  const { issuer, isGuessed } = resource
  const server = await authorizationServer(issuer, target.trust, fetch, isGuessed ? [issuer, `${issuer}/`] : [issuer])
  return { ...resource, scopes: challenge?.scopes.length ? challenge.scopes : resource.scopes, server }
}

/** A request that no server of the protocol answers without a token, if it wants one. */
async function probe({ url, trust }: Target, fetch: GuardedFetch): Promise<Challenge | undefined> {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  try {
    const answer = await fetch(url, { ...within(trust, url), ...LIMITS, method: 'POST', headers, body })
    return answer.status === 401 ? bearerChallenge(answer.headers['www-authenticate']) : undefined
  } catch {
    // The documents at the well-known places may still be there.
    return undefined
  }
}

async function protectedResource(
  { url, trust }: Target,
  challenge: Challenge | undefined,
  fetch: GuardedFetch,
): Promise<ProtectedResource> {
  const scopes = challenge?.scopes ?? []
  const document = await firstDocument(resourceUrls(url, challenge), "the backend's resource metadata", trust, fetch)
  // Servers from before RFC 9728 are their own authorization servers.
  if (!document) return { resource: canonical(url), issuer: new URL(url).origin, isGuessed: true, scopes }
  const { resource, authorization_servers: servers } = document
  if (typeof resource !== 'string' || !covers(resource, url)) {
    throw unavailable("the backend's resource metadata are about another resource, so they are not used")
  }
  const issuer = Array.isArray(servers) ? servers[0] : undefined
  if (typeof issuer !== 'string') throw unavailable("the backend's resource metadata name no authorization server")
  return { resource, issuer, scopes: scopes.length > 0 ? scopes : readScopes(document['scopes_supported']) }
}

/** RFC 9728 section 3.1: where the challenge says, else inserted before the path, else at the root. */
function resourceUrls(url: string, challenge: Challenge | undefined): readonly string[] {
  if (challenge?.resourceMetadata !== undefined) return [challenge.resourceMetadata]
  const { origin, pathname, search } = new URL(url)
  const path = pathname.replace(/\/+$/u, '')
  const root = `${origin}/.well-known/oauth-protected-resource`
  return [...new Set([`${root}${path}${search}`, root])]
}

/** Whether tokens for `resource` are meant for `url`: the same, or above it on the same origin. */
function covers(resource: string, url: string): boolean {
  const above = resource.length > MAX_ADDRESS ? null : URL.parse(resource)
  const { origin, pathname } = new URL(url)
  if (!above || above.origin !== origin || above.hash !== '' || above.username !== '') return false
  const path = above.pathname.replace(/\/+$/u, '')
  return pathname === path || pathname.startsWith(`${path}/`)
}

/** The canonical address of a resource: without a fragment, and without the slash of an empty path. */
function canonical(text: string): string {
  const url = new URL(text)
  url.hash = ''
  return url.pathname === '/' && url.search === '' ? url.origin : url.href
}

/** The metadata of one issuer, in which it must have one of these `names`. Throws `CREDENTIAL_UNAVAILABLE`, `FetchRefused`. */
export async function authorizationServer(
  issuer: string,
  trust: Trust,
  fetch: GuardedFetch,
  names: readonly string[] = [issuer],
): Promise<AuthorizationServer> {
  const url = URL.parse(issuer)
  if (!url || !mayUse(trust, url) || url.hash !== '' || url.search !== '') {
    throw unavailable('the authorization server that the backend names has no usable address: https is needed')
  }
  const what = metadataOf(issuer)
  const document = await firstDocument(serverUrls(url), what, trust, fetch)
  if (!document) throw unavailable(`${what} are not to be found`)
  // Letter by letter, or a server could pass itself off as another one.
  const name = names.find((name) => name === document['issuer'])
  if (name === undefined) throw unavailable(`${what} are about another issuer, so they are not used`)
  return readServer(document, name, trust)
}

/** RFC 8414 section 3.1, and OpenID Connect inserted and appended. */
function serverUrls({ origin, pathname }: URL): readonly string[] {
  const path = pathname.replace(/\/+$/u, '')
  return [
    ...new Set([
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
      `${origin}${path}/.well-known/openid-configuration`,
    ]),
  ]
}

/** `undefined`: there is none at any of the places. Sites that have a page for every address have none either. */
async function firstDocument(
  urls: readonly string[],
  what: string,
  trust: Trust,
  fetch: GuardedFetch,
): Promise<JsonObject | undefined> {
  for (const url of urls) {
    const answer = await fetch(url, { ...within(trust, url), ...LIMITS })
    if (answer.status >= 500)
      throw new FetchRefused('unreachable', `${what} were answered with status ${answer.status}`)
    const document = answer.status === 200 ? objectOf(answer.text) : undefined
    if (document) return document
  }
  return undefined
}

/** What a document about this issuer says. Throws `CREDENTIAL_UNAVAILABLE` when it names what may not be used. */
export function readServer(document: JsonObject, issuer: string, trust: Trust): AuthorizationServer {
  const what = metadataOf(issuer)
  const address = (name: string): string | undefined => {
    const value = document[name]
    if (value === undefined || value === null) return undefined
    const url = typeof value === 'string' && value.length <= MAX_ADDRESS ? URL.parse(value) : null
    if (!url || !mayUse(trust, url)) throw unavailable(`${what} name no usable ${name}: an https address is needed`)
    return url.href
  }
  const tokenEndpoint = address('token_endpoint')
  if (tokenEndpoint === undefined) throw unavailable(`${what} name no token_endpoint`)
  const methods = document['token_endpoint_auth_methods_supported']
  return {
    issuer,
    authorizationEndpoint: address('authorization_endpoint'),
    tokenEndpoint,
    registrationEndpoint: address('registration_endpoint'),
    revocationEndpoint: address('revocation_endpoint'),
    authMethods: methods === undefined ? ['client_secret_basic'] : texts(methods),
    scopes: readScopes(document['scopes_supported']),
    challengeMethods: texts(document['code_challenge_methods_supported']),
    readsClientMetadata: document['client_id_metadata_document_supported'] === true,
    namesItself: document['authorization_response_iss_parameter_supported'] === true,
  }
}

const metadataOf = (issuer: string): string => `the metadata of the authorization server ${new URL(issuer).origin}`

const texts = (value: JsonValue | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
