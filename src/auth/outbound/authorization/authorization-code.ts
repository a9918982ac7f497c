import type { BackendSpec } from '../../../model/backend.ts'
import { ConsentNeeded, type Credential, type Refused } from '../../../model/credential.ts'
import type { BackendId } from '../../../model/ids.ts'
import type { Principal } from '../../../model/principal.ts'
import { bearerChallenge, type Challenge } from './challenge.ts'
import type { Consent, Consents, Person } from './consents.ts'
import { createListeners } from './listeners.ts'
import { type RenewParts, renew } from './renew.ts'
import { union } from './scopes.ts'
import { type State, type StoredToken, withoutTokens } from './store.ts'
import { codeSpec, targetOf } from './target.ts'

/** Whose tokens are meant, and who has to sign in for them. */
export interface Owner {
  readonly subject: string
  readonly person: Person
}

export interface AuthorizationCodeParts extends RenewParts {
  readonly consents: Consents
  /** Challenges of backends, remembered for the way to their authorization servers. */
  readonly challenges: Map<BackendId, Challenge>
  readonly perCaller: boolean
  /** `undefined`: has no tokens and cannot get any. */
  readonly ownerOf: (principal: Principal) => Owner | undefined
  /** Throws `CREDENTIAL_UNAVAILABLE` when nobody could sign in there. */
  readonly consentNeeded: (consent: Consent) => ConsentNeeded
}

/** What is shown for one owner, in memory. */
interface Shown {
  readonly token: StoredToken
  readonly headers: readonly string[]
  /** When a new one is asked for beside the call. */
  refreshAt: number
  readonly until: number
}

const FRESH = 0.8
/** A token is not shown shortly before its end, when it could expire on its way. */
const MARGIN = { part: 0.1, maxMs: 10_000 }
const RETRY_MS = 10_000
/** An authorization server that fails is asked once in this time for each owner. */
const PAUSE_MS = 1000
/** A fresh token that is refused within this time is not worth another one. */
const DOUBT_MS = 60_000
const MAX_OWNERS = 10_000
const MAX_STEPS = 2

const NOTHING: readonly string[] = []

/** Tokens of users who have signed in at the backend's authorization server themselves. */
export function createAuthorizationCode(backend: BackendSpec, parts: AuthorizationCodeParts): Credential {
  const { store, consents, now, ownerOf } = parts
  const { client } = codeSpec(backend)
  const { url, issuer } = targetOf(backend)
  const shown = new Map<string, Shown>()
  const pending = new Map<string, Promise<readonly string[]>>()
  const failures = new Map<string, { error: Error; until: number }>()
  /** Tokens that replaced a refused one. */
  const doubtful = new Map<string, { access: string; until: number }>()
  const steps = new Map<string, Consent[]>()
  const listeners = createListeners<[string | undefined]>()

  /** The owner's token in a state of the store, if it is one that this backend may be shown. */
  function tokenIn(state: State, subject: string): StoredToken | undefined {
    return Object.values(state.tokens)
      .filter((token) => token.subject === subject && isOurs(token))
      .sort(
        (a, b) => Number(b.backend === backend.id) - Number(a.backend === backend.id) || b.obtainedAt - a.obtainedAt,
      )[0]
  }

  const isOurs = (token: StoredToken): boolean =>
    token.url === url &&
    (issuer === undefined || token.issuer === issuer) &&
    (client ? token.client.id === client.id : token.client.origin !== 'configured')

  function keep(subject: string, token: StoredToken): Shown {
    const { expiresAt = Infinity, obtainedAt, access, refresh } = token
    const life = expiresAt - obtainedAt
    const entry = {
      token,
      headers: Object.freeze(['authorization', `Bearer ${access}`]),
      refreshAt: refresh === undefined ? Infinity : obtainedAt + life * FRESH,
      until: expiresAt - Math.min(life * MARGIN.part, MARGIN.maxMs),
    }
    remember(shown, subject, entry)
    return entry
  }

  function needed(owner: Owner, scopes: readonly string[] = []): ConsentNeeded {
    return parts.consentNeeded(consents.ask({ ...owner, backend, aim: 'backend', scopes }))
  }

  /** One at a time for each owner, whoever waits for it. */
  function once(owner: Owner, work: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const { subject } = owner
    const running = pending.get(subject)
    if (running) return running
    const failure = failures.get(subject)
    failures.delete(subject)
    if (failure && failure.until > now()) {
      failures.set(subject, failure)
      return Promise.reject(failure.error)
    }
    const mine = work()
      .catch((error: Error) => {
        // A person may sign in at any moment.
        if (!(error instanceof ConsentNeeded)) remember(failures, subject, { error, until: now() + PAUSE_MS })
        throw error
      })
      .finally(() => pending.delete(subject))
    pending.set(subject, mine)
    return mine
  }

  async function obtain(owner: Owner): Promise<readonly string[]> {
    const token = tokenIn(await store.read(), owner.subject)
    if (!token) throw needed(owner)
    const entry = keep(owner.subject, token)
    return entry.until > now() ? entry.headers : replace(owner, token)
  }

  async function replace(owner: Owner, token: StoredToken): Promise<readonly string[]> {
    const next = await renew(backend, token, parts)
    shown.delete(owner.subject)
    if (!next) throw needed(owner)
    return keep(owner.subject, next).headers
  }

  /** The call goes on with what is still good; what fails here is tried again. */
  function refreshAhead(owner: Owner, entry: Shown): void {
    entry.refreshAt = now() + RETRY_MS
    once(owner, () => replace(owner, entry.token)).catch(() => {})
  }

  async function unauthorized(owner: Owner, { shown: headers }: Refused): Promise<boolean> {
    const { subject } = owner
    await pending.get(subject)?.catch(() => {})
    const token = tokenIn(await store.read(), subject)
    if (!token) throw needed(owner)
    if (!headers.includes(`Bearer ${token.access}`)) return true
    const doubt = doubtful.get(subject)
    doubtful.delete(subject)
    if (doubt?.access === token.access && doubt.until > now()) {
      await store.update((state) => withoutTokens(state, (other) => other.access === token.access && isOurs(other)))
      shown.delete(subject)
      throw needed(owner)
    }
    await once(owner, () => replace(owner, token))
    const next = shown.get(subject)?.token
    if (next) remember(doubtful, subject, { access: next.access, until: now() + DOUBT_MS })
    return true
  }

  /** The union of what is there and what is missing (MCP, "Step-Up Authorization Flow"), a few times in a row. */
  async function forbidden(owner: Owner, challenge: Challenge | undefined): Promise<boolean> {
    const { subject } = owner
    if (challenge?.error !== 'insufficient_scope' || challenge.scopes.length === 0) return false
    const recent = (steps.get(subject) ?? []).filter(({ expiresAt }) => expiresAt > now())
    const last = recent.at(-1)
    if (recent.length >= MAX_STEPS && !(last && consents.isPending(last))) return false
    const scopes = union(tokenIn(await store.read(), subject)?.scopes ?? [], challenge.scopes)
    const consent = consents.ask({ ...owner, backend, aim: 'backend', scopes })
    remember(steps, subject, recent.includes(consent) ? recent : [...recent, consent])
    throw parts.consentNeeded(consent)
  }

  store.subscribe((state, before) => {
    const subjects = new Set(
      [...Object.values(state.tokens), ...Object.values(before.tokens)].map((one) => one.subject),
    )
    for (const subject of subjects) {
      const [is, was] = [tokenIn(state, subject), tokenIn(before, subject)]
      if (is?.access === was?.access) continue
      if (shown.get(subject)?.token.access !== is?.access) shown.delete(subject)
      // A refreshed token shows what the old one showed.
      if (is?.scopes.join(' ') !== was?.scopes.join(' ')) listeners.call(parts.perCaller ? subject : undefined)
    }
  })

  return {
    perCaller: parts.perCaller,
    headers(principal) {
      const owner = ownerOf(principal)
      if (!owner) return NOTHING
      const entry = shown.get(owner.subject)
      const time = now()
      if (!entry || entry.until <= time) return once(owner, () => obtain(owner))
      if (entry.refreshAt <= time) refreshAhead(owner, entry)
      return entry.headers
    },
    async refused(principal, answer) {
      const challenge = bearerChallenge(answer.challenge)
      if (challenge && answer.status === 401) parts.challenges.set(backend.id, challenge)
      const owner = ownerOf(principal)
      if (!owner) return false
      return answer.status === 401 ? unauthorized(owner, answer) : forbidden(owner, challenge)
    },
    subscribe: listeners.add,
  }
}

/** As the youngest; beyond the bound the oldest goes. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  const oldest = map.size >= MAX_OWNERS ? map.keys().next().value : undefined
  if (oldest !== undefined) map.delete(oldest)
  map.set(key, value)
}
