import { GatewayError } from '../../../model/errors.ts'
import { type Consent, type Consents, CONSENT_MS, randomText } from './consents.ts'
import { type Flow, type Flows, isFromServer, isSameText, type Step } from './flow.ts'
import { json, page, type PageAnswer, redirect } from './html.ts'
import { clientMetadata, type ClientPlace } from './registration.ts'
import type { SignIn } from './sign-in.ts'
import { asUnavailable } from './unavailable.ts'

/** A request of a browser, as far as it counts. */
interface PageRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly cookie: string | undefined
  /** The browser runs on this machine. */
  readonly loopback: boolean
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
}

export function createPages({ consents, flows, signIn, place }: PageParts): ConnectPages {
  async function connect({ query, cookie, loopback }: PageRequest): Promise<PageAnswer> {
    const consent = consents.byTicket(query.get('ticket') ?? '')
    if (!consent) return page(410, GONE)
    const shown = cookieOf(cookie, cookieName(consent))
    const isLocal = consent.person.kind === 'local'
    // Whoever shows the page of a local user need not be that user: only this machine is trusted, and one browser.
    if (isLocal && !loopback) return page(403, ELSEWHERE)
    if (isLocal && consent.browser !== undefined && !isSameText(consent.browser, shown)) return page(410, GONE)
    const browser = consent.browser ?? randomText()
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
    if (!isSameText(flow.browser, cookieOf(cookie, cookieName(consent)))) return page(403, OTHER_BROWSER)
    flows.end(flow)
    if (!isFromServer(flow, query)) {
      consents.end(consent, 'refused')
      return page(400, MISMATCH)
    }
    const code = query.get('code')
    if (query.has('error') || code === null || query.getAll('code').length > 1) {
      consents.end(consent, 'refused')
      return page(400, refusal(consent, query.get('error')))
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
        consents.end(consent, 'connected')
        return page(200, connected(consent))
    }
  }

  /** The sign-in stays pending: what fails may work at the next attempt. */
  function failed(consent: Consent, error: unknown, headers: Record<string, string> = {}): PageAnswer {
    const { message } = error instanceof GatewayError ? error : asUnavailable(error)
    const lines = [`The sign-in for the backend "${consent.backend.id}" failed.`, sentence(message)]
    return page(502, { title: 'Sign-in failed', lines, link: { text: 'Try again', href: pageUrl(consent) } }, headers)
  }

  const isSecure = (): boolean => place().redirectUri.startsWith('https:')
  const cookieName = ({ id }: Consent): string => `${isSecure() ? '__Host-' : ''}vmcp-connect-${id}`
  const setCookie = (consent: Consent, value: string): string =>
    [
      `${cookieName(consent)}=${value}`,
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
      try {
        return await route(request)
      } catch {
        return page(500, BROKEN)
      }
    },
  }
}

/** Relative to either page: what stands before their paths is known to the proxy in front of us. */
const pageUrl = ({ ticket }: Consent): string => `connect?ticket=${ticket}`

/** Of several cookies of one name the first, which has the longer path, counts; ours has no path to be longer. */
function cookieOf(header: string | undefined, name: string): string {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim())
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

const BROKEN = { title: 'Something went wrong', lines: ['The gateway could not answer. Repeat what you were doing.'] }
const NOT_FOUND = { title: 'Not found', lines: ['There is no such page.'] }
const WRONG_METHOD = { title: 'Not allowed', lines: ['This page can only be opened.'] }
const GONE = {
  title: 'This link is no longer valid',
  lines: ['Links to sign in work for ten minutes, in one browser. Repeat what you were doing to get a new one.'],
}
const ELSEWHERE = {
  title: 'Not from here',
  lines: ['This link can only be opened in a browser on the machine that the gateway runs on.'],
}
const OTHER_BROWSER = {
  title: 'Another browser',
  lines: [
    'This sign-in was begun in another browser. Open the link that you were given again, and stay in one browser.',
  ],
}
const MISMATCH = {
  title: 'Sign-in refused',
  lines: [
    'The answer did not come from the authorization server that was asked, so it was not used.',
    'Nothing was stored. Repeat what you were doing to get a new link.',
  ],
}
const WRONG_USER = {
  title: 'You are signed in as somebody else',
  lines: ['This link was made for another user. Sign in as the user who asked for it. Nothing was stored.'],
}

const connected = ({ backend, aim }: Consent) => ({
  title: aim === 'backend' ? `Connected to ${backend.id}` : 'You are signed in',
  lines: [
    aim === 'backend'
      ? `The gateway can now use the backend "${backend.id}" on your behalf.`
      : `The gateway can now get access to the backend "${backend.id}" for you.`,
    'You can close this window.',
  ],
})

/** RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6, RFC 8707 section 2. Other texts are not shown. */
const KNOWN_ERRORS: readonly string[] = [
  'access_denied',
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_response_type',
]

function refusal({ backend }: Consent, error: string | null) {
  const code = error !== null && KNOWN_ERRORS.includes(error) ? ` (${error})` : ''
  return {
    title: 'Sign-in refused',
    lines: [
      `The authorization server did not let the gateway use the backend "${backend.id}"${code}.`,
      'You can close this window. Repeat what you were doing to get a new link.',
    ],
  }
}
