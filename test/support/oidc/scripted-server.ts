import { FetchRefused, type GuardedFetch, type GuardedOptions } from '../../../src/auth/net/guarded-fetch.ts'

/** An answer: a status and a body, which goes out as JSON unless it is text. */
export interface ScriptedAnswer {
  status?: number
  headers?: Record<string, string>
  body?: unknown
}

/** A backend and its authorization server without sockets. Everything may be changed at any time. */
export interface ScriptedServer {
  backend: string
  issuer: string
  /** Documents by address. */
  documents: Record<string, ScriptedAnswer>
  /** Answers of the token endpoint, first come, first served; the last one stays. */
  tokens: ScriptedAnswer[]
  /** Of the registration endpoint. */
  registration: ScriptedAnswer
  /** What was asked for, in order: method and address. */
  asked: string[]
  /** Forms and bodies that were posted to the authorization server, by path. */
  posted: { path: string; form: Record<string, string>; body: string; headers: Readonly<Record<string, string>> }[]
  options: Map<string, GuardedOptions>
  fetch: GuardedFetch
}

export const granted = (value: string, more: object = {}): ScriptedAnswer => ({
  body: { access_token: value, token_type: 'Bearer', expires_in: 3600, ...more },
})

export function scriptedServer(backend = 'https://mail.example/mcp', issuer = 'https://as.example'): ScriptedServer {
  const { origin, pathname } = new URL(backend)
  const server: ScriptedServer = {
    backend,
    issuer,
    documents: {
      [backend]: { status: 401, headers: { 'www-authenticate': 'Bearer' } },
      [`${origin}/.well-known/oauth-protected-resource${pathname}`]: {
        body: { resource: backend, authorization_servers: [issuer], scopes_supported: ['mail'] },
      },
      [`${issuer}/.well-known/oauth-authorization-server`]: {
        body: {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          registration_endpoint: `${issuer}/register`,
          code_challenge_methods_supported: ['S256'],
          token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
          authorization_response_iss_parameter_supported: true,
        },
      },
    },
    tokens: [granted('first', { refresh_token: 'refresh-1' })],
    registration: { status: 201, body: { client_id: 'registered' } },
    asked: [],
    posted: [],
    options: new Map(),
    async fetch(url, options = {}) {
      const { method = 'GET', body = '', headers = {} } = options
      server.asked.push(`${method} ${url}`)
      server.options.set(url, options)
      await new Promise((done) => setTimeout(done, 1))
      const { pathname: path, origin: at } = new URL(url)
      if (method === 'POST' && at === issuer) {
        server.posted.push({ path, form: Object.fromEntries(new URLSearchParams(body)), body, headers })
      }
      return sent(answerTo(server, url))
    },
  }
  return server
}

/** A document of a scripted server with other members; `undefined` removes one. */
export function changed(server: ScriptedServer, url: string, members: object): void {
  const { body } = server.documents[url] ?? {}
  server.documents[url] = { body: { ...(body as object), ...members } }
}

function answerTo(server: ScriptedServer, url: string): ScriptedAnswer {
  if (url === `${server.issuer}/token`)
    return (server.tokens.length > 1 ? server.tokens.shift() : server.tokens[0]) ?? {}
  if (url === `${server.issuer}/register`) return server.registration
  return server.documents[url] ?? { status: 404 }
}

function sent({ status = 200, headers = {}, body = '' }: ScriptedAnswer) {
  if (body instanceof FetchRefused) throw body
  return { status, headers, text: typeof body === 'string' ? body : JSON.stringify(body) }
}
