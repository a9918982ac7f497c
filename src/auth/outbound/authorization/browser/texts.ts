import type { Consent } from './consents.ts'
import type { PageText } from './html.ts'

export const BROKEN: PageText = {
  title: 'Something went wrong',
  lines: ['The gateway could not answer. Repeat what you were doing.'],
}
export const NOT_FOUND: PageText = { title: 'Not found', lines: ['There is no such page.'] }
export const WRONG_METHOD: PageText = { title: 'Not allowed', lines: ['This page can only be opened.'] }
export const GONE: PageText = {
  title: 'This link is no longer valid',
  lines: ['Links to sign in work for ten minutes, in one browser. Repeat what you were doing to get a new one.'],
}
export const ELSEWHERE: PageText = {
  title: 'Not from here',
  lines: ['This link can only be opened in a browser on the machine that the gateway runs on.'],
}
export const OTHER_BROWSER: PageText = {
  title: 'Another browser',
  lines: [
    'This sign-in was begun in another browser. Open the link that you were given again, and stay in one browser.',
  ],
}
/** Why an answer was not used. */
export const FOREIGN = 'the answer did not come from the authorization server that was asked'
export const MISMATCH: PageText = {
  title: 'Sign-in refused',
  lines: [
    'The answer did not come from the authorization server that was asked, so it was not used.',
    'Nothing was stored. Repeat what you were doing to get a new link.',
  ],
}
export const PREFETCHED: PageText = { title: 'Not yet', lines: ['This link must be opened, not fetched ahead.'] }
export const WRONG_USER: PageText = {
  title: 'You are signed in as somebody else',
  lines: ['This link was made for another user. Sign in as the user who asked for it. Nothing was stored.'],
}

export const connected = ({ backend, aim }: Consent): PageText => ({
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

/** Why nobody is signed in. `error`: of the authorization server. */
export function refusalBy({ backend }: Consent, error: string | null): string {
  const code = error !== null && KNOWN_ERRORS.includes(error) ? ` (${error})` : ''
  return `the authorization server did not let the gateway use the backend "${backend.id}"${code}`
}

export const refused = (why: string): PageText =>
  ended({ title: 'Sign-in refused', lines: [`The sign-in was refused: ${why}.`] })

/** `why` stands as it is: it may begin with an address. */
export const failure = ({ backend }: Consent, why: string): PageText => ({
  title: 'Sign-in failed',
  lines: [`The sign-in for the backend "${backend.id}" failed: ${why}.`],
})

/** Of a sign-in that is over. */
export const ended = ({ title, lines }: PageText): PageText => ({
  title,
  lines: [...lines, 'You can close this window. Repeat what you were doing to get a new link.'],
})
