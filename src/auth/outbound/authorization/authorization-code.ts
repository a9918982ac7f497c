import type { BackendSpec } from '../../../model/backend.ts'
import type { ConsentNeeded, Credential, Refused } from '../../../model/credential.ts'
import type { BackendId } from '../../../model/ids.ts'
import type { Principal } from '../../../model/principal.ts'
import type { Secret } from '../../../model/secret.ts'
import { putYoungest } from '../../bounded.ts'
import { createSingleFlight } from '../../concurrency/single-flight.ts'
import { bearer, bearerHeaders, type Lifetime, lifetime, NOTHING } from '../shown.ts'
import type { Consent, Consents, Person } from './browser/consents.ts'
import { createListeners } from './listeners.ts'
import { type RenewParts, renew } from './renew.ts'
import { bearerChallenge, type Challenge } from './server/challenge.ts'
import { union } from './server/scopes.ts'
import { codeSpec, targetOf } from './server/target.ts'
import { EMPTY, isSameToken, type State, type StoredToken, withoutTokens } from './store/store.ts'

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

/** After a failure ahead of time. */
const RETRY_MS = 10_000
/** A fresh token that is refused within this time is not worth another one. */
const DOUBT_MS = 60_000
const MAX_STEPS = 2

/** What is shown for one owner while it is good. */
interface ShownToken extends Lifetime {
  readonly token: StoredToken
  readonly headers: readonly string[]
  refreshAt: number
}

/** Tokens of users who have signed in at the backend's authorization server themselves. */
export function createAuthorizationCode(backend: BackendSpec, parts: AuthorizationCodeParts): Credential {
  const { store, consents, now, ownerOf } = parts
  const { client, ifAsked = false } = codeSpec(backend)
  /** Have nothing to show, and were not asked for anything. */
  const unasked = new Map<string, true>()
  const { url, issuer } = targetOf(backend)
  const shown = new Map<string, ShownToken>()
  const flight = createSingleFlight<readonly string[]>(now)
  /** Tokens that replaced a refused one. */
  const doubtful = new Map<string, { access: Secret; until: number }>()
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

  function show(token: StoredToken): ShownToken {
    const { access, obtainedAt, expiresAt, refresh } = token
    const life = lifetime(obtainedAt, expiresAt)
    const refreshAt = refresh ? life.refreshAt : Infinity
    const entry = { token, headers: bearerHeaders(access), ...life, refreshAt }
    putYoungest(shown, token.subject, entry)
    return entry
  }

  const needed = (owner: Owner): ConsentNeeded =>
    parts.consentNeeded(consents.ask({ ...owner, backend, aim: 'backend', scopes: [] }))

  /** Where no sign-in was asked for, a store that cannot be read holds nothing that is needed. */
  const stateFor = (isAsked: boolean): Promise<State> => (isAsked ? store.read() : store.read().catch(() => EMPTY))

  async function obtain(owner: Owner): Promise<readonly string[]> {
    const token = tokenIn(await stateFor(!ifAsked), owner.subject)
    if (!token && ifAsked) {
      putYoungest(unasked, owner.subject, true)
      return NOTHING
    }
    if (!token) throw needed(owner)
    const entry = show(token)
    return entry.until > now() ? entry.headers : replace(owner, token)
  }

  async function replace(owner: Owner, token: StoredToken): Promise<readonly string[]> {
    const next = await renew(backend, token, parts)
    shown.delete(owner.subject)
    if (!next) throw needed(owner)
    return show(next).headers
  }

  /** The call goes on with what is still good; what fails here is tried again. */
  function refreshAhead(owner: Owner, entry: ShownToken): void {
    entry.refreshAt = now() + RETRY_MS
    flight.run(owner.subject, () => replace(owner, entry.token)).catch(() => {})
  }

  async function unauthorized(owner: Owner, { shown: headers }: Refused, challenge?: Challenge): Promise<boolean> {
    const { subject } = owner
    await flight.pending(subject)?.catch(() => {})
    const isAsked = !ifAsked || challenge?.resourceMetadata !== undefined
    const token = tokenIn(await stateFor(isAsked), subject)
    if (!token && !isAsked) return false
    if (!token) throw needed(owner)
    if (!headers.includes(bearer(token.access))) return true
    const doubt = doubtful.get(subject)
    doubtful.delete(subject)
    if (doubt && isSameToken(token, doubt) && doubt.until > now()) {
      await store.update((state) => withoutTokens(state, (other) => isSameToken(token, other) && isOurs(other)))
      shown.delete(subject)
      throw needed(owner)
    }
    await flight.run(subject, () => replace(owner, token))
    const next = shown.get(subject)?.token
    if (next) putYoungest(doubtful, subject, { access: next.access, until: now() + DOUBT_MS })
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
    putYoungest(steps, subject, [...recent.filter(({ id }) => id !== consent.id), consent])
    throw parts.consentNeeded(consent)
  }

  const leave = store.subscribe((state, before) => {
    for (const subject of changedSubjects(state, before)) {
      unasked.delete(subject)
      const [is, was] = [tokenIn(state, subject), tokenIn(before, subject)]
      const entry = shown.get(subject)
      if (entry && !isSameToken(entry.token, is)) shown.delete(subject)
      // A refreshed token opens what the old one opened.
      if (is?.scopes.join(' ') !== was?.scopes.join(' ')) listeners.call(parts.perCaller ? subject : undefined)
    }
  })

  return {
    perCaller: parts.perCaller,
    headers(principal) {
      const owner = ownerOf(principal)
      if (!owner) return NOTHING
      if (unasked.has(owner.subject)) return NOTHING
      const entry = shown.get(owner.subject)
      const time = now()
      if (!entry || entry.until <= time) return flight.run(owner.subject, () => obtain(owner))
      if (entry.refreshAt <= time) refreshAhead(owner, entry)
      return entry.headers
    },
    async refused(principal, answer) {
      const challenge = bearerChallenge(answer.challenge)
      if (challenge && answer.status === 401) parts.challenges.set(backend.id, challenge)
      const owner = ownerOf(principal)
      if (!owner) return false
      return answer.status === 401 ? unauthorized(owner, answer, challenge) : forbidden(owner, challenge)
    },
    subscribe: listeners.add,
    close: leave,
  }
}

/** Whose tokens are others than before. */
function changedSubjects({ tokens }: State, { tokens: before }: State): ReadonlySet<string> {
  const keys = Object.keys({ ...tokens, ...before }).filter((key) => !isUnchanged(tokens[key], before[key]))
  return new Set(keys.flatMap((key) => (tokens[key] ?? before[key])?.subject ?? []))
}

const isUnchanged = (a: StoredToken | undefined, b: StoredToken | undefined): boolean =>
  a === undefined ? b === undefined : isSameToken(a, b)
