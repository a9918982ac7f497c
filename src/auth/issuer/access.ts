import type { Issuer } from '../../model/issuer.ts'
import type { GuardedFetch } from '../net/guarded-fetch.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import { type IssuerDocuments, issuerDocuments } from './documents.ts'
import { createKeySource, type IssuerNote, type KeySource } from './key-source.ts'

/** What an issuer publishes: for those who check its tokens, and for those who sign in there. */
export interface IssuerAccess {
  readonly issuer: Issuer
  readonly documents: IssuerDocuments
  readonly discovery: Discovery
  readonly keySource: KeySource
}

export interface AccessParts {
  fetch: GuardedFetch
  signal: AbortSignal
  now: () => number
  tell: (note: IssuerNote) => void
}

/** Contacts nobody by itself. */
export function issuerAccess(issuer: Issuer, { fetch, signal, now, tell }: AccessParts): IssuerAccess {
  const documents = issuerDocuments(issuer, fetch, signal)
  const discovery = createDiscovery(issuer.name, documents, now)
  return { issuer, documents, discovery, keySource: createKeySource({ issuer, documents, discovery, now, tell }) }
}
