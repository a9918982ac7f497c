import type { BackendSpec } from '../../model/backend.ts'
import { ConsentNeeded, type Credential, signInOf } from '../../model/credential.ts'
import type { BackendId } from '../../model/ids.ts'
import { identityOf, type Principal } from '../../model/principal.ts'
import type { IncomingAuth, SealingKey } from '../../model/settings.ts'
import { type GuardedFetch, guardedFetch } from '../net/guarded-fetch.ts'
import { WRITTEN } from '../net/reach.ts'
import { type Account, accountOf, signOut } from './authorization/accounts.ts'
import { createAuthorizationCode, type Owner } from './authorization/authorization-code.ts'
import { type Consent, createConsents, type Ending } from './authorization/browser/consents.ts'
import { createFlows } from './authorization/browser/flow.ts'
import { CALLBACK, CLIENT_METADATA, CONNECT, type ConnectPages, createPages } from './authorization/browser/pages.ts'
import { createSignIn } from './authorization/browser/sign-in.ts'
import { createIdTokens } from './authorization/login/id-tokens.ts'
import { createLogin, type LoginParts, type Logins } from './authorization/login/login.ts'
import type { Challenge } from './authorization/server/challenge.ts'
import { discover } from './authorization/server/discovery.ts'
import type { ClientPlace } from './authorization/server/registration.ts'
import { addressOf, targetOf } from './authorization/server/target.ts'
import { createFileStore } from './authorization/store/file-store.ts'
import { createMemoryStore } from './authorization/store/memory-store.ts'
import type { Store } from './authorization/store/store.ts'
import { createVaultKeys } from './authorization/store/vault-keys.ts'
import { unavailable } from './authorization/unavailable.ts'
import { type ClientCredentialsSpec, createClientCredentials, type FoundEndpoint } from './client-credentials.ts'
import { discoveredEndpoint } from './discovered-endpoint.ts'
import { createIdJag } from './id-jag.ts'
import { createSharedCredentials, type ShownSpec } from './shared-credentials.ts'
import { createTokenEndpoints } from './token-endpoints.ts'
import { createTokenExchange } from './token-exchange.ts'

export type { Ending } from './authorization/browser/consents.ts'
export type { ConnectPages } from './authorization/browser/pages.ts'
export { StoreFault } from './authorization/store/store-fault.ts'

export interface OutboundSettings {
  incomingAuth: Pick<IncomingAuth, 'type' | 'issuers'>
  publicUrl?: string | undefined
  store: { provider: 'memory' } | { provider: 'file'; path: string; keyFile: string }
  /** The first seals the file, all open it. Empty: the key of `keyFile` does, which is made at first use. */
  sealingKeys: readonly SealingKey[]
}

export interface OutboundDeps {
  /** Where the pages stand: `https://mcp.example`. Asked when it is needed; `undefined`: nobody serves them. */
  baseUrl: () => string | undefined
  fetch?: GuardedFetch
  /** Milliseconds since the epoch. */
  now?: () => number
  tell?: (note: OutboundNote) => void
}

/**
 * Told when a user has to sign in, what keeps him from it for now, how that ended, when tokens of a user who signs out could not be revoked, and why what
 * is kept cannot be used.
 */
export type OutboundNote =
  | { kind: 'sign-in-needed'; backend: string; subject: string }
  | { kind: 'sign-in-failing'; backend: string; subject: string; why: string }
  | ({ kind: 'sign-in-ended'; backend: string; subject: string } & Ending)
  | { kind: 'revocation-failed'; backend: string; subject: string; why: string }
  | { kind: 'store-failed'; why: string; file: string; remedy: string }

/** What backends are shown. */
export interface Credentials {
  /** `undefined`: nothing beside its fixed headers. Equal specs share one; everybody closes what he got. */
  for(spec: BackendSpec): Credential | undefined
  readonly pages: ConnectPages
  /**
   * For the command line. `subject`: key of a principal, or `local`. Throws for backends at which nobody signs in, and
   * `StoreFault` when the result could not be kept.
   */
  signIn(spec: BackendSpec, subject: string): Promise<{ url: string; settled: Promise<Ending> }>
  /** Who is signed in where. Throws `StoreFault`. */
  accounts(): Promise<readonly Account[]>
  /**
   * Forgets a user's tokens for a backend, and has them revoked where possible: where that takes a configured client or
   * private addresses, the spec must be given, or in use (`for`). Whether there were any. Throws `StoreFault`.
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
  const store = storeOf(settings, tell)
  const endpoints = createTokenEndpoints({ fetch, now })
  const logins = loginsOf(settings, { fetch, now, signal: closing.signal, endpoints })
  const consents = createConsents(now)
  const flows = createFlows(consents.isPending)
  const challenges = new Map<BackendId, Challenge>()
  const shared = createSharedCredentials(create, (id) => challenges.delete(id))

  function base(): string {
    const url = deps.baseUrl()
    if (url === undefined) throw unavailable('users cannot sign in: this command serves no page for that')
    return url.replace(/\/+$/u, '')
  }

  function place(): ClientPlace {
    const isPublic = publicUrl?.startsWith('https:') === true && base().startsWith('https:')
    return { redirectUri: `${base()}${CALLBACK}`, metadataUrl: isPublic ? `${base()}${CLIENT_METADATA}` : undefined }
  }

  const signIn = createSignIn({ store, flows, fetch, now, endpoints, place, logins, challenges })
  const failing = ({ backend, subject }: Consent, why: string) =>
    tell({ kind: 'sign-in-failing', backend: backend.id, subject, why })
  const pages = createPages({ consents, flows, signIn, place, failing })
  const told = new WeakSet<Consent['settled']>()

  function urlOf(consent: Consent): string {
    const { person, ticket, backend, subject, settled } = consent
    if (person.kind === 'user' && !logins.has(person.issuer)) {
      const why = `nobody can sign in to the backend "${backend.id}": incomingAuth.oidc needs a clientId for that`
      consents.end(consent, { outcome: 'refused', why })
      throw unavailable(why)
    }
    if (!told.has(settled)) {
      told.add(settled)
      tell({ kind: 'sign-in-needed', backend: backend.id, subject })
      void settled.then((ending) => tell({ kind: 'sign-in-ended', backend: backend.id, subject, ...ending }))
    }
    return `${base()}${CONNECT}?ticket=${ticket.reveal()}`
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

  const parts = { store, fetch, now, endpoints, consents, challenges, ownerOf, consentNeeded, perCaller: hasUsers }
  const idTokens = createIdTokens({ ...parts, logins })

  function create(spec: ShownSpec): Credential {
    const { credential } = spec
    switch (credential.kind) {
      case 'client_credentials':
        return createClientCredentials(credential, { find: () => endpointFor(spec, credential), now })
      case 'token_exchange':
        return createTokenExchange(credential, { endpoints, now })
      case 'id_jag':
        return createIdJag(credential, {
          endpoints,
          now,
          idTokenOf: (principal) => idTokens.of(principal, spec),
          subscribe: idTokens.subscribe,
        })
      case 'authorization_code':
        return createAuthorizationCode(spec, parts)
    }
  }

  async function endpointFor(spec: BackendSpec, { tokenUrl, client }: ClientCredentialsSpec): Promise<FoundEndpoint> {
    if (tokenUrl !== undefined) {
      return { endpoint: endpoints({ url: tokenUrl, reach: WRITTEN, client }), resource: undefined }
    }
    const target = targetOf(spec)
    return discoveredEndpoint(client, target.trust, () => discover(target, challenges.get(spec.id), fetch), endpoints)
  }

  return {
    for(spec) {
      const { credential } = spec
      const url = addressOf(spec)
      return credential && url !== undefined ? shared.use({ ...spec, credential }, url) : undefined
    },
    pages,
    async signIn(spec, subject) {
      const { credential } = spec
      const where = credential && signInOf(credential)
      if (!where) throw unavailable(`users do not sign in at the backend "${spec.id}"`)
      const owner = { subject, person: personOf(subject) }
      // Nobody should sign in for a result that cannot be kept.
      await store.read()
      const aim = where === 'issuer' ? 'login' : 'backend'
      const consent = consents.ask({ ...owner, backend: spec, aim, scopes: [] })
      return { url: urlOf(consent), settled: consent.settled }
    },
    async accounts() {
      const { tokens, logins } = await store.read()
      return [...Object.values(tokens), ...Object.values(logins)].map(accountOf)
    },
    signOut(backend, subject) {
      const [id, spec] = typeof backend === 'string' ? [backend, shared.specOf(backend)] : [backend.id, backend]
      const failed = (why: string) => tell({ kind: 'revocation-failed', backend: id, subject, why })
      return signOut(spec, id, subject, { store, fetch, now, failed })
    },
    close() {
      closing.abort()
      shared.close()
      consents.close()
      store.close()
    },
  }
}

function storeOf({ store, sealingKeys }: OutboundSettings, tell: (note: OutboundNote) => void): Store {
  if (store.provider === 'memory') return createMemoryStore()
  return createFileStore(store.path, createVaultKeys(sealingKeys, store.keyFile), ({ message, file, remedy }) =>
    tell({ kind: 'store-failed', why: message, file, remedy }),
  )
}

function personOf(subject: string): Owner['person'] {
  if (subject === LOCAL) return { kind: 'local' }
  const identity = identityOf(subject)
  if (identity) return { kind: 'user', issuer: identity.issuer, subject: identity.subject }
  throw unavailable('the subject is neither "local" nor the key of a principal')
}

/** By issuer of inbound tokens. */
function loginsOf({ incomingAuth }: OutboundSettings, parts: LoginParts): Logins {
  if (incomingAuth.type !== 'oidc') return new Map()
  return new Map(
    incomingAuth.issuers.flatMap((issuer) => {
      const login = createLogin(issuer, parts)
      return login ? [[issuer.name, login]] : []
    }),
  )
}
