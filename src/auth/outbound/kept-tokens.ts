import { putYoungest } from '../bounded.ts'
import { createSingleFlight } from '../concurrency/single-flight.ts'
import { bearerHeaders, lifetime } from './shown.ts'
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
  now: () => number
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
  refreshAt: number
  until: number
  replacedAt: number
}

const EMPTY: Entry = { headers: undefined, refreshAt: 0, until: 0, replacedAt: Number.NEGATIVE_INFINITY }

const MAX_TOKENS = 10_000
/** A backend that refuses everything causes one request in this time and key. */
const PAUSE_MS = 1000

/** Keeps what is shown, and renews it ahead of time. Beyond `max` the oldest goes. */
export function createKeptTokens<Subject>(parts: KeepingParts<Subject>): KeptTokens<Subject> {
  const { obtain, now, max = MAX_TOKENS } = parts
  const entries = new Map<string, Entry>()
  const flight = createSingleFlight<readonly string[]>(now)

  function entryOf(key: string): Entry {
    const known = entries.get(key)
    if (known) return known
    const entry = { ...EMPTY }
    putYoungest(entries, key, entry, max)
    return entry
  }

  const request = (key: string, subject: Subject): Promise<readonly string[]> =>
    flight.run(key, () => renew(key, entryOf(key), subject))

  async function renew(key: string, entry: Entry, subject: Subject): Promise<readonly string[]> {
    const { token, notAfter = Infinity } = await obtain(subject)
    const headers = bearerHeaders(token.value)
    const { refreshAt, until } = lifetime(now(), token.expiresAt)
    Object.assign(entry, { headers, refreshAt, until: Math.min(until, notAfter) })
    // What was forgotten or has given way meanwhile stays away.
    if (entries.get(key) === entry) putYoungest(entries, key, entry, max)
    return headers
  }

  return {
    headers(key, subject) {
      const entry = entries.get(key)
      if (entry?.headers === undefined) return request(key, subject)
      const time = now()
      if (time >= entry.until) return request(key, subject)
      // The call goes on with what is still good; what fails here is tried again.
      if (time >= entry.refreshAt) request(key, subject).catch(() => {})
      return entry.headers
    },
    async replace(key, subject, shown) {
      const entry = entryOf(key)
      const isShown = entry.headers === undefined || isSame(entry.headers, shown)
      if (!isShown) return true
      if (!flight.pending(key)) {
        if (now() < entry.replacedAt + PAUSE_MS) return false
        entry.replacedAt = now()
      }
      entry.headers = undefined
      return !isSame(await request(key, subject), shown)
    },
    forget(matches) {
      for (const key of [...entries.keys()].filter(matches)) {
        entries.delete(key)
        flight.forget(key)
      }
    },
  }
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, place) => text === b[place])
