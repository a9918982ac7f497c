import { Client as Sdk2, StreamableHTTPClientTransport as Sdk2Http } from '@modelcontextprotocol/client'
import { Client as Sdk1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Sdk1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { textOf } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { startProvider, type RunningProvider } from '../support/oidc/provider.ts'
import { OAUTH_CLIENTS, type OAuthClient } from '../support/oidc/clients.ts'
import { openRaw, requestBytes } from '../support/raw-http.ts'
import { ECHO_TOOL, MODERN } from '../support/script.ts'

/** How far the clock of everybody here is ahead, in milliseconds. Set before anybody looks at it. */
let ahead = 0
const { now } = Date
vi.spyOn(Date, 'now').mockImplementation(() => now() + ahead)

let provider: RunningProvider
let backend: HttpBackend
let gateway: TestGateway

beforeAll(async () => {
  const documents = OAUTH_CLIENTS.flatMap(({ document, metadata }) => (document ? [[document, metadata] as const] : []))
  const clientDocuments = new Map(documents.map(([url, metadata]) => [url, { client_id: url, ...metadata }]))
  const scopes = ['mcp', 'write']
  provider = await startProvider(undefined, { clientDocuments, refreshes: true, scopes })
  backend = await startHttpBackend({ tools: [ECHO_TOOL] })
  gateway = await startGateway(config('http://127.0.0.1:1/mcp', ['mcp']))
  provider.resources.set(gateway.url, { format: 'jwt', scope: 'mcp write', lifeSeconds: 60 })
  await gateway.reload(config(gateway.url, ['mcp']))
})
afterAll(async () => {
  await gateway.close()
  await backend.close()
  await provider.close()
})

const open: (() => unknown)[] = []
afterEach(async () => {
  ahead = 0
  for (const close of open.splice(0).reverse()) await close()
})

const config = (publicUrl: string, requiredScopes: string[]): JsonObject => ({
  publicUrl,
  backends: [{ name: 'one', url: backend.url }],
  incomingAuth: {
    type: 'oidc',
    oidc: { issuer: provider.issuer, insecureAllowHttp: true, jwksAllowPrivateIp: true, requiredScopes },
  },
})

/** One request of a client, to the gateway or to the provider, and how it was answered. */
interface Exchange {
  method: string
  url: string
  body: URLSearchParams | undefined
  status: number
  challenge: string | null
}

/** A client application: what it keeps, what it did, and where it sent its user. */
interface Application {
  provider: object
  exchanges: Exchange[]
  fetch: typeof fetch
  tokens(): { access_token: string; refresh_token?: string } | undefined
  registered(): { client_id: string; client_secret?: string } | undefined
  /** The page that the user was last sent to. */
  page(): URL
}

/** `refreshes`: it keeps what it may refresh its tokens with. */
function application({ metadata, redirect, document }: OAuthClient, refreshes: boolean): Application {
  const exchanges: Exchange[] = []
  const kept: Record<string, unknown> = {}
  const keep = (name: string) => (value: unknown) => void (kept[name] = value)
  const recall = (name: string) => () => kept[name]
  const grants = ['authorization_code', ...(refreshes ? ['refresh_token'] : [])]
  return {
    exchanges,
    provider: {
      redirectUrl: redirect,
      clientMetadata: { ...metadata, grant_types: grants },
      ...(document !== undefined && { clientMetadataUrl: document }),
      state: () => 'a state of the client',
      clientInformation: recall('client'),
      saveClientInformation: keep('client'),
      tokens: recall('tokens'),
      saveTokens: ({ refresh_token: again, ...tokens }: { refresh_token?: string }) =>
        keep('tokens')(refreshes && again !== undefined ? { ...tokens, refresh_token: again } : tokens),
      codeVerifier: recall('verifier'),
      saveCodeVerifier: keep('verifier'),
      discoveryState: recall('discovery'),
      saveDiscoveryState: keep('discovery'),
      redirectToAuthorization: keep('page'),
    },
    async fetch(input, init) {
      const request = new Request(input, init)
      const form = request.headers.get('content-type')?.includes('x-www-form-urlencoded')
      const body = form ? new URLSearchParams(await request.clone().text()) : undefined
      const response = await fetch(request)
      exchanges.push({
        method: request.method,
        url: request.url,
        body,
        status: response.status,
        challenge: response.headers.get('www-authenticate'),
      })
      return response
    },
    tokens: () => kept['tokens'] as { access_token: string; refresh_token?: string } | undefined,
    registered: () => kept['client'] as { client_id: string; client_secret?: string } | undefined,
    page: () => kept['page'] as URL,
  }
}

interface Connected {
  /** Of the SDK v2; the calls that are made here are the same in both. */
  client: Sdk2
  transport: Sdk2Http
}

const SDKS = {
  'SDK v1': (app: Application): Connected => {
    const options = { authProvider: app.provider as never, fetch: app.fetch }
    const transport = new Sdk1Http(new URL(gateway.url), options)
    return { client: new Sdk1({ name: 'c', version: '1' }) as never, transport: transport as never }
  },
  'SDK v2': (app: Application): Connected => ({
    client: new Sdk2({ name: 'c', version: '1' }, { versionNegotiation: { mode: { pin: MODERN } } }),
    transport: new Sdk2Http(new URL(gateway.url), { authProvider: app.provider as never, fetch: app.fetch }),
  }),
}
type Sdk = keyof typeof SDKS

/** Sends the user to the provider, and the code that the user comes back with to the client. */
async function signIn(sdk: Sdk, app: Application, { transport }: Connected): Promise<URL> {
  const back = await provider.browse(app.page().href)
  const { searchParams } = back
  expect(searchParams.get('state')).toBe('a state of the client')
  if (sdk === 'SDK v1') await transport.finishAuth(searchParams.get('code') ?? '')
  else await transport.finishAuth(searchParams)
  return back
}

/** As applications do it: the first attempt sends the user away, the second one begins anew. */
async function connect(sdk: Sdk, app: Application): Promise<Connected & { back: URL }> {
  const first = SDKS[sdk](app)
  await expect(first.client.connect(first.transport)).rejects.toThrow(/Unauthorized/u)
  const back = await signIn(sdk, app, first)
  await first.client.close().catch(() => undefined)
  const second = SDKS[sdk](app)
  await second.client.connect(second.transport)
  open.push(() => second.client.close())
  return { ...second, back }
}

async function works(sdk: Sdk, { client }: Connected): Promise<void> {
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo'])
  const params = { name: 'echo', arguments: { text: 'hi' } }
  const result = sdk === 'SDK v1' ? (client as unknown as Sdk1).callTool(params) : client.callTool(params)
  expect(textOf(await result)).toBe('hi')
}

const rows = OAUTH_CLIENTS.flatMap((row) => (Object.keys(SDKS) as Sdk[]).map((sdk) => [row.name, sdk, row] as const))

test.each(rows)('%s finds its way with the %s', async (_name, sdk, row) => {
  const app = application(row, true)
  const connected = await connect(sdk, app)
  await works(sdk, connected)

  const [first] = app.exchanges
  expect(first).toMatchObject({ url: gateway.url, status: 401 })
  const metadata = gateway.url.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')
  expect(first?.challenge).toBe(`Bearer resource_metadata="${metadata}", scope="mcp"`)
  expect(app.exchanges.filter(({ url, status }) => url === metadata && status === 200)).not.toEqual([])

  const page = app.page().searchParams
  expect(page.get('code_challenge_method')).toBe('S256')
  expect(page.get('resource')).toBe(gateway.url)
  expect(page.get('redirect_uri')).toBe(row.redirect)
  expect(page.get('scope')?.split(' ')).toContain('mcp')
  expect(connected.back.href.startsWith(row.redirect)).toBe(true)
  const exchange = app.exchanges.find(({ url, method }) => method === 'POST' && url.endsWith('/token'))
  expect(exchange?.body?.get('resource')).toBe(gateway.url)

  const client = app.registered()
  expect(client?.client_secret).toBeUndefined()
  if (row.document === undefined) expect(client?.client_id).not.toContain('https:')
  else expect(client?.client_id).toBe(row.document)
  const claims = decodeJwt(app.tokens()?.access_token ?? '')
  expect(claims).toMatchObject({ aud: gateway.url, client_id: client?.client_id, sub: 'alice', scope: 'mcp' })
})

test.each(Object.keys(SDKS) as Sdk[])('a token that is refreshed keeps what the %s has begun', async (sdk) => {
  const app = application(OAUTH_CLIENTS[0]!, true)
  const connected = await connect(sdk, app)
  await works(sdk, connected)
  const { sessionId } = connected.transport
  const old = app.tokens()?.access_token
  const before = app.exchanges.length
  ahead = 120_000
  await works(sdk, connected)
  expect(connected.transport.sessionId).toBe(sessionId)
  if (sdk === 'SDK v1') expect(sessionId).toBeDefined()
  expect(app.tokens()?.access_token).not.toBe(old)
  const later = app.exchanges.slice(before)
  expect(later[0]).toMatchObject({ url: gateway.url, status: 401 })
  expect(later[0]?.challenge).toContain('error="invalid_token", error_description="the token has expired"')
  const refresh = later.find(({ url }) => url.endsWith('/token'))
  expect(refresh?.body?.get('grant_type')).toBe('refresh_token')
  expect(refresh?.body?.get('resource')).toBe(gateway.url)
  expect(later.filter(({ status }) => status === 401)).toHaveLength(1)
})

test.each(Object.keys(SDKS) as Sdk[])('the %s steps up when the gateway asks for more', async (sdk) => {
  // What registers itself is held to the scopes that it knew then.
  const app = application(
    OAUTH_CLIENTS.find(({ document }) => document !== undefined)!,
    false,
  )
  const connected = await connect(sdk, app)
  const { sessionId } = connected.transport
  await gateway.reload(config(gateway.url, ['mcp', 'write']))
  try {
    await expect(works(sdk, connected)).rejects.toThrow(/Unauthorized/u)
    expect(app.exchanges.find(({ status }) => status === 403)?.challenge).toContain(
      'error="insufficient_scope", error_description="the token lacks a scope that is needed here"',
    )
    expect(app.page().searchParams.get('scope')?.split(' ')).toEqual(expect.arrayContaining(['mcp', 'write']))
    await signIn(sdk, app, connected)
    await works(sdk, connected)
    expect(decodeJwt(app.tokens()?.access_token ?? '')).toMatchObject({ scope: 'mcp write' })
    expect(connected.transport.sessionId).toBe(sessionId)
  } finally {
    await gateway.reload(config(gateway.url, ['mcp']))
  }
})

test('the challenge comes before any byte of the body', async () => {
  const connection = await openRaw(Number(new URL(gateway.url).port))
  open.push(() => connection.socket.destroy())
  const head = requestBytes({ headers: { 'content-length': '100000' } })
  const started = performance.now()
  connection.write(head)
  const answer = await connection.next()
  expect(answer.status).toBe(401)
  expect(answer.headers['www-authenticate']).toContain('resource_metadata=')
  expect(performance.now() - started).toBeLessThan(1000)
})

const DOCUMENTS = ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp']

test.each(DOCUMENTS)('%s answers pages of browsers as well', async (path) => {
  const url = `${new URL(gateway.url).origin}${path}`
  const origin = 'http://localhost:6274'
  const ask = (method: string, more: Record<string, string> = {}) =>
    fetch(url, { method, headers: { origin, ...more } })
  const got = await ask('GET')
  expect(got.headers.get('access-control-allow-origin')).toBe('*')
  expect(got.headers.get('content-type')).toBe('application/json')
  expect(got.headers.get('cache-control')).toContain('max-age')
  expect(await got.json()).toEqual({
    resource: gateway.url,
    authorization_servers: [provider.issuer],
    scopes_supported: ['openid', 'mcp'],
    bearer_methods_supported: ['header'],
    resource_name: expect.any(String) as string,
  })
  const head = await ask('HEAD')
  expect([head.status, await head.text()]).toEqual([200, ''])
  const preflight = await ask('OPTIONS', {
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'mcp-protocol-version',
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
  expect(preflight.headers.get('access-control-allow-headers')).toContain('*')
  expect((await ask('POST')).status).toBe(405)
})

test('pages of browsers may read the challenge', async () => {
  const origin = 'http://localhost:6274'
  const asked = 'authorization,content-type,mcp-protocol-version,mcp-method,mcp-name,mcp-param-city'
  const preflight = await fetch(gateway.url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-headers')).toBe(asked)
  const refused = await fetch(gateway.url, { method: 'POST', headers: { origin }, body: '{}' })
  expect(refused.status).toBe(401)
  expect(refused.headers.get('access-control-allow-origin')).toBe(origin)
  expect(refused.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
})
