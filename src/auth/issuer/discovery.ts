import type { JsonObject } from '../../model/json.ts'
import { FetchRefused } from '../net/guarded-fetch.ts'
import type { IssuerDocuments } from './documents.ts'

/** What an issuer says about itself (OpenID Connect Discovery 1.0, RFC 8414). */
export interface Discovery {
  /** It names this issuer; nothing else of it is checked. Kept for an hour. Throws `FetchRefused`. */
  readonly document: () => Promise<JsonObject>
  /** Asks again next time: an address in the document was no good. */
  readonly forget: () => void
}

const KEPT_MS = 3_600_000

export function createDiscovery(issuer: string, documents: IssuerDocuments, now: () => number): Discovery {
  let kept: { promise: Promise<JsonObject>; until: number } | undefined
  return {
    document() {
      if (!kept || kept.until <= now()) {
        const promise = discover(issuer, documents)
        const mine = { promise, until: now() + KEPT_MS }
        promise.catch(() => {
          if (kept === mine) kept = undefined
        })
        kept = mine
      }
      return kept.promise
    },
    forget() {
      kept = undefined
    },
  }
}

async function discover(issuer: string, documents: IssuerDocuments): Promise<JsonObject> {
  let first: unknown
  for (const url of discoveryUrls(issuer)) {
    try {
      return named(await documents.read(url, 'the discovery document'), issuer)
    } catch (error) {
      // The first is the usual one: its failure says more than that of the alternatives.
      first ??= error
      // Who does not answer at all does not answer elsewhere either.
      if (!(error instanceof FetchRefused) || error.reason !== 'answer') break
    }
  }
  throw first
}

/** In this order: OpenID Connect appended, RFC 8414 inserted, OpenID Connect inserted. */
export function discoveryUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/+$/u, '')
  return [
    ...new Set([
      `${origin}${path}/.well-known/openid-configuration`,
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
    ]),
  ]
}

function named(document: JsonObject, issuer: string): JsonObject {
  // Another name: somebody else's document, or a spelling that no token will match.
  if (document['issuer'] === issuer) return document
  throw new FetchRefused('answer', `the discovery document does not name the issuer ${issuer} letter by letter`)
}
