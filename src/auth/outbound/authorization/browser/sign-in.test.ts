import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { browserFor } from '../../../../../test/support/oidc/browser.ts'
import {
  changed,
  granted,
  type ScriptedServer,
  scriptedServer,
} from '../../../../../test/support/oidc/scripted-server.ts'
import type { BackendSpec } from '../../../../model/backend.ts'
import { ConsentNeeded, type Credential, type CredentialSpec } from '../../../../model/credential.ts'
import { backendId } from '../../../../model/ids.ts'
import { ANONYMOUS } from '../../../../model/principal.ts'
import { Secret } from '../../../../model/secret.ts'
import { FetchRefused } from '../../../net/guarded-fetch.ts'
import { createCredentials, type OutboundNote, type OutboundSettings, StoreFault } from '../../credentials.ts'

const BASE = 'https://mcp.example'
const RESOURCE = 'https://mail.example/.well-known/oauth-protected-resource/mcp'
const SERVER = 'https://as.example/.well-known/oauth-authorization-server'

interface Options {
  base?: string
  publicUrl?: string
  store?: OutboundSettings['store']
  more?: Partial<Extract<CredentialSpec, { kind: 'authorization_code' }>>
}

const specOf = (server: ScriptedServer, more: Options['more'] = {}): BackendSpec => ({
  id: backendId('mail'),
  endpoint: { kind: 'http', url: server.backend, headers: {} },
  era: 'auto',
  credential: { kind: 'authorization_code', ...more },
  disabled: false,
  origin: 'static',
})

function bench(
  server: ScriptedServer,
  { base = BASE, publicUrl = '', store = { provider: 'memory' }, more = {} }: Options = {},
) {
  const notes: OutboundNote[] = []
  const clock = { now: Date.parse('2026-11-21T12:00:00Z') }
  const credentials = createCredentials(
    {
      incomingAuth: { type: 'anonymous', issuers: [] },
      store,
      sealingKeys: [],
      publicUrl: publicUrl === '' ? undefined : publicUrl,
    },
    {
      baseUrl: () => base,
      fetch: (url, options) => server.fetch(url, options),
      now: () => clock.now,
      tell: (note) => notes.push(note),
    },
  )
  onTestFinished(() => credentials.close())
  const credential = credentials.for(specOf(server, more)) as Credential
  const browser = browserFor(credentials.pages)
  const failure = async (): Promise<unknown> =>
    Promise.resolve(credential.headers(ANONYMOUS)).then(
      (headers) => ({ headers }),
      (error: unknown) => error,
    )

  async function consent(): Promise<ConsentNeeded> {
    const error = await failure()
    if (error instanceof ConsentNeeded) return error
    throw new Error('no consent was asked for', { cause: error })
  }

  /** Opens the page, and comes back from the authorization server with `answer` beside the state. */
  async function signIn(answer: Record<string, string> = { code: 'c0de', iss: server.issuer }) {
    const { location, ...page } = await browser.open((await consent()).url)
    if (location === undefined) return page
    const back = new URL(`${base}/oauth/callback`)
    const state = new URL(location).searchParams.get('state') ?? ''
    for (const [name, value] of Object.entries({ state, ...answer })) back.searchParams.append(name, value)
    return browser.open(back.href)
  }

  return { credentials, credential, browser, consent, signIn, failure, notes, clock, server }
}

test('the authorization request and the redemption carry what they must', async () => {
  const server = scriptedServer()
  const { browser, consent, signIn, credential } = bench(server)
  const { location } = await browser.open((await consent()).url)
  const url = new URL(location ?? '')
  expect(url.origin + url.pathname).toBe('https://as.example/authorize')
  expect(Object.fromEntries(url.searchParams)).toEqual({
    client_id: 'registered',
    scope: 'mail',
    resource: 'https://mail.example/mcp',
    response_type: 'code',
    redirect_uri: 'https://mcp.example/oauth/callback',
    state: expect.stringMatching(/^[\w-]{43}$/u) as string,
    code_challenge: expect.stringMatching(/^[\w-]{43}$/u) as string,
    code_challenge_method: 'S256',
  })
  expect(await signIn()).toMatchObject({ status: 200 })
  expect(JSON.parse(server.posted[0]?.body ?? '')).toEqual({
    client_name: 'vmcp',
    redirect_uris: ['https://mcp.example/oauth/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'web',
  })
  expect(server.posted.find(({ path }) => path === '/token')?.form).toEqual({
    grant_type: 'authorization_code',
    client_id: 'registered',
    code: 'c0de',
    code_verifier: expect.stringMatching(/^[\w-]{43}$/u) as string,
    redirect_uri: 'https://mcp.example/oauth/callback',
    resource: 'https://mail.example/mcp',
  })
  expect(await credential.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer first'])
  // Registered once, for both ways to the page.
  expect(server.posted.filter(({ path }) => path === '/register')).toHaveLength(1)
})

test('cookies of an https page are bound to its host', async () => {
  const { browser, consent } = bench(scriptedServer())
  const { headers } = await browser.open((await consent()).url)
  expect(headers['set-cookie']).toMatch(
    /^__Host-vmcp-connect-[\w-]+=[\w-]{43}; Path=\/; .*HttpOnly; SameSite=Lax; Secure$/u,
  )
})

test('a server that reads client metadata gets the address of ours', async () => {
  const server = scriptedServer()
  changed(server, SERVER, { client_id_metadata_document_supported: true })
  const { credentials, browser, consent } = bench(server, { publicUrl: 'https://mcp.example/mcp' })
  const { location } = await browser.open((await consent()).url)
  const id = 'https://mcp.example/oauth/client-metadata.json'
  expect(new URL(location ?? '').searchParams.get('client_id')).toBe(id)
  expect(server.posted).toEqual([])
  const { body, status, headers } = await browserFor(credentials.pages).open(id)
  expect([status, headers['content-type']]).toEqual([200, 'application/json'])
  expect(JSON.parse(body)).toMatchObject({
    client_id: id,
    redirect_uris: ['https://mcp.example/oauth/callback'],
    token_endpoint_auth_method: 'none',
  })
})

test('without a public address there is no document about us', async () => {
  const server = scriptedServer()
  changed(server, SERVER, { client_id_metadata_document_supported: true })
  const { credentials, signIn } = bench(server)
  expect(await signIn()).toMatchObject({ status: 200 })
  expect(server.posted[0]?.path).toBe('/register')
  expect(await browserFor(credentials.pages).open(`${BASE}/oauth/client-metadata.json`)).toMatchObject({ status: 404 })
})

test.each([
  ['none asked', undefined, undefined, undefined],
  ['of the metadata', ['a', 'b'], undefined, 'a b'],
  ['odd ones are left out', ['a', 'b c', 'd"', '\u{1f4a9}', 7, ''], undefined, 'a'],
  ['of the challenge before those of the metadata', ['a'], 'Bearer scope="x y"', 'x y'],
  ['an odd challenge', ['a'], 'Bearer scope="x\\" y\\\\ z"', 'z'],
])('scopes: %s', async (_name, supported, challenge, scope) => {
  const server = scriptedServer()
  changed(server, RESOURCE, { scopes_supported: supported })
  if (challenge !== undefined)
    server.documents[server.backend] = { status: 401, headers: { 'www-authenticate': challenge } }
  const { browser, consent } = bench(server)
  const { location } = await browser.open((await consent()).url)
  expect(new URL(location ?? '').searchParams.get('scope') ?? undefined).toBe(scope)
})

test('scopes for refresh tokens are asked for where the server has them, and configured ones are used', async () => {
  const server = scriptedServer()
  changed(server, SERVER, { scopes_supported: ['offline_access'] })
  const { browser, consent } = bench(server, { more: { scopes: ['own'] } })
  const { location } = await browser.open((await consent()).url)
  const { searchParams } = new URL(location ?? '')
  expect([searchParams.get('scope'), searchParams.get('prompt')]).toEqual(['own offline_access', 'consent'])
})

test('the metadata are looked for where the challenge says, and a new challenge counts', async () => {
  const server = scriptedServer()
  const { body } = server.documents[RESOURCE] ?? {}
  delete server.documents[RESOURCE]
  server.documents['https://mail.example/odd/place.json'] = { body }
  const challenge = 'Bearer resource_metadata="https://mail.example/odd/place.json"'
  const { credential, signIn } = bench(server)
  expect(await credential.refused(ANONYMOUS, { status: 401, challenge, shown: [] }).catch(String)).toContain('sign in')
  expect(await signIn()).toMatchObject({ status: 200 })
  // Nobody had to be asked for the challenge.
  expect(server.asked[0]).toBe('GET https://mail.example/odd/place.json')
})

test('a server from before resource metadata is its own authorization server', async () => {
  const server = scriptedServer('https://mail.example/mcp', 'https://mail.example')
  for (const url of Object.keys(server.documents)) if (url.includes('protected')) delete server.documents[url]
  const { signIn, credential } = bench(server)
  expect(await signIn({ code: 'c', iss: 'https://mail.example' })).toMatchObject({ status: 200 })
  expect(await credential.headers(ANONYMOUS)).toHaveLength(2)
})

const PRIVATE = 'token-that-nobody-may-read'

/** What is wrong with the server, and what the user reads. */
const HOSTILE: [string, (server: ScriptedServer) => void, string][] = [
  ['no metadata of the server', (s) => delete s.documents[SERVER], 'are not to be found'],
  [
    'another resource',
    (s) => changed(s, RESOURCE, { resource: 'https://other.example/mcp' }),
    'about another resource',
  ],
  ['a resource beside ours', (s) => changed(s, RESOURCE, { resource: 'https://mail.example/mc' }), 'another resource'],
  [
    'a resource below ours',
    (s) => changed(s, RESOURCE, { resource: 'https://mail.example/mcp/x' }),
    'another resource',
  ],
  ['a resource that is no text', (s) => changed(s, RESOURCE, { resource: [1] }), 'another resource'],
  ['no authorization server', (s) => changed(s, RESOURCE, { authorization_servers: [] }), 'no authorization server'],
  ['servers that are no text', (s) => changed(s, RESOURCE, { authorization_servers: [{}] }), 'no authorization server'],
  ['servers that are no list', (s) => changed(s, RESOURCE, { authorization_servers: 'x' }), 'no authorization server'],
  [
    'an issuer by http',
    (s) => changed(s, RESOURCE, { authorization_servers: ['http://as.example'] }),
    'https is needed',
  ],
  [
    'an issuer by file',
    (s) => changed(s, RESOURCE, { authorization_servers: ['file:///etc/passwd'] }),
    'https is needed',
  ],
  ['an issuer with a query', (s) => changed(s, RESOURCE, { authorization_servers: ['https://as.example?x'] }), 'https'],
  ['another issuer', (s) => changed(s, SERVER, { issuer: 'https://evil.example' }), 'about another issuer'],
  ['a slash more', (s) => changed(s, SERVER, { issuer: 'https://as.example//' }), 'about another issuer'],
  ['no issuer', (s) => changed(s, SERVER, { issuer: undefined }), 'about another issuer'],
  ['no PKCE', (s) => changed(s, SERVER, { code_challenge_methods_supported: undefined }), 'PKCE with S256'],
  ['plain PKCE', (s) => changed(s, SERVER, { code_challenge_methods_supported: ['plain'] }), 'PKCE with S256'],
  ['a script to sign in at', (s) => changed(s, SERVER, { authorization_endpoint: 'javascript:alert(1)' }), 'no usable'],
  [
    'a file to sign in at',
    (s) => changed(s, SERVER, { authorization_endpoint: 'file:///x' }),
    'no usable authorization',
  ],
  ['http to sign in at', (s) => changed(s, SERVER, { authorization_endpoint: 'http://as.example/a' }), 'no usable'],
  ['nowhere to sign in', (s) => changed(s, SERVER, { authorization_endpoint: null }), 'signs no users in'],
  ['an endpoint that is a number', (s) => changed(s, SERVER, { token_endpoint: 7 }), 'no usable token_endpoint'],
  ['an endpoint with a password', (s) => changed(s, SERVER, { token_endpoint: 'https://a:b@c.example' }), 'no usable'],
  ['no token endpoint', (s) => changed(s, SERVER, { token_endpoint: undefined }), 'no token_endpoint'],
  ['no registration', (s) => changed(s, SERVER, { registration_endpoint: undefined }), 'a clientId for it'],
  ['odd ways to authenticate', (s) => changed(s, SERVER, { token_endpoint_auth_methods_supported: [1] }), 'a clientId'],
  ['metadata that are no JSON', (s) => (s.documents[SERVER] = { body: '<html>' }), 'are not to be found'],
  ['metadata that are a list', (s) => (s.documents[SERVER] = { body: [] }), 'are not to be found'],
  ['a server that fails', (s) => (s.documents[SERVER] = { status: 503 }), 'status 503'],
  ['too large', (s) => (s.documents[SERVER] = { body: new FetchRefused('size', 'too much') }), 'too much'],
  ['registration refused', (s) => (s.registration = { status: 400, body: { error: 'invalid_<b>' } }), 'status 400)'],
  ['a registration of odd types', (s) => (s.registration = { body: { client_id: 7 } }), 'cannot be used'],
  ['a registration in a list', (s) => (s.registration = { body: [] }), 'cannot be used'],
  ['a line in a client id', (s) => (s.registration = { body: { client_id: 'a\r\nb' } }), 'cannot be used'],
  [
    'a secret way without a secret',
    (s) => (s.registration = { body: { client_id: 'a', token_endpoint_auth_method: 'client_secret_basic' } }),
    'cannot be used',
  ],
  ['no token', (s) => (s.tokens = [{ body: {} }]), 'without a usable access_token'],
  ['a token of another type', (s) => (s.tokens = [granted('t', { token_type: 'DPoP' })]), 'not of type bearer'],
  ['a token that is a number', (s) => (s.tokens = [granted(7 as unknown as string)]), 'without a usable access_token'],
  ['a header in a token', (s) => (s.tokens = [granted('a\r\nx: y')]), 'without a usable access_token'],
  ['an odd life', (s) => (s.tokens = [granted('t', { expires_in: {} })]), 'expires_in'],
  ['odd scopes', (s) => (s.tokens = [granted('t', { scope: 'a "b"' })]), 'no scope'],
  ['scopes in a list', (s) => (s.tokens = [granted('t', { scope: ['a'] })]), 'scope that is not text'],
  [
    'a grant refused',
    (s) => (s.tokens = [{ status: 400, body: { error: 'invalid_grant', error_description: `c0de ${PRIVATE}` } }]),
    'invalid_grant',
  ],
  ['a page instead of a token', (s) => (s.tokens = [{ status: 200, body: `<b>${PRIVATE}</b>` }]), 'not a JSON object'],
]

/** What may be over at the next attempt. */
const PASSING = ['a server that fails']

test.each(HOSTILE)('hostile server: %s', async (name, spoil, expected) => {
  const server = scriptedServer()
  spoil(server)
  const { signIn, credentials, browser, notes } = bench(server)
  const page = await signIn()
  expect(page).toMatchObject({ status: 502, body: expect.stringContaining(expected) as string })
  expect(page.body).not.toContain('<b>')
  expect(page.body).not.toMatch(/c0de|token-that/u)
  expect(await credentials.accounts()).toEqual([])
  if (page.body.includes('Try again')) {
    expect(PASSING).toContain(name)
    const [again = ''] = /connect\?ticket=[\w-]+/u.exec(page.body) ?? []
    expect(await browser.open(`${BASE}/oauth/${again}`)).toMatchObject({ status: 502 })
  } else {
    expect(PASSING).not.toContain(name)
    expect(notes.at(-1)).toMatchObject({ outcome: 'refused', why: expect.stringContaining(expected) as string })
    expect(page.body).toContain('to get a new link')
  }
  expect(server.asked.length).toBeLessThan(15)
})

test.each([
  ['of another server', { code: 'c0de', iss: 'https://evil.example' }],
  ['with a slash more', { code: 'c0de', iss: 'https://as.example/' }],
  ['in other letters', { code: 'c0de', iss: 'https://AS.example' }],
  ['without a name', { code: 'c0de' }],
  [
    'with an error of another server',
    { error: 'access_denied', error_description: PRIVATE, iss: 'https://evil.example' },
  ],
])('an answer %s is refused before the code is shown to anybody', async (_name, answer) => {
  const server = scriptedServer()
  const { signIn, consent, credentials } = bench(server)
  const { settled } = await consent()
  const page = await signIn(answer)
  expect(page).toMatchObject({
    status: 400,
    body: expect.stringContaining('did not come from the authorization server'),
  })
  expect(page.body).not.toMatch(/evil|denied|c0de|token-that/u)
  expect(server.posted.map(({ path }) => path)).toEqual(['/register'])
  expect(await credentials.accounts()).toEqual([])
  await settled
})

test('a server that does not name itself need not, but a wrong name counts', async () => {
  const server = scriptedServer()
  changed(server, SERVER, { authorization_response_iss_parameter_supported: undefined })
  expect(await bench(server).signIn({ code: 'c0de' })).toMatchObject({ status: 200 })
  expect(await bench(server).signIn({ code: 'c0de', iss: 'https://evil.example' })).toMatchObject({ status: 400 })
})

test.each([
  ['access_denied', '(access_denied)', ' (access_denied)'],
  ['<script>alert(1)</script>', 'use the backend &quot;mail&quot;.', ''],
])('the error %s ends the sign-in', async (error, expected, told) => {
  const { signIn, consent, notes } = bench(scriptedServer())
  const { settled, id } = await consent()
  const page = await signIn({ error, error_description: PRIVATE, iss: 'https://as.example' })
  expect(page).toMatchObject({ status: 400, body: expect.stringContaining(expected) })
  expect(page.body).not.toMatch(/<script|token-that/u)
  await settled
  expect(notes.at(-1)).toEqual({
    kind: 'sign-in-ended',
    backend: 'mail',
    subject: 'local',
    outcome: 'refused',
    why: `the authorization server did not let the gateway use the backend "mail"${told}`,
  })
  expect((await consent()).id).not.toBe(id)
})

test('a client that the server has forgotten is registered anew, once', async () => {
  const server = scriptedServer()
  const forgotten = { status: 401, body: { error: 'invalid_client' } }
  server.tokens = [forgotten, granted('second')]
  const { signIn, browser, credential } = bench(server)
  const again = await signIn()
  expect(again).toMatchObject({ status: 302 })
  server.registration = { status: 201, body: { client_id: 'anew', client_secret: 's' } }
  const { location } = await browser.open((again as { location?: string }).location ?? '')
  const url = new URL(location ?? '')
  expect(url.searchParams.get('client_id')).toBe('anew')
  const state = url.searchParams.get('state')
  const back = `${BASE}/oauth/callback?code=x&iss=https://as.example&state=${state}`
  expect(await browser.open(back)).toMatchObject({ status: 200 })
  expect(await credential.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer second'])

  const stubborn = scriptedServer()
  stubborn.tokens = [forgotten]
  const second = bench(stubborn)
  expect(await second.signIn()).toMatchObject({ status: 302 })
  expect(await second.signIn()).toMatchObject({ status: 502, body: expect.stringContaining('invalid_client') })
})

test('a refresh that the server refuses for good drops the token; other failures keep it', async () => {
  const server = scriptedServer()
  const { signIn, credential, failure, clock, credentials } = bench(server)
  await signIn()
  const headers = await credential.headers(ANONYMOUS)
  server.tokens = [{ status: 503, body: '' }]
  clock.now += 0.9 * 3_600_000
  for (let calls = 0; calls < 3; calls++) expect(credential.headers(ANONYMOUS)).toBe(headers)
  await new Promise((done) => setTimeout(done, 50))
  expect(credential.headers(ANONYMOUS)).toBe(headers)
  expect(server.posted.filter(({ form }) => form['grant_type'] === 'refresh_token')).toHaveLength(1)
  clock.now += 3_600_000
  expect(await failure()).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', message: expect.stringContaining('503') })
  // Not asked again at once.
  const posted = server.posted.length
  await failure()
  expect(server.posted).toHaveLength(posted)
  clock.now += 2000
  server.tokens = [{ status: 400, body: { error: 'invalid_grant' } }]
  expect(await failure()).toBeInstanceOf(ConsentNeeded)
  expect(await credentials.accounts()).toEqual([])
})

test('a refreshed token keeps what the answer leaves out', async () => {
  const server = scriptedServer()
  server.tokens = [granted('first', { refresh_token: 'refresh-1', scope: 'mail' }), granted('second'), granted('third')]
  const { signIn, credential, clock, credentials } = bench(server)
  await signIn()
  clock.now += 3_600_000
  expect(await credential.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer second'])
  clock.now += 3_600_000
  expect(await credential.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer third'])
  const refreshes = server.posted.filter(({ form }) => form['grant_type'] === 'refresh_token')
  expect(refreshes.map(({ form }) => [form['refresh_token'], form['resource']])).toEqual([
    ['refresh-1', server.backend],
    ['refresh-1', server.backend],
  ])
  expect(await credentials.accounts()).toMatchObject([{ scopes: ['mail'], canRefresh: true }])
})

test('refresh tokens go to the issuer that gave them, whatever the backend names later', async () => {
  const server = scriptedServer()
  const { signIn, credential, clock } = bench(server)
  await signIn()
  changed(server, RESOURCE, { authorization_servers: ['https://evil.example'] })
  clock.now += 3_600_000
  await credential.headers(ANONYMOUS)
  expect(server.asked.some((line) => line.includes('evil'))).toBe(false)
})

test('a backend that has moved to another authorization server gets a client and tokens of its own', async () => {
  const server = scriptedServer()
  const { signIn, credential, credentials } = bench(server)
  await signIn()
  const moved = scriptedServer('https://mail.example/mcp', 'https://new.example')
  Object.assign(server.documents, moved.documents)
  server.documents['https://new.example/register'] = { body: { client_id: 'there' } }
  server.documents['https://new.example/token'] = granted('other')
  server.tokens = [{ status: 400, body: { error: 'invalid_grant' } }]
  const shown = await credential.headers(ANONYMOUS)
  const refused = credential.refused(ANONYMOUS, { status: 401, challenge: 'Bearer', shown })
  await expect(refused).rejects.toBeInstanceOf(ConsentNeeded)
  expect(await signIn({ code: 'c', iss: 'https://new.example' })).toMatchObject({ status: 200 })
  expect(await credential.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer other'])
  expect(await credentials.accounts()).toMatchObject([{ issuer: 'https://new.example' }])
})

test('what is learnt must be public, what is written may be private', async () => {
  const server = scriptedServer()
  const learning = bench(server)
  await learning.signIn()
  const reach = (url: string) => {
    const { allowHttp, allowPrivate } = server.options.get(url) ?? {}
    return { allowHttp, allowPrivate }
  }
  const [anywhere, publicly] = [
    { allowHttp: 'loopback', allowPrivate: true },
    { allowHttp: false, allowPrivate: false },
  ]
  expect(reach(RESOURCE)).toEqual(anywhere)
  expect(reach(SERVER)).toEqual(publicly)
  expect(reach('https://as.example/token')).toEqual(publicly)
  expect(reach('https://as.example/register')).toEqual(publicly)
  await bench(server, { more: { issuer: 'https://as.example' } }).signIn()
  expect(reach(SERVER)).toEqual(anywhere)
  await bench(server, { more: { allowPrivate: true } }).signIn()
  expect(reach('https://as.example/token')).toEqual({ allowHttp: false, allowPrivate: true })
})

test('nothing that is printed shows a secret', async () => {
  const server = scriptedServer()
  const secret = 'a secret of the client'
  server.tokens = [{ status: 400, body: { error: secret, error_description: secret } }]
  const { signIn, credential, credentials } = bench(server, {
    more: { client: { id: 'me', secret: new Secret(secret) } },
  })
  const page = await signIn()
  expect(page.status).toBe(502)
  expect(page.body).not.toContain(secret)
  server.tokens = [granted(PRIVATE)]
  expect(await signIn()).toMatchObject({ status: 200 })
  expect(inspect([credential, credentials, await credentials.accounts()], { depth: 10 })).not.toMatch(
    /a secret|token-that/u,
  )
})

test('pages answer GET, and only where there are pages', async () => {
  const { credentials, consent } = bench(scriptedServer())
  const { searchParams: query } = new URL((await consent()).url)
  const asked = { method: 'GET', path: '/oauth/connect', query, cookie: undefined, loopback: true, prefetch: false }
  const { pages } = credentials
  expect(pages.paths).toEqual(['/oauth/connect', '/oauth/callback', '/oauth/client-metadata.json'])
  expect(await pages.answer({ ...asked, path: '/oauth/other' })).toMatchObject({ status: 404 })
  expect(await pages.answer({ ...asked, path: '__proto__' })).toMatchObject({ status: 404 })
  for (const method of ['POST', 'HEAD', 'DELETE']) {
    expect(await pages.answer({ ...asked, method })).toMatchObject({ status: 405, headers: { allow: 'GET' } })
  }
  for (const path of ['/oauth/connect', '/oauth/callback']) {
    expect(await pages.answer({ ...asked, path, prefetch: true })).toMatchObject({
      status: 503,
      headers: { 'cache-control': 'no-store' },
    })
  }
  // None of these has claimed the link.
  expect(new URL((await consent()).url).searchParams.get('ticket')).toBe(query.get('ticket'))
  expect(await pages.answer({ ...asked, cookie: 'nonsense; =; vmcp' })).toMatchObject({ status: 302 })
})

test.each([
  ['no state', ''],
  ['an unknown state', 'state=x&code=y'],
  ['no ticket', ''],
])('nothing begins with %s', async (_name, query) => {
  const { browser } = bench(scriptedServer())
  expect(await browser.open(`${BASE}/oauth/callback?${query}`)).toMatchObject({ status: 410 })
  expect(await browser.open(`${BASE}/oauth/connect?${query}`)).toMatchObject({ status: 410 })
})

test('an answer with two codes or two states is refused', async () => {
  const server = scriptedServer()
  const { browser, consent } = bench(server)
  const { location } = await browser.open((await consent()).url)
  const state = new URL(location ?? '').searchParams.get('state')
  const back = `${BASE}/oauth/callback?iss=${server.issuer}&state=${state}&code=a`
  expect(await browser.open(`${back}&state=${state}`)).toMatchObject({ status: 410 })
  expect(await browser.open(`${back}&code=b`)).toMatchObject({ status: 400 })
  expect(server.posted.map(({ path }) => path)).toEqual(['/register'])
})

test('a link is over after ten minutes, wherever the user is by then', async () => {
  const { browser, consent, clock, notes } = bench(scriptedServer())
  const { url, settled } = await consent()
  const { location } = await browser.open(url)
  clock.now += 600_000
  const state = new URL(location ?? '').searchParams.get('state')
  expect(await browser.open(`${BASE}/oauth/callback?state=${state}&code=a`)).toMatchObject({ status: 410 })
  expect(await browser.open(url)).toMatchObject({ status: 410 })
  await settled
  expect(notes.at(-1)).toMatchObject({ kind: 'sign-in-ended', outcome: 'expired' })
})

test('a client with a key proves who it is when it redeems, refreshes and revokes', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const server = scriptedServer()
  changed(server, SERVER, { revocation_endpoint: 'https://as.example/revoke' })
  const client = { id: 'me', privateKey: new Secret(pem) }
  const { signIn, credential, credentials, clock } = bench(server, { more: { client } })
  expect(await signIn()).toMatchObject({ status: 200 })
  clock.now += 3_600_000
  await credential.headers(ANONYMOUS)
  expect(await credentials.signOut('mail', 'local')).toBe(true)
  expect(server.posted.map(({ path, form }) => [path, form['grant_type'] ?? form['token_type_hint']])).toEqual([
    ['/token', 'authorization_code'],
    ['/token', 'refresh_token'],
    ['/revoke', 'refresh_token'],
    ['/revoke', 'access_token'],
  ])
  for (const { form } of server.posted) {
    const [, claims = ''] = (form['client_assertion'] ?? '').split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      iss: 'me',
      sub: 'me',
      aud: 'https://as.example',
    })
  }
})

test('signing out works while the server does not', async () => {
  const server = scriptedServer()
  changed(server, SERVER, { revocation_endpoint: 'https://as.example/revoke' })
  const { signIn, credentials, failure } = bench(server)
  await signIn()
  server.documents[SERVER] = { status: 503 }
  expect(await credentials.signOut('mail', 'local')).toBe(true)
  expect(await failure()).toBeInstanceOf(ConsentNeeded)
})

test('a refreshed token that cannot be stored is not shown', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const server = scriptedServer()
  const path = join(folder, 'sub', 'tokens')
  const { signIn, credential, failure, clock } = bench(server, {
    store: { provider: 'file', path, keyFile: join(folder, 'key') },
  })
  await signIn()
  expect(await credential.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer first'])
  server.tokens = [granted('second')]
  const { fetch } = server
  server.fetch = async (url, options) => {
    const answer = await fetch(url, options)
    // The file becomes a folder, over which nothing can be put.
    if (options?.body?.includes('refresh_token')) {
      rmSync(path)
      mkdirSync(join(path, 'x'), { recursive: true })
    }
    return answer
  }
  clock.now += 3_600_000
  const error = await failure()
  expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' })
  expect(String(error)).not.toContain(folder)
})

test('no callback that was not asked for does anything', async () => {
  const server = scriptedServer()
  const { browser, credentials, consent } = bench(server)
  const { location } = await browser.open((await consent()).url)
  const state = new URL(location ?? '').searchParams.get('state') ?? ''
  const values = fc.constantFrom('', 'x', '<b>', '__proto__', 'https://as.example', state.slice(1), `${state} `)
  const names = fc.constantFrom('state', 'code', 'iss', 'error', 'error_description', 'ticket', 'response')
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(names, values), { maxLength: 6 }), async (pairs) => {
      const query = new URLSearchParams(pairs)
      const page = await browser.open(`${BASE}/oauth/callback?${query.toString()}`)
      expect(page.status).toBe(410)
      expect(page.body).not.toContain('<b>')
    }),
    { numRuns: 200 },
  )
  expect(server.posted.map(({ path }) => path)).toEqual(['/register'])
  expect(await credentials.accounts()).toEqual([])
})

test('a state is good once, even if the code could not be redeemed', async () => {
  const server = scriptedServer()
  server.tokens = [{ status: 500 }]
  const { browser, consent } = bench(server)
  const { location } = await browser.open((await consent()).url)
  const state = new URL(location ?? '').searchParams.get('state')
  const back = `${BASE}/oauth/callback?state=${state}&code=a&iss=${server.issuer}`
  expect(await browser.open(back)).toMatchObject({ status: 502 })
  expect(await browser.open(back)).toMatchObject({ status: 410 })
  expect(server.posted.filter(({ path }) => path === '/token')).toHaveLength(1)
})

test('a registration that ends soon is renewed before it is used', async () => {
  const server = scriptedServer()
  const ends = Date.parse('2026-11-21T12:30:00Z') / 1000
  server.registration = { body: { client_id: 'first', client_secret: 's', client_secret_expires_at: ends } }
  const { browser, consent, clock } = bench(server)
  const idAt = async () => {
    const { location } = await browser.open((await consent()).url)
    return new URL(location ?? '').searchParams.get('client_id')
  }
  expect(await idAt()).toBe('first')
  server.registration = { body: { client_id: 'second', client_secret: 's', client_secret_expires_at: 0 } }
  clock.now += 19 * 60_000
  expect(await idAt()).toBe('first')
  clock.now += 2 * 60_000
  expect(await idAt()).toBe('second')
  clock.now += 365 * 24 * 3_600_000
  expect(await idAt()).toBe('second')
})

test('tokens that cannot be revoked are forgotten all the same, and that is told', async () => {
  const server = scriptedServer()
  changed(server, SERVER, { revocation_endpoint: 'https://as.example/revoke' })
  server.documents['https://as.example/revoke'] = { status: 503 }
  const { credentials, signIn, notes } = bench(server)
  await signIn()
  expect(await credentials.signOut('mail', 'local')).toBe(true)
  expect(await credentials.accounts()).toEqual([])
  expect(notes.at(-1)).toEqual({
    kind: 'revocation-failed',
    backend: 'mail',
    subject: 'local',
    why: 'https://as.example answered the revocation with status 503',
  })
})

test('a link that another browser has claimed is not handed out again, and both lead to the same sign-in', async () => {
  const server = scriptedServer()
  const { credentials, consent, credential, notes } = bench(server)
  const first = await consent()
  const [mine, other] = [browserFor(credentials.pages), browserFor(credentials.pages)]
  const begun = await other.open(first.url)
  expect(begun.status).toBe(302)
  expect((await mine.open(first.url)).status).toBe(410)
  const second = await consent()
  expect(second.url).not.toBe(first.url)
  expect(second.id).toBe(first.id)
  expect((await consent()).url).toBe(second.url)
  const { location } = await mine.open(second.url)
  // One browser may follow both links.
  await other.open((await consent()).url)
  const state = new URL(begun.location ?? '').searchParams.get('state')
  expect(await other.open(`${BASE}/oauth/callback?state=${state}&code=c&iss=${server.issuer}`)).toMatchObject({
    status: 200,
  })
  await Promise.all([first.settled, second.settled])
  expect(await credential.headers(ANONYMOUS)).toHaveLength(2)
  expect(notes.map(({ kind }) => kind)).toEqual(['sign-in-needed', 'sign-in-ended'])
  const late = new URL(location ?? '').searchParams.get('state')
  expect(await mine.open(`${BASE}/oauth/callback?state=${late}&code=c&iss=${server.issuer}`)).toMatchObject({
    status: 410,
  })
})

test('why a sign-in has failed is told to whoever waits for it, with addresses as they are', async () => {
  const server = scriptedServer()
  for (const url of Object.keys(server.documents)) delete server.documents[url]
  const { credentials, browser, notes } = bench(server, { more: { ifAsked: true } })
  const { url, settled } = await credentials.signIn(specOf(server, { ifAsked: true }), 'local')
  const page = await browser.open(url)
  const why = 'the metadata of the authorization server https://mail.example are not to be found'
  expect(page).toMatchObject({ status: 502, body: expect.stringContaining(`failed: ${why}.`) as string })
  expect(await settled).toEqual({ outcome: 'refused', why })
  server.documents[RESOURCE] = { body: { resource: server.backend, authorization_servers: ['https://as.example'] } }
  server.documents[SERVER] = { status: 502 }
  const passing = await credentials.signIn(specOf(server, { ifAsked: true }), 'local')
  expect((await browser.open(passing.url)).body).toContain('Try again')
  expect(notes.at(-1)).toEqual({
    kind: 'sign-in-failing',
    backend: 'mail',
    subject: 'local',
    why: 'the metadata of the authorization server https://as.example were answered with status 502',
  })
  expect(await Promise.race([passing.settled, Promise.resolve('pending')])).toBe('pending')
})

function damaged(): { store: OutboundSettings['store'] & { provider: 'file' }; restore: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'tokens')
  writeFileSync(path, 'garbage')
  return { store: { provider: 'file', path, keyFile: join(folder, 'key') }, restore: () => rmSync(path) }
}

test('a store that cannot be opened is told once, withholds what needs it, and stays as it is', async () => {
  const { store, restore } = damaged()
  const { failure, credentials, notes, clock, signIn, server } = bench(scriptedServer(), { store })
  const closed = { code: 'CREDENTIAL_UNAVAILABLE', message: expect.stringContaining('cannot be opened') as string }
  expect(await failure()).toMatchObject(closed)
  await expect(credentials.signIn(specOf(server), 'local')).rejects.toBeInstanceOf(StoreFault)
  await expect(credentials.accounts()).rejects.toMatchObject(closed)
  await expect(credentials.signOut('mail', 'local')).rejects.toMatchObject(closed)
  expect(notes).toEqual([
    {
      kind: 'store-failed',
      why: expect.stringContaining('cannot be opened') as string,
      file: store.path,
      remedy: `remove ${store.path} to start anew; users then sign in again`,
    },
  ])
  expect(readFileSync(store.path, 'utf8')).toBe('garbage')
  expect(existsSync(store.keyFile)).toBe(false)
  restore()
  clock.now += 2000
  expect(await signIn()).toMatchObject({ status: 200 })
})

test('a backend that has not asked for a sign-in goes on without the store', async () => {
  const { store } = damaged()
  const server = scriptedServer()
  const { credential, notes } = bench(server, { store, more: { ifAsked: true } })
  expect(await credential.headers(ANONYMOUS)).toEqual([])
  expect(await credential.refused(ANONYMOUS, { status: 401, challenge: 'Bearer', shown: [] })).toBe(false)
  const challenge = `Bearer resource_metadata="${RESOURCE}"`
  await expect(credential.refused(ANONYMOUS, { status: 401, challenge, shown: [] })).rejects.toBeInstanceOf(StoreFault)
  expect(notes.map(({ kind }) => kind)).toEqual(['store-failed'])
})

test('what was not asked for is shown when the store can be read again', async () => {
  const { store } = damaged()
  const server = scriptedServer()
  const whole = { ...store, path: `${store.path}.whole` }
  await bench(server, { store: whole }).signIn()
  const { credential } = bench(server, { store, more: { ifAsked: true } })
  const told: unknown[] = []
  credential.subscribe((subject) => told.push(subject))
  expect(await credential.headers(ANONYMOUS)).toEqual([])
  renameSync(whole.path, store.path)
  await expect.poll(() => told).toEqual([undefined])
  expect(await credential.headers(ANONYMOUS)).toHaveLength(2)
})
