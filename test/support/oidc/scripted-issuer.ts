import { FetchRefused, type GuardedFetch, type GuardedOptions } from '../../../src/auth/net/guarded-fetch.ts'
import type { SigningKey } from './signing.ts'

/** An issuer without sockets, for tests that set the clock and count what is asked. */
export interface ScriptedIssuer {
  name: string
  /** What it publishes; may be changed at any time. */
  keys: unknown[]
  document: Record<string, unknown>
  /** Answers by token; others are inactive. */
  introspections: Map<string, object>
  /** It answers nothing. */
  down: boolean
  /** Addresses that were asked, in order. */
  asked: string[]
  /** What came with the last request. */
  last: GuardedOptions | undefined
  fetch: GuardedFetch
}

export function scriptedIssuer(name: string, ...keys: SigningKey[]): ScriptedIssuer {
  const base = name.replace(/\/$/u, '')
  const issuer: ScriptedIssuer = {
    name,
    keys: keys.map(({ publicJwk }) => publicJwk),
    document: { issuer: name, jwks_uri: `${base}/jwks`, introspection_endpoint: `${base}/introspect` },
    introspections: new Map(),
    down: false,
    asked: [],
    last: undefined,
    async fetch(url, options = {}) {
      issuer.asked.push(url)
      issuer.last = options
      await new Promise((done) => setTimeout(done, 1))
      if (issuer.down) throw new FetchRefused('unreachable', `${name} cannot be reached: ECONNREFUSED`)
      const answer = answerTo(issuer, url.slice(base.length), options)
      return { status: answer ? 200 : 404, headers: {}, text: JSON.stringify(answer ?? {}) }
    },
  }
  return issuer
}

function answerTo(issuer: ScriptedIssuer, path: string, { body = '' }: GuardedOptions): object | undefined {
  switch (path) {
    case '/.well-known/openid-configuration':
      return issuer.document
    case '/jwks':
      return { keys: issuer.keys }
    case '/introspect':
      return issuer.introspections.get(new URLSearchParams(body).get('token') ?? '') ?? { active: false }
    default:
      return undefined
  }
}

/** The fetcher that finds each of these issuers by the beginning of an address, and leaves others to `elsewhere`. */
export const fetchFrom =
  (issuers: readonly ScriptedIssuer[], elsewhere?: GuardedFetch): GuardedFetch =>
  (url, options) => {
    const issuer = issuers.find(({ name }) => url.startsWith(name))
    if (issuer) return issuer.fetch(url, options)
    if (elsewhere) return elsewhere(url, options)
    throw new FetchRefused('unreachable', 'no such issuer')
  }
