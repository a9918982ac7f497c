import type { Issuer } from '../../model/issuer.ts'
import { FetchRefused } from '../net/guarded-fetch.ts'
import type { Discovery } from './discovery.ts'
import type { IssuerDocuments } from './documents.ts'
import { type Key, readKeySet } from './keys.ts'
import { unreachable } from './unreachable.ts'

/** The keys of one issuer, kept current. */
export interface KeySource {
  /** Throws `ISSUER_UNREACHABLE` when there are none. */
  keys(): Promise<readonly Key[]>
  /**
   * The keys after one that is needed was not among them: asked for again, unless that has happened since `since`
   * or within 10 s. An issuer that does not answer leaves the keys as they are.
   */
  askAgain(since: number): Promise<readonly Key[]>
  /** Asks again in the background when the keys are old, so that a withdrawn key is noticed. */
  touch(): void
}

/** Told when an issuer stops or begins to answer. */
export type IssuerNote =
  | { kind: 'issuer-failing'; issuer: string; why: string }
  | { kind: 'issuer-ready'; issuer: string; keys: number }

/** Ages of a key set: older, it is renewed in the background, renewed before it is used, and used no more. */
const FRESH_MS = 300_000
const USABLE_MS = 3_600_000
const LAST_MS = 86_400_000
/** Between two requests that unknown keys cause: anybody can invent a `kid`. */
const MISS_INTERVAL_MS = 10_000
const BACKOFF_MS = { first: 1000, last: 30_000 }

export interface KeySourceParts {
  issuer: Issuer
  documents: IssuerDocuments
  discovery: Discovery
  now: () => number
  tell: (note: IssuerNote) => void
}

export function createKeySource({ issuer, documents, discovery, now, tell }: KeySourceParts): KeySource {
  let known: readonly Key[] | undefined
  let fetchedAt = -Infinity
  let missedAt = -Infinity
  let retryAt = -Infinity
  let failures = 0
  let why = 'no attempt yet'
  let pending: Promise<void> | undefined

  /** Never rejects; one at a time. */
  function load(): Promise<void> {
    pending ??= fetchKeys()
      .then(succeeded, failed)
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  async function fetchKeys(): Promise<readonly Key[]> {
    const url = issuer.jwksUrl ?? (await discovery.document())['jwks_uri']
    if (typeof url !== 'string') throw new FetchRefused('answer', 'the discovery document names no key set')
    const keys = readKeySet(await documents.read(url, 'the key set'), known ?? [])
    if (!keys) throw new FetchRefused('answer', 'the key set has no list of keys')
    return keys
  }

  function succeeded(keys: readonly Key[]): void {
    if (known === undefined || failures > 0) tell({ kind: 'issuer-ready', issuer: issuer.name, keys: keys.length })
    known = keys
    fetchedAt = now()
    failures = 0
    retryAt = -Infinity
  }

  function failed(error: unknown): void {
    why = error instanceof FetchRefused ? error.message : 'the answer cannot be used'
    retryAt = now() + Math.min(BACKOFF_MS.first * 2 ** failures, BACKOFF_MS.last)
    if (failures++ === 0) tell({ kind: 'issuer-failing', issuer: issuer.name, why })
    discovery.forget()
  }

  const mayAsk = () => pending !== undefined || now() >= retryAt

  function touch(): void {
    if (now() - fetchedAt > FRESH_MS && pending === undefined && mayAsk()) void load()
  }

  return {
    async keys() {
      if (now() - fetchedAt > USABLE_MS && mayAsk()) await load()
      else touch()
      if (known && now() - fetchedAt <= LAST_MS) return known
      throw unreachable(`${issuer.name}: ${why}`)
    },
    async askAgain(since) {
      const due = now() - missedAt >= MISS_INTERVAL_MS && fetchedAt < since && mayAsk()
      if (due && !pending) missedAt = now()
      if (due || pending) await load()
      return known ?? []
    },
    touch,
  }
}
