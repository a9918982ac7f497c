import { ConsentNeeded } from '../../model/credential.ts'
import type { Token } from './token-answer.ts'

/** A token that was just obtained. */
export interface Obtained {
  token: Token
  /** Milliseconds since the epoch; later it may not be shown even if it is still valid. */
  notAfter?: number | undefined
}

export interface KeepingParts<Subject> {
  /** For one subject; the key stands for everything that the token depends on. */
  obtain: (subject: Subject) => Promise<Obtained>
  now?: () => number
  /** Default: 10,000. */
  max?: number
}

/** The headers that show tokens, by key. */
export interface KeptTokens<Subject> {
  /** At once while a token is fresh; else that of a single request, whoever waits for it. */
  headers(key: string, subject: Subject): readonly string[] | Promise<readonly string[]>
  /** The token that was shown has been refused: drops it. Whether there is another one now. */
  replace(key: string, subject: Subject, shown: readonly string[]): Promise<boolean>
  forget(matches: (key: string) => boolean): void
}

interface Entry {
  headers: readonly string[] | undefined
  /** When a new one is asked for beside the call. */
  refreshAt: number
  until: number
  pending: Promise<readonly string[]> | undefined
  failure: Error | undefined
  failedAt: number
  replacedAt: number
}

const MAX_TOKENS = 10_000
/** Part of its life after which a token is replaced ahead of time. */
const FRESH = 0.8
/** A token is not shown shortly before its end, when it could expire on its way. */
const MARGIN = { part: 0.1, maxMs: 10_000 }
/** An endpoint that fails, and a backend that refuses everything, cause one request in this time and key. */
const PAUSE_MS = 1000

const NEVER = Number.NEGATIVE_INFINITY

/** Keeps what is shown, and renews it ahead of time. Beyond `max` the oldest goes. */
export function createKeptTokens<Subject>(parts: KeepingParts<Subject>): KeptTokens<Subject> {
  const { obtain, now = Date.now, max = MAX_TOKENS } = parts
  const entries = new Map<string, Entry>()

  function slot(key: string): Entry {
    const known = entries.get(key)
    if (known) return known
    const oldest = entries.size >= max ? entries.keys().next().value : undefined
    if (oldest !== undefined) entries.delete(oldest)
    const entry: Entry = { ...EMPTY }
    entries.set(key, entry)
    return entry
  }

  /** Joins the request that is under way, or begins one. */
  function request(key: string, subject: Subject): Promise<readonly string[]> {
    const entry = slot(key)
    if (entry.pending) return entry.pending
    if (entry.failure && now() < entry.failedAt + PAUSE_MS) return Promise.reject(entry.failure)
    entry.pending = renew(key, entry, subject).finally(() => (entry.pending = undefined))
    return entry.pending
  }

  async function renew(key: string, entry: Entry, subject: Subject): Promise<readonly string[]> {
    try {
      const headers = keep(entry, await obtain(subject))
      entry.failure = undefined
      // Now it is the youngest. An entry that has given way stays away.
      if (entries.get(key) === entry && entries.delete(key)) entries.set(key, entry)
      return headers
    } catch (error) {
      // A person may sign in at any moment.
      entry.failure = error instanceof ConsentNeeded ? undefined : (error as Error)
      entry.failedAt = now()
      throw error
    }
  }

  function keep(entry: Entry, { token, notAfter = Infinity }: Obtained): readonly string[] {
    const headers = Object.freeze(['authorization', `Bearer ${token.value.reveal()}`])
    const time = now()
    const life = (token.expiresAt ?? Infinity) - time
    entry.headers = headers
    entry.refreshAt = time + life * FRESH
    entry.until = Math.min(time + life - Math.min(life * MARGIN.part, MARGIN.maxMs), notAfter)
    return headers
  }

  return {
    headers(key, subject) {
      const entry = entries.get(key)
      if (entry?.headers === undefined) return request(key, subject)
      const time = now()
      if (time >= entry.until) return request(key, subject)
      // The call goes on with what is still good; what fails here is tried again.
      if (time >= entry.refreshAt && !entry.pending) request(key, subject).catch(() => {})
      return entry.headers
    },
    async replace(key, subject, shown) {
      const entry = slot(key)
      const isShown = entry.headers === undefined || isSame(entry.headers, shown)
      if (!isShown) return true
      if (!entry.pending) {
        if (now() < entry.replacedAt + PAUSE_MS) return false
        entry.replacedAt = now()
      }
      entry.headers = undefined
      return !isSame(await request(key, subject), shown)
    },
    forget(matches) {
      for (const key of entries.keys()) if (matches(key)) entries.delete(key)
    },
  }
}

const EMPTY: Entry = {
  headers: undefined,
  refreshAt: 0,
  until: 0,
  pending: undefined,
  failure: undefined,
  failedAt: NEVER,
  replacedAt: NEVER,
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, place) => text === b[place])
