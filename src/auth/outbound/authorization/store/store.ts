import type { Secret } from '../../../../model/secret.ts'

/** A user's tokens at one authorization server for one resource. */
export interface StoredToken {
  /** Id of the backend, for people. */
  readonly backend: string
  /** Address of the backend: where the token is shown. */
  readonly url: string
  /** Key of the principal, or `local`. */
  readonly subject: string
  readonly issuer: string
  readonly resource: string
  /** The client that the tokens were issued to. */
  readonly client: StoredClient
  readonly access: Secret
  readonly refresh?: Secret
  /** Milliseconds since the epoch. */
  readonly obtainedAt: number
  /** Absent: the server did not say. */
  readonly expiresAt?: number
  readonly scopes: readonly string[]
}

/** The gateway as an authorization server knows it; of a configured client without what the configuration holds. */
export interface StoredClient {
  readonly id: string
  readonly origin: 'configured' | 'document' | 'registered'
  readonly secret?: Secret
  /** The only way in which it shows who it is. */
  readonly method?: string
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number
}

/** A user's sign-in at an issuer of inbound tokens, for one backend. */
export interface StoredLogin {
  readonly backend: string
  readonly subject: string
  readonly issuer: string
  readonly idToken: Secret
  readonly refresh?: Secret
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Everything that is kept, by the keys below. Never changed in place. */
export interface State {
  readonly tokens: Readonly<Record<string, StoredToken>>
  readonly clients: Readonly<Record<string, StoredClient>>
  readonly logins: Readonly<Record<string, StoredLogin>>
}

export const EMPTY: State = { tokens: {}, clients: {}, logins: {} }

/** What is kept, shared with other processes where it lies in a file. */
export interface Store {
  /** As it is now. Throws `CREDENTIAL_UNAVAILABLE` when it cannot be read. */
  read(): Promise<State>
  /** One change at a time, of all processes; written when the promise resolves. */
  update(change: (state: State) => State): Promise<void>
  /** Runs while nobody else, in any process, works under this name. */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T>
  /** Calls the listener when the state has become another one, whoever changed it, until the returned function is called. */
  subscribe(listener: (state: State, before: State) => void): () => void
  close(): void
}

// Lists of JSON cannot be confused, whatever characters their members have.
export const tokenKey = ({ issuer, resource, subject }: Pick<StoredToken, 'issuer' | 'resource' | 'subject'>): string =>
  JSON.stringify([issuer, resource, subject])
export const clientKey = (issuer: string, redirectUri: string): string => JSON.stringify([issuer, redirectUri])
export const loginKey = ({ issuer, subject, backend }: Pick<StoredLogin, 'issuer' | 'subject' | 'backend'>): string =>
  JSON.stringify([issuer, subject, backend])

/** The same token may have been read from a file twice. */
export const isSameToken = (a: Pick<StoredToken, 'access'>, b: Pick<StoredToken, 'access'> | undefined): boolean =>
  a.access.reveal() === b?.access.reveal()

export const withToken = (state: State, token: StoredToken): State => ({
  ...state,
  tokens: { ...state.tokens, [tokenKey(token)]: token },
})

/** Every port of the command line's own page is a client: those of old ones are not used again. */
const MAX_CLIENTS = 500

export const withClient = (state: State, key: string, client: StoredClient): State => ({
  ...state,
  clients: Object.fromEntries([...Object.entries(state.clients), [key, client] as const].slice(-MAX_CLIENTS)),
})

export const withLogin = (state: State, login: StoredLogin): State => ({
  ...state,
  logins: { ...state.logins, [loginKey(login)]: login },
})

/** `matches`: of the state as it is then, so that what was replaced meanwhile stays. */
export const withoutTokens = (state: State, matches: (token: StoredToken) => boolean): State => ({
  ...state,
  tokens: kept(state.tokens, (token) => !matches(token)),
})

export const withoutClient = (state: State, issuer: string, id: string): State => ({
  ...state,
  clients: kept(state.clients, (client, key) => client.id !== id || (JSON.parse(key) as unknown[])[0] !== issuer),
})

export const withoutLogins = (state: State, matches: (login: StoredLogin) => boolean): State => ({
  ...state,
  logins: kept(state.logins, (login) => !matches(login)),
})

const kept = <T>(
  record: Readonly<Record<string, T>>,
  keeps: (value: T, key: string) => boolean,
): Readonly<Record<string, T>> => Object.fromEntries(Object.entries(record).filter(([key, value]) => keeps(value, key)))
