import type { GuardedFetch } from '../net/guarded-fetch.ts'
import { createDiscovery } from './discovery.ts'
import { createIntrospection, type Introspect } from './introspection.ts'
import { issuerDocuments } from './issuer-documents.ts'
import { createKeySource, type IssuerNote, type KeySource } from './key-source.ts'
import type { ChallengeSource } from './refusals.ts'
import type { Issuer } from './settings.ts'

/** An issuer whose tokens are accepted, and the ways to check them. */
export interface Trusted {
  readonly issuer: Issuer
  readonly keySource: KeySource
  /** Absent: this issuer is not asked about opaque tokens. */
  readonly introspect: Introspect | undefined
  /** For answers to tokens of this issuer. */
  readonly challenge: ChallengeSource
}

export interface TrustParts {
  fetch: GuardedFetch
  signal: AbortSignal
  now: () => number
  tell: (note: IssuerNote) => void
}

/** `alone`: it is the only issuer. */
export function trust(issuer: Issuer, challenge: ChallengeSource, alone: boolean, parts: TrustParts): Trusted {
  const { now, tell } = parts
  const documents = issuerDocuments(issuer, parts.fetch, parts.signal)
  const discovery = createDiscovery(issuer.name, documents, now)
  return {
    issuer,
    keySource: createKeySource({ issuer, documents, discovery, now, tell }),
    introspect: createIntrospection(issuer, documents, discovery, alone),
    challenge,
  }
}
