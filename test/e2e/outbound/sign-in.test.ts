import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { JsonObject } from '../../../src/model/json.ts'
import type { Place, TestGateway } from '../../support/gateway.ts'
import { startGateway } from '../../support/gateway.ts'
import { Browser } from '../../support/http-browser.ts'
import type { ProviderOptions, RunningProvider } from '../../support/oidc/provider.ts'
import { startProvider } from '../../support/oidc/provider.ts'
import type { RawClient } from '../../support/raw-client.ts'
import { legacyClient, modernClient } from '../../support/raw-client.ts'
import type { TokenBackendOptions } from '../../support/token-backend.ts'
import { tokenBackend } from '../../support/token-backend.ts'

const TAKES_LINKS = { elicitation: { form: {}, url: {} } }
const AGREED = { 'elicitation-1': { action: 'accept' } }

const open: (() => unknown)[] = []
let stateFolder: string
beforeEach(() => {
  stateFolder = mkdtempSync(join(tmpdir(), 'vmcp-'))
})
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
  rmSync(stateFolder, { recursive: true })
})

/** An authorization server, a backend that believes it, and what the gateway is to know of the two. */
async function world(given: Partial<TokenBackendOptions> = {}, options: ProviderOptions = {}) {
  const provider = await startProvider(undefined, { scopes: ['mail', 'mail.send'], refreshes: true, ...options })
  open.push(() => provider.close())
  const backend = await tokenBackend({
    era: 'legacy',
    issuer: provider.issuer,
    scopes: ['mail'],
    userOf: (token) => introspected(provider, token),
    ...given,
  })
  provider.resources.set(backend.url, { format: 'jwt', scope: 'mail mail.send' })
  const config: JsonObject = {
    backends: [{ name: 'mail', url: backend.url }],
    outgoingAuth: { backends: { mail: { type: 'authorization_code', authorizationCode: {} } } },
  }
  return { provider, backend, config }
}

/** As a backend would verify it: by the keys of its issuer, here by asking. */
async function introspected({ issuer, client }: RunningProvider, token: string): Promise<string | undefined> {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as JsonObject
  const basic = Buffer.from([client.id, client.secret].map(encodeURIComponent).join(':')).toString('base64')
  const answer = await fetch(`${issuer}/token/introspection`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ token }),
  })
  const { active } = (await answer.json()) as { active?: boolean }
  // JWTs are not introspected by this provider: their expiry is enough here.
  const lives = active === true || (typeof claims['exp'] === 'number' && claims['exp'] * 1000 > Date.now())
  return lives && typeof claims['sub'] === 'string' ? claims['sub'] : undefined
}

async function gatewayFor(config: JsonObject, place: Place = { stateFolder }): Promise<TestGateway> {
  const gateway = await startGateway(config, place)
  open.push(() => gateway.close())
  return gateway
}

async function clientOf(connect: typeof legacyClient, url: string, options: Parameters<typeof legacyClient>[1] = {}) {
  const client = await connect(url, options)
  open.push(() => client.close())
  return client
}

/** The page that an answer asks a modern client to have its user visit. */
function pageIn(result: JsonObject | undefined): string {
  const requests = result?.['inputRequests'] as Record<string, { method: string; params: JsonObject }> | undefined
  const { method, params } = requests?.['elicitation-1'] ?? { method: 'none', params: {} }
  expect([method, params['mode']]).toEqual(['elicitation/create', 'url'])
  return typeof params['url'] === 'string' ? params['url'] : ''
}

const call = (client: RawClient, more: JsonObject = {}) =>
  client.request('tools/call', { name: 'whoami', arguments: {}, ...more })
const text = (answer: { result?: JsonObject }): unknown =>
  (answer.result?.['content'] as JsonObject[] | undefined)?.[0]?.['text']

test('a modern client is asked by its answer; after the sign-in the tools are there', async () => {
  const { config, backend } = await world()
  const gateway = await gatewayFor(config)
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  const asked = await call(client)
  const page = pageIn(asked.result)
  expect(new URL(page).origin).toBe(new URL(gateway.url).origin)
  const seen = await new Browser('alice').open(page)
  expect(seen).toMatchObject({ status: 200, text: expect.stringContaining('mail') })
  const again = await call(client, { requestState: asked.result?.['requestState'] ?? '', inputResponses: AGREED })
  expect(text(again)).toBe('alice')
  await vi.waitFor(() => expect(client.changes).toContain('notifications/tools/list_changed'))
  expect(await client.tools()).toEqual(['whoami', 'of_alice'])
  expect(text(await call(client))).toBe('alice')
  expect(backend.shown.some((header) => header.includes('ticket'))).toBe(false)
})

test('the retry waits for the user who is still at the page', async () => {
  const { config } = await world()
  const gateway = await gatewayFor(config)
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  const asked = await call(client)
  const retry = call(client, { requestState: asked.result?.['requestState'] ?? '', inputResponses: AGREED })
  await new Promise((resolve) => setTimeout(resolve, 200))
  await new Browser('alice').open(pageIn(asked.result))
  expect(text(await retry)).toBe('alice')
})

test('a client that cannot show links reads where to go', async () => {
  const { config } = await world()
  const gateway = await gatewayFor(config)
  for (const connect of [legacyClient, modernClient]) {
    const client = await clientOf(connect, gateway.url)
    const { text: said, isError } = await client.tool('whoami')
    expect(isError).toBe(true)
    expect(said).toMatch(
      /needs you to sign in: open http:\/\/127\.0\.0\.1:\d+\/oauth\/connect\?ticket=\S+ in a browser/,
    )
  }
  const client = await clientOf(legacyClient, gateway.url)
  const { text: said } = await client.tool('whoami')
  await new Browser('alice').open(/http\S+/.exec(said)?.[0] ?? '')
  expect((await client.tool('whoami')).text).toBe('alice')
})

test('tokens outlive the gateway, sealed and for its user alone', async () => {
  const { config, backend } = await world()
  const first = await startGateway(config, { stateFolder })
  const client = await modernClient(first.url, { capabilities: TAKES_LINKS })
  await new Browser('alice').open(pageIn((await call(client)).result))
  expect(text(await call(client))).toBe('alice')
  await client.close()
  await first.close()
  const files = readdirSync(stateFolder)
  expect(files).toEqual(expect.arrayContaining(['credentials', 'sealing-key']))
  for (const file of files) expect(statSync(join(stateFolder, file)).mode & 0o077).toBe(0)
  const kept = readFileSync(join(stateFolder, 'credentials'), 'utf8')
  const tokens = backend.shown.filter((header) => header !== '').map((header) => header.replace('Bearer ', ''))
  expect(tokens.length).toBeGreaterThan(0)
  for (const token of tokens) expect(kept).not.toContain(token)
  const second = await gatewayFor(config)
  const later = await clientOf(legacyClient, second.url)
  expect(await later.tools()).toEqual(['whoami', 'of_alice'])
})

test('the page belongs to the browser that opened it first, and to this machine', async () => {
  const { config } = await world()
  const gateway = await gatewayFor(config)
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  const page = pageIn((await call(client)).result)
  const proxied = await fetch(page, { headers: { 'x-forwarded-for': '203.0.113.9' }, redirect: 'manual' })
  expect(proxied.status).toBe(403)
  const first = await fetch(page, { redirect: 'manual' })
  expect(first.status).toBe(302)
  expect(first.headers.get('set-cookie')).toMatch(/HttpOnly/i)
  expect((await fetch(page, { redirect: 'manual' })).status).toBe(410)
  expect((await fetch(`${page}x`, { redirect: 'manual' })).status).toBeGreaterThanOrEqual(400)
})

test.each([
  ['Sec-Purpose', 'prefetch;prerender'],
  ['Purpose', 'prefetch'],
])('a page that is fetched ahead is not claimed: %s: %s', async (name, value) => {
  const { config } = await world()
  const gateway = await gatewayFor(config)
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  const page = pageIn((await call(client)).result)
  const ahead = await fetch(page, { headers: { [name]: value }, redirect: 'manual' })
  expect([ahead.status, ahead.headers.get('set-cookie')]).toEqual([503, null])
  expect((await fetch(page, { method: 'HEAD', redirect: 'manual' })).headers.get('set-cookie')).toBeNull()
  expect(pageIn((await call(client)).result)).toBe(page)
  expect((await new Browser('alice').open(page)).status).toBe(200)
})

test('after a link was claimed a fresh one is given, and the retry waits for whichever is used', async () => {
  const { config } = await world()
  const gateway = await gatewayFor(config)
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  const asked = await call(client)
  expect((await fetch(pageIn(asked.result), { redirect: 'manual' })).status).toBe(302)
  const retry = call(client, { requestState: asked.result?.['requestState'] ?? '', inputResponses: AGREED })
  const fresh = pageIn((await call(client)).result)
  expect(fresh).not.toBe(pageIn(asked.result))
  expect((await new Browser('alice').open(fresh)).status).toBe(200)
  expect(text(await retry)).toBe('alice')
})

test('a token store that cannot be opened withholds those who need it, and nobody else', async () => {
  const { config, backend } = await world()
  const free = await tokenBackend({ era: 'legacy', userOf: () => undefined, open: () => true })
  const store = join(stateFolder, 'credentials')
  writeFileSync(store, 'garbage')
  const gateway = await gatewayFor({ mcpServers: { free: { url: free.url }, asks: { url: backend.url } } })
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  await vi.waitFor(async () => expect(await client.tools()).toEqual(['free_whoami']))
  expect((await client.tool('free_whoami')).text).toBe('nobody')
  const { text: why } = await client.tool('asks_whoami')
  expect(why).toMatch(/token store cannot be opened/)
  expect(why).not.toContain(stateFolder)
  const other = await gatewayFor(config)
  await vi.waitFor(() => {
    const told = other.events.filter(({ name }) => name === 'token-store.failing').map(({ data }) => data)
    expect(told).toMatchObject([{ file: store, remedy: expect.stringContaining(`remove ${store}`) as string }])
  })
  expect(readFileSync(store, 'utf8')).toBe('garbage')
  // The way out that was told.
  rmSync(store)
  await vi.waitFor(async () => {
    const asked = await client.request('tools/call', { name: 'asks_whoami', arguments: {} })
    await new Browser('alice').open(pageIn(asked.result))
  }, 10_000)
  expect((await client.tool('asks_whoami')).text).toBe('alice')
})

test('a wider scope is asked for where the backend wants one', async () => {
  const { config, provider } = await world({
    lacks: (token) => {
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonObject
      return JSON.stringify(claims['scope']).includes('mail.send') ? undefined : 'mail.send'
    },
  })
  const gateway = await gatewayFor(config)
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  const browser = new Browser('alice')
  await browser.open(pageIn((await call(client)).result))
  await vi.waitFor(async () => expect(await client.tools()).toContain('of_alice'))
  const wider = await call(client)
  await browser.open(pageIn(wider.result))
  const retry = await call(client, { requestState: wider.result?.['requestState'] ?? '', inputResponses: AGREED })
  expect(text(retry)).toBe('alice')
  expect(provider.hits.get('/token')).toBe(2)
})

/** A gateway whose callers prove who they are, and whose connect page has them sign in at the issuer. */
async function companyGateway(given: Partial<TokenBackendOptions> = {}, policies?: string[]) {
  const { provider, backend, config } = await world(given)
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}/mcp`
  provider.resources.set(publicUrl, { format: 'jwt', scope: 'mcp' })
  const registered = await fetch(`${provider.issuer}/reg`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [`http://127.0.0.1:${port}/oauth/callback`] }),
  })
  const { client_id, client_secret } = (await registered.json()) as { client_id: string; client_secret: string }
  const oidc = {
    issuer: provider.issuer,
    clientId: client_id,
    clientSecret: client_secret,
    insecureAllowHttp: true,
    jwksAllowPrivateIp: true,
  }
  const gateway = await gatewayFor(
    {
      ...config,
      publicUrl,
      incomingAuth: { type: 'oidc', oidc, ...(policies && { authz: { type: 'cedar', policies } }) },
    },
    { stateFolder, port },
  )
  const enter = async (user: string): Promise<RawClient> =>
    clientOf(modernClient, gateway.url, {
      capabilities: TAKES_LINKS,
      token: await provider.userToken(publicUrl, user, 'mcp'),
    })
  return { provider, backend, gateway, enter }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return port
}

test('only the user who was asked can sign in, and nobody else gains by it', async () => {
  const { enter, backend } = await companyGateway()
  const [alice, bob] = [await enter('alice'), await enter('bob')]
  expect([await alice.tools(), await bob.tools()]).toEqual([['sign_in'], ['sign_in']])
  await vi.waitFor(() => expect(bob.changes).toHaveLength(1))
  bob.changes.pop()
  const page = pageIn((await call(alice)).result)
  const stranger = await new Browser('bob').open(page)
  expect(stranger.status).toBe(403)
  expect(text(await call(alice))).toBeUndefined()
  const asked = await call(alice)
  expect((await new Browser('alice').open(pageIn(asked.result))).status).toBe(200)
  const retry = await call(alice, { requestState: asked.result?.['requestState'] ?? '', inputResponses: AGREED })
  expect(text(retry)).toBe('alice')
  await vi.waitFor(async () => expect(await alice.tools()).toEqual(['whoami', 'of_alice']))
  expect(await bob.tools()).toEqual(['sign_in'])
  expect(alice.changes).toContain('notifications/tools/list_changed')
  expect(bob.changes).toEqual([])
  pageIn((await call(bob)).result)
  expect(new Set(backend.done.map(({ user }) => user))).toEqual(new Set(['alice']))
})

test('an answer of bob does not continue the call of alice', async () => {
  const { enter } = await companyGateway()
  const [alice, bob] = [await enter('alice'), await enter('bob')]
  const asked = await call(alice)
  await new Browser('alice').open(pageIn(asked.result))
  const stolen = await call(bob, { requestState: asked.result?.['requestState'] ?? '', inputResponses: AGREED })
  expect(JSON.stringify(stolen)).not.toContain('"alice"')
})

test('a legacy client is asked while its call waits', async () => {
  const { config } = await world()
  const gateway = await gatewayFor(config)
  const client = new Client({ name: 'c', version: '1' }, { capabilities: { elicitation: { url: {} } } })
  const asked: unknown[] = []
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    asked.push(params)
    if (params.mode === 'url') void new Browser('alice').open(params.url)
    return { action: 'accept' }
  })
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)))
  open.push(() => client.close())
  expect(text({ result: (await client.callTool({ name: 'whoami' })) as JsonObject })).toBe('alice')
  expect(asked).toMatchObject([{ mode: 'url', message: 'the backend "mail" needs you to sign in' }])
})

test('a token is renewed before it ends, once for all who need it', async () => {
  const { config, provider, backend } = await world()
  provider.resources.set(backend.url, { format: 'jwt', scope: 'mail mail.send', lifeSeconds: 3 })
  const gateway = await gatewayFor(config)
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  await new Browser('alice').open(pageIn((await call(client)).result))
  const until = Date.now() + 6000
  const texts = new Set<unknown>()
  while (Date.now() < until)
    for (const answer of await Promise.all([call(client), call(client)])) texts.add(text(answer))
  expect([...texts]).toEqual(['alice'])
  const renewals = provider.hits.get('/token') ?? 0
  expect(renewals).toBeGreaterThan(2)
  expect(renewals).toBeLessThan(8)
})

test('a server of a client file that asks for a sign-in gets one; another 401 is told as it is', async () => {
  const { backend } = await world()
  const closed = await tokenBackend({ era: 'legacy', userOf: () => undefined })
  const gateway = await gatewayFor({
    mcpServers: { mail: { url: backend.url }, closed: { url: closed.url } },
  })
  const client = await clientOf(modernClient, gateway.url, { capabilities: TAKES_LINKS })
  expect((await client.tool('closed_whoami')).text).toMatch(/HTTP 401 .*wants credentials/)
  const asked = await client.request('tools/call', { name: 'mail_whoami', arguments: {} })
  await new Browser('alice').open(pageIn(asked.result))
  await vi.waitFor(async () => expect(await client.tools()).toEqual(['mail_whoami', 'mail_of_alice']))
  expect((await client.tool('mail_whoami')).text).toBe('alice')
})

test.each([
  ['modern', modernClient],
  ['legacy', legacyClient],
] as const)('whoever has to sign in finds a tool for it: a %s client', async (_era, connect) => {
  const { config } = await world()
  const other = await tokenBackend({ era: 'modern', userOf: () => undefined, open: () => true })
  const backends = [...(config['backends'] as JsonObject[]), { name: 'open', url: other.url }]
  const gateway = await gatewayFor({ ...config, backends })
  const capabilities = connect === modernClient ? TAKES_LINKS : {}
  const client = await clientOf(connect, gateway.url, { capabilities })
  await vi.waitFor(async () => expect(await client.tools()).toEqual(['mail_sign_in', 'open_whoami']))
  const asked = await client.request('tools/call', { name: 'mail_sign_in', arguments: {} })
  const page = connect === modernClient ? pageIn(asked.result) : linkIn(text(asked))
  await new Browser('alice').open(page)
  const again = await client.request('tools/call', {
    name: 'mail_sign_in',
    arguments: {},
    ...(connect === modernClient && { requestState: asked.result?.['requestState'] ?? '', inputResponses: AGREED }),
  })
  if (connect === modernClient) expect(text(again)).toMatch(/^The user has signed in\./)
  await vi.waitFor(async () => expect(await client.tools()).toEqual(['mail_whoami', 'mail_of_alice', 'open_whoami']))
  expect(client.changes).toContain('notifications/tools/list_changed')
})

const linkIn = (said: unknown): string => /http\S+/.exec(String(said))?.[0] ?? ''

test('policies that go by the backend find the way to its sign-in', async () => {
  const { enter } = await companyGateway({}, [
    'permit(principal == Client::"alice", action == Action::"call_tool", resource in Backend::"mail");',
  ])
  const [alice, bob] = [await enter('alice'), await enter('bob')]
  expect([await alice.tools(), await bob.tools()]).toEqual([['sign_in'], []])
  pageIn((await call(alice)).result)
  expect((await bob.tool('whoami')).text).toMatch(/^Unknown tool/)
})
