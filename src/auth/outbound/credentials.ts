import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { BackendSpec } from '../../model/backend.ts'
import { ConsentNeeded, type Credential } from '../../model/credential.ts'
import { fingerprint } from '../../model/fingerprint.ts'
import type { BackendId } from '../../model/ids.ts'
import type { Principal } from '../../model/principal.ts'
import type { SealingKey } from '../../model/settings.ts'
import { readIssuers } from '../inbound/settings.ts'
import { type GuardedFetch, guardedFetch } from '../net/guarded-fetch.ts'
import { type Account, accountOf, signOut } from './authorization/accounts.ts'
import { createAuthorizationCode, type Owner } from './authorization/authorization-code.ts'
import type { Challenge } from './authorization/challenge.ts'
import { type Consent, createConsents, type Outcome } from './authorization/consents.ts'
import { discover } from './authorization/discovery.ts'
import { createFileStore } from './authorization/file-store.ts'
import { createFlows } from './authorization/flow.ts'
import { createIdTokens } from './authorization/id-tokens.ts'
import { createLogin, type Login } from './authorization/login.ts'
import { createMemoryStore } from './authorization/memory-store.ts'
import { CALLBACK, CLIENT_METADATA, CONNECT, type ConnectPages, createPages } from './authorization/pages.ts'
import type { ClientPlace } from './authorization/registration.ts'
import { createSignIn } from './authorization/sign-in.ts'
import type { Store } from './authorization/store.ts'
import { addressOf, targetOf } from './authorization/target.ts'
import { asUnavailable, unavailable } from './authorization/unavailable.ts'
import { createVaultKeys } from './authorization/vault-keys.ts'
import { createClientCredentials } from './client-credentials.ts'
import { createIdJag } from './id-jag.ts'
import { createTokenExchange } from './token-exchange.ts'

export type { ConnectPages } from './authorization/pages.ts'

export interface OutboundSettings {
  incomingAuth: Pick<GatewayConfig['incomingAuth'], 'type' | 'oidc'>
  publicUrl?: string | undefined
  store: { provider: 'memory' } | { provider: 'file'; path: string; keyFile: string }
  /** The first seals the file, all open it. Empty: the key of `keyFile` does, which is made at first use. */
  sealingKeys: readonly SealingKey[]
}

export interface OutboundDeps {
  /** Where the pages stand: `https://mcp.example`. Asked when it is needed; `undefined`: nobody serves them. */
  baseUrl: () => string | undefined
  /** For secrets that are named by variable. */
  environment: Readonly<Record<string, string | undefined>>
  fetch?: GuardedFetch
  /** Milliseconds since the epoch. */
  now?: () => number
  tell?: (note: OutboundNote) => void
}

/** Told when a user has to sign in, and how that ended. */
export type OutboundNote =
  | { kind: 'sign-in-needed'; backend: string; subject: string }
  | { kind: 'sign-in-ended'; backend: string; subject: string; outcome: Outcome }

/** What backends are shown. */
export interface Credentials {
  /** `undefined`: nothing beside its fixed headers. Equal specs have one credential. */
  for(spec: BackendSpec): Credential | undefined
  readonly pages: ConnectPages
  /** For the command line. `subject`: key of a principal, or `local`. Throws for backends at which nobody signs in. */
  signIn(spec: BackendSpec, subject: string): Promise<{ url: string; settled: Promise<Outcome> }>
  /** Who is signed in where. */
  accounts(): Promise<readonly Account[]>
  /**
   * Forgets a user's tokens for a backend, and has them revoked where possible: where that takes a configured client or
   * private addresses, the spec must be given, or known by `for`. Whether there were any.
   */
  signOut(backend: string | BackendSpec, subject: string): Promise<boolean>
  close(): void
}

/** The one user, where nobody proves who he is. */
const LOCAL = 'local'

/** Contacts nobody by itself. Throws an `Error` for settings that cannot be used. */
export function createCredentials(settings: OutboundSettings, deps: OutboundDeps): Credentials {
  const { incomingAuth, publicUrl } = settings
  const { fetch: outside = guardedFetch, now = Date.now, tell = () => {} } = deps
  const closing = new AbortController()
  /** What changes something at the other end runs to its end: a refresh that is broken off could lose the token. */
  const fetch: GuardedFetch = (url, options = {}) =>
    outside(url, options.method === 'POST' ? options : { ...options, signal: closing.signal })
  const hasUsers = incomingAuth.type === 'oidc'
  const store = storeOf(settings)
  const logins = hasUsers ? loginsOf(settings, deps, fetch, now, closing.signal) : new Map<string, Login>()
  const consents = createConsents(now)
  const flows = createFlows(consents.isPending)
  const challenges = new Map<BackendId, Challenge>()
  const specs = new Map<string, BackendSpec>()
  const made = new Map<string, Credential>()

  function base(): string {
    const url = deps.baseUrl()
    if (url === undefined) throw unavailable('users cannot sign in: this command serves no page for that')
    return url.replace(/\/+$/u, '')
  }

  function place(): ClientPlace {
    const isPublic = publicUrl?.startsWith('https:') === true && base().startsWith('https:')
    return { redirectUri: `${base()}${CALLBACK}`, metadataUrl: isPublic ? `${base()}${CLIENT_METADATA}` : undefined }
  }

  const signIn = createSignIn({ store, flows, fetch, now, place, logins, challenges })
  const pages = createPages({ consents, flows, signIn, place })
  const told = new WeakSet<Consent>()

  function urlOf(consent: Consent): string {
    const { person, ticket, backend, subject, settled } = consent
    if (person.kind === 'user' && !logins.has(person.issuer)) {
      consents.end(consent, 'refused')
      const message = `nobody can sign in to the backend "${backend.id}": incomingAuth.oidc needs a clientId for that`
      throw unavailable(message)
    }
    if (!told.has(consent)) {
      told.add(consent)
      tell({ kind: 'sign-in-needed', backend: backend.id, subject })
      void settled.then((outcome) => tell({ kind: 'sign-in-ended', backend: backend.id, subject, outcome }))
    }
    return `${base()}${CONNECT}?ticket=${ticket}`
  }

  function consentNeeded(consent: Consent): ConsentNeeded {
    const { id, backend } = consent
    const settled = consent.settled.then(() => {})
    return new ConsentNeeded(`the backend "${backend.id}" needs you to sign in`, { url: urlOf(consent), id, settled })
  }

  function ownerOf(principal: Principal): Owner | undefined {
    if (!hasUsers) return { subject: LOCAL, person: { kind: 'local' } }
    if (principal.kind === 'anonymous') return undefined
    const { key, issuer, subject } = principal
    return { subject: key, person: { kind: 'user', issuer, subject } }
  }

  const parts = { store, fetch, now, consents, challenges, ownerOf, consentNeeded, perCaller: hasUsers }
  const idTokens = createIdTokens({ ...parts, logins })

  function create(spec: BackendSpec, backendUrl: string): Credential | undefined {
    const { credential } = spec
    const endpoint = { fetch, now, signal: closing.signal, backendUrl }
    switch (credential?.kind) {
      case undefined:
        return undefined
      case 'client_credentials':
        return createClientCredentials(credential, { ...endpoint, discover: () => tokenEndpoint(spec) })
      case 'token_exchange':
        return createTokenExchange(credential, endpoint)
      case 'id_jag':
        return createIdJag(credential, {
          ...endpoint,
          idTokenOf: (principal) => idTokens.of(principal, spec),
          subscribe: idTokens.subscribe,
        })
      case 'authorization_code':
        return createAuthorizationCode(spec, parts)
    }
  }

  async function tokenEndpoint(spec: BackendSpec) {
    try {
      const { server, resource } = await discover(targetOf(spec), challenges.get(spec.id), fetch)
      return { tokenUrl: server.tokenEndpoint, issuer: server.issuer, resource, methods: server.authMethods }
    } catch (error) {
      throw asUnavailable(error)
    }
  }

  return {
    for(spec) {
      const url = addressOf(spec)
      if (!spec.credential || url === undefined) return undefined
      specs.set(spec.id, spec)
      const key = fingerprint([spec.id, url, spec.credential])
      const credential = made.get(key) ?? create(spec, url)
      if (credential) made.set(key, credential)
      return credential
    },
    pages,
    async signIn(spec, subject) {
      const { credential } = spec
      const isLogin = credential?.kind === 'id_jag' && credential.subjectTokenType === 'id_token'
      if (!isLogin && credential?.kind !== 'authorization_code') {
        throw unavailable(`users do not sign in at the backend "${spec.id}"`)
      }
      const owner = { subject, person: personOf(subject) }
      const aim = isLogin ? 'login' : 'backend'
      const consent = consents.ask({ ...owner, backend: spec, aim, scopes: [] })
      return { url: urlOf(consent), settled: consent.settled }
    },
    async accounts() {
      const { tokens, logins } = await store.read()
      return [...Object.values(tokens), ...Object.values(logins)].map(accountOf)
    },
    signOut(backend, subject) {
      const id = typeof backend === 'string' ? backend : backend.id
      return signOut(typeof backend === 'string' ? specs.get(id) : backend, id, subject, { store, fetch })
    },
    close() {
      closing.abort()
      consents.close()
      store.close()
    },
  }
}

function storeOf({ store, sealingKeys }: OutboundSettings): Store {
  if (store.provider === 'memory') return createMemoryStore()
  return createFileStore(store.path, createVaultKeys(sealingKeys, store.keyFile))
}

function personOf(subject: string): Owner['person'] {
  if (subject === LOCAL) return { kind: 'local' }
  const [issuer, name] = parsed(subject)
  if (typeof issuer === 'string' && typeof name === 'string') return { kind: 'user', issuer, subject: name }
  throw unavailable('the subject is neither "local" nor the key of a principal')
}

/** The key of a principal is a list of JSON: issuer, subject, client. */
function parsed(key: string): readonly unknown[] {
  try {
    const value = JSON.parse(key) as unknown
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

function loginsOf(
  { incomingAuth, publicUrl }: OutboundSettings,
  { environment }: OutboundDeps,
  fetch: GuardedFetch,
  now: () => number,
  signal: AbortSignal,
): ReadonlyMap<string, Login> {
  const settings = {
    name: '',
    incomingAuth: { ...incomingAuth, explicit: true },
    ...(publicUrl !== undefined && { publicUrl }),
  }
  return new Map(
    readIssuers(settings, environment).flatMap((issuer) => {
      const login = createLogin(issuer, { fetch, now, signal })
      return login ? [[issuer.name, login]] : []
    }),
  )
}
