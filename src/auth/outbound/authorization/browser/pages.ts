import { GatewayError } from '../../../../model/errors.ts'
import { Secret } from '../../../../model/secret.ts'
import { FetchRefused, type RefusalReason } from '../../../net/guarded-fetch.ts'
import { clientMetadata, type ClientPlace } from '../server/registration.ts'
import { asUnavailable } from '../unavailable.ts'
import { type Consent, type Consents, CONSENT_MS, randomText } from './consents.ts'
import { type Flow, type Flows, isFromServer, isSecret, type Step } from './flow.ts'
import { json, page, type PageAnswer, redirect } from './html.ts'
import type { SignIn } from './sign-in.ts'
import {
  BROKEN,
  connected,
  ELSEWHERE,
  ended,
  failure,
  FOREIGN,
  GONE,
  MISMATCH,
  NOT_FOUND,
  OTHER_BROWSER,
  PREFETCHED,
  refusalBy,
  refused,
  WRONG_METHOD,
  WRONG_USER,
} from './texts.ts'

/** A request of a browser, as far as it counts. */
interface PageRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly cookie: string | undefined
  /** The browser runs on this machine. */
  readonly loopback: boolean
  /** Nobody has opened the page yet: it is fetched in case somebody does. */
  readonly prefetch: boolean
}

/** Where users sign in to backends. */
export interface ConnectPages {
  readonly paths: readonly string[]
  /** Never rejects. */
  answer(request: PageRequest): Promise<PageAnswer>
}

export const CONNECT = '/oauth/connect'
export const CALLBACK = '/oauth/callback'
export const CLIENT_METADATA = '/oauth/client-metadata.json'

export interface PageParts {
  readonly consents: Consents
  readonly flows: Flows
  readonly signIn: SignIn
  readonly place: () => ClientPlace
  /** Told why a sign-in does not get on that may at the next attempt. */
  readonly failing: (consent: Consent, why: string) => void
}

export function createPages({ consents, flows, signIn, place, failing }: PageParts): ConnectPages {
  async function connect({ query, cookie, loopback }: PageRequest): Promise<PageAnswer> {
    const consent = consents.byTicket(query.get('ticket') ?? '')
    if (!consent) return page(410, GONE)
    const shown = cookieOf(cookie, cookieName(consent))
    const isLocal = consent.person.kind === 'local'
    // Whoever shows the page of a local user need not be that user: only this machine is trusted, and one browser.
    if (isLocal && !loopback) return page(403, ELSEWHERE)
    if (isLocal && consent.browser !== undefined && !isSecret(consent.browser, shown)) return page(410, GONE)
    const browser = consent.browser ?? new Secret(randomText())
    if (isLocal) consent.browser = browser
    const headers = { 'set-cookie': setCookie(consent, browser) }
    try {
      return redirect(await (isLocal ? signIn.atBackend : signIn.atIssuer)(consent, browser), headers)
    } catch (error) {
      return failed(consent, error, headers)
    }
  }

  async function callback({ query, cookie }: PageRequest): Promise<PageAnswer> {
    const states = query.getAll('state')
    const flow = states.length === 1 ? flows.find(states[0] ?? '') : undefined
    if (!flow) return page(410, GONE)
    const { consent } = flow
    if (!isSecret(flow.browser, cookieOf(cookie, cookieName(consent)))) return page(403, OTHER_BROWSER)
    flows.end(flow)
    if (!isFromServer(flow, query)) {
      consents.end(consent, { outcome: 'refused', why: FOREIGN })
      return page(400, MISMATCH)
    }
    const code = query.get('code')
    if (query.has('error') || code === null || query.getAll('code').length > 1) {
      const why = refusalBy(consent, query.get('error'))
      consents.end(consent, { outcome: 'refused', why })
      return page(400, refused(why))
    }
    try {
      return told(flow, await flow.finish(code, flow))
    } catch (error) {
      return failed(consent, error)
    }
  }

  function told({ consent }: Flow, step: Step): PageAnswer {
    switch (step.kind) {
      case 'go':
        return redirect(step.url)
      case 'again':
        return redirect(pageUrl(consent))
      case 'wrong-user':
        return page(403, { ...WRONG_USER, link: { text: 'Sign in as the other user', href: pageUrl(consent) } })
      case 'connected':
        consents.end(consent, { outcome: 'connected' })
        return page(200, connected(consent))
    }
  }

  /** Where the next attempt may work, the sign-in stays pending. */
  function failed(consent: Consent, error: unknown, headers: Record<string, string> = {}): PageAnswer {
    const { message: why } = error instanceof GatewayError ? error : asUnavailable(error)
    if (isPassing(error)) {
      failing(consent, why)
      const link = { text: 'Try again', href: pageUrl(consent) }
      return page(502, { ...failure(consent, why), link }, headers)
    }
    consents.end(consent, { outcome: 'refused', why })
    return page(502, ended(failure(consent, why)), headers)
  }

  const isSecure = (): boolean => place().redirectUri.startsWith('https:')
  const cookieName = ({ link }: Consent): string => `${isSecure() ? '__Host-' : ''}vmcp-connect-${link}`
  const setCookie = (consent: Consent, browser: Secret): string =>
    [
      `${cookieName(consent)}=${browser.reveal()}`,
      'Path=/',
      `Max-Age=${CONSENT_MS / 1000}`,
      'HttpOnly',
      'SameSite=Lax',
      ...(isSecure() ? ['Secure'] : []),
    ].join('; ')

  const routes: Readonly<Record<string, (request: PageRequest) => PageAnswer | Promise<PageAnswer>>> = {
    [CONNECT]: connect,
    [CALLBACK]: callback,
    [CLIENT_METADATA]() {
      const { metadataUrl, redirectUri } = place()
      if (metadataUrl === undefined) return page(404, NOT_FOUND)
      return json({ client_id: metadataUrl, ...clientMetadata(redirectUri, 'none') })
    },
  }

  return {
    paths: Object.keys(routes),
    async answer(request) {
      const route = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined
      if (!route) return page(404, NOT_FOUND)
      if (request.method !== 'GET') return page(405, WRONG_METHOD, { allow: 'GET' })
      // It would claim a link, or use up an answer, that is meant for the browser of the user.
      if (request.prefetch) return page(503, PREFETCHED)
      try {
        return await route(request)
      } catch {
        return page(500, BROKEN)
      }
    },
  }
}

/** Failures that say nothing about the next attempt. */
const PASSING: readonly RefusalReason[] = ['unreachable', 'timeout']

const isPassing = (error: unknown): boolean =>
  error instanceof FetchRefused
    ? PASSING.includes(error.reason)
    : error instanceof GatewayError && error.code === 'ISSUER_UNREACHABLE'

/** Relative to either page: what stands before their paths is known to the proxy in front of us. */
const pageUrl = ({ ticket }: Consent): string => `connect?ticket=${ticket.reveal()}`

/** Of several cookies of one name the first, which has the longer path, counts; ours has no path to be longer. */
function cookieOf(header: string | undefined, name: string): string {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim())
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
}
