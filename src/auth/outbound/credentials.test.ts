import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { browserFor } from '../../../test/support/oidc/browser.ts'
import { issuerOf } from '../../../test/support/oidc/issuer.ts'
import { protectedBackend } from '../../../test/support/oidc/protected-backend.ts'
import { type RunningProvider, startProvider } from '../../../test/support/oidc/provider.ts'
import { bearer, tokenServer } from '../../../test/support/token-server.ts'
import type { BackendSpec } from '../../model/backend.ts'
import { ConsentNeeded, type Credential, type CredentialSpec } from '../../model/credential.ts'
import { backendId } from '../../model/ids.ts'
import { ANONYMOUS, type Identified, type Principal } from '../../model/principal.ts'
import { Secret } from '../../model/secret.ts'
import { createCredentials, type OutboundNote, type OutboundSettings } from './credentials.ts'

const BASE = 'http://127.0.0.1:4483'
let provider: RunningProvider

beforeAll(async () => {
  provider = await startProvider(undefined, { scopes: ['mail'], redirectUris: [`${BASE}/oauth/callback`] })
})
afterAll(() => provider.close())

const spec = (url: string, credential: CredentialSpec, id = 'mail'): BackendSpec => ({
  id: backendId(id),
  endpoint: { kind: 'http', url, headers: {} },
  era: 'auto',
  credential,
  disabled: false,
  origin: 'static',
})

async function backendOf(credential: Partial<Extract<CredentialSpec, { kind: 'authorization_code' }>> = {}) {
  const backend = await protectedBackend(provider.issuer, ['mail'])
  provider.resources.set(backend.url, { format: 'opaque', scope: 'mail admin' })
  return { backend, spec: spec(backend.url, { kind: 'authorization_code', ...credential }) }
}

interface Options {
  oidc?: boolean
  base?: string
  settings?: Partial<OutboundSettings>
}

function room({ oidc = false, base = BASE, settings = {} }: Options = {}) {
  const notes: OutboundNote[] = []
  const clock = { ahead: 0 }
  const { id: clientId, secret } = provider.client
  const credentials = createCredentials(
    {
      incomingAuth: oidc
        ? {
            type: 'oidc',
            issuers: [
              issuerOf(provider.issuer, {
                audiences: ['vmcp'],
                clientId,
                clientSecret: new Secret(secret),
                allowHttp: true,
                allowPrivate: true,
              }),
            ],
          }
        : { type: 'anonymous', issuers: [] },
      store: { provider: 'memory' },
      sealingKeys: [],
      ...settings,
    },
    { baseUrl: () => base, now: () => Date.now() + clock.ahead, tell: (note) => notes.push(note) },
  )
  onTestFinished(() => credentials.close())
  return { credentials, notes, clock }
}

const user = (subject: string): Identified => ({
  kind: 'identified',
  key: JSON.stringify([provider.issuer, subject, 'app']),
  id: subject,
  issuer: provider.issuer,
  subject,
  client: 'app',
  scopes: [],
  claims: {},
  expiresAt: undefined,
  proof: new Secret('a token that no backend may see'),
})

async function consentOf(credential: Credential, principal: Principal): Promise<ConsentNeeded> {
  const error: unknown = await Promise.resolve(credential.headers(principal)).catch((error: unknown) => error)
  if (error instanceof ConsentNeeded) return error
  throw new Error('no consent was asked for', { cause: error })
}

/** Goes through all sign-ins as `user` and returns the last page. */
async function signInAs(
  credentials: ReturnType<typeof room>['credentials'],
  url: string,
  user = 'alice',
  at = provider,
) {
  const browser = browserFor(credentials.pages)
  const { origin } = new URL(url)
  let seen = await browser.open(url)
  for (let hops = 0; seen.location !== undefined && hops < 5; hops++) {
    const next = seen.location.startsWith(origin) ? seen.location : (await at.browse(seen.location, user)).href
    seen = await browser.open(next)
  }
  return seen
}

test('a user of this machine signs in once; the gateway registers itself', async () => {
  const { backend, spec } = await backendOf()
  const { credentials, notes } = room()
  const credential = credentials.for(spec) as Credential
  expect(credential.perCaller).toBe(false)
  const told: (string | undefined)[] = []
  credential.subscribe((principal) => told.push(principal))

  const consent = await consentOf(credential, ANONYMOUS)
  expect(consent.url).toMatch(/^http:\/\/127\.0\.0\.1:4483\/oauth\/connect\?ticket=[\w-]{43}$/u)
  expect((await consentOf(credential, ANONYMOUS)).id).toBe(consent.id)

  const page = await signInAs(credentials, consent.url)
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining('Connected to mail') })
  await consent.settled
  expect(told).toEqual([undefined])
  expect(notes.map(({ kind }) => kind)).toEqual(['sign-in-needed', 'sign-in-ended'])

  const headers = await credential.headers(ANONYMOUS)
  expect(headers).toEqual(['authorization', expect.stringMatching(/^Bearer \S+$/u)])
  // Known now: no promise.
  expect(credential.headers(ANONYMOUS)).toBe(headers)
  expect(await credentials.accounts()).toEqual([
    {
      backend: 'mail',
      subject: 'local',
      issuer: provider.issuer,
      scopes: ['mail'],
      expiresAt: expect.any(Number) as number,
      canRefresh: true,
    },
  ])
  expect(backend.asked[0]).toBe('POST /mcp')
})

test('a client that was configured is used as it is, and its tokens end with it', async () => {
  const { id, secret } = provider.client
  const { backend, spec: configured } = await backendOf({ client: { id, secret: new Secret(secret) } })
  const { credentials } = room()
  const credential = credentials.for(configured) as Credential
  const registrations = provider.hits.get('/reg') ?? 0
  await signInAs(credentials, (await consentOf(credential, ANONYMOUS)).url)
  expect(await credential.headers(ANONYMOUS)).toHaveLength(2)
  expect(provider.hits.get('/reg') ?? 0).toBe(registrations)

  // Now registered: the tokens of the other client are not shown.
  const other = credentials.for(spec(backend.url, { kind: 'authorization_code' })) as Credential
  await consentOf(other, ANONYMOUS)
})

test('equal specs share what is shown until all have closed it', async () => {
  const server = await tokenServer((_request, count) => bearer(`t${count}`))
  const { credentials } = room()
  const client = { id: 'c', secret: new Secret('s') }
  const own = spec('http://127.0.0.1:9/mcp', {
    kind: 'client_credentials',
    tokenUrl: server.url,
    client,
    scopes: [],
  })
  const use = () => credentials.for({ ...own }) as Credential
  const [one, other] = [use(), use()]
  expect(await one.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer t1'])
  one.close()
  expect(other.headers(ANONYMOUS)).toEqual(['authorization', 'Bearer t1'])
  other.close()
  expect(await use().headers(ANONYMOUS)).toEqual(['authorization', 'Bearer t2'])
})

test('a credential that is closed hears nothing more of who signs in', async () => {
  const { spec } = await backendOf()
  const { credentials } = room()
  const [closed, open] = [credentials.for(spec) as Credential, credentials.for(spec) as Credential]
  const told: string[] = []
  closed.subscribe(() => told.push('closed'))
  open.subscribe(() => told.push('open'))
  closed.close()
  await signInAs(credentials, (await consentOf(open, ANONYMOUS)).url)
  expect(told).toEqual(['open'])
})

test('processes and fixed headers have nothing to show', () => {
  const { credentials } = room()
  const one = spec('http://127.0.0.1:9/mcp', { kind: 'authorization_code' })
  const { credential: _, ...bare } = one
  expect(credentials.for(bare)).toBeUndefined()
  const stdio = { kind: 'stdio', command: 'x', args: [], env: {} } as const
  expect(credentials.for({ ...one, endpoint: stdio })).toBeUndefined()
})

test('a token is refreshed ahead of time, once, and the new one is stored before it is shown', async () => {
  const { spec } = await backendOf()
  const { credentials, clock } = room()
  const credential = credentials.for(spec) as Credential
  await signInAs(credentials, (await consentOf(credential, ANONYMOUS)).url)
  const first = await credential.headers(ANONYMOUS)
  const told: unknown[] = []
  credential.subscribe((principal) => told.push(principal))
  const before = provider.hits.get('/token') ?? 0

  clock.ahead = 0.85 * 600_000
  // Still good: nobody waits.
  for (let calls = 0; calls < 5; calls++) expect(credential.headers(ANONYMOUS)).toBe(first)
  await expect.poll(() => credential.headers(ANONYMOUS)).not.toBe(first)
  expect(provider.hits.get('/token')).toBe(before + 1)
  // The same is shown under another name: nobody has to hear of it.
  expect(told).toEqual([])
})

test('many calls wait for one refresh of a token that is over', async () => {
  const { spec } = await backendOf()
  const { credentials, clock } = room()
  const credential = credentials.for(spec) as Credential
  await signInAs(credentials, (await consentOf(credential, ANONYMOUS)).url)
  const before = provider.hits.get('/token') ?? 0
  clock.ahead = 599_000
  const all = await Promise.all(Array.from({ length: 20 }, async () => credential.headers(ANONYMOUS)))
  expect(new Set(all)).toHaveLength(1)
  expect(provider.hits.get('/token')).toBe(before + 1)
})

test('a refused token is refreshed once, then the user is asked', async () => {
  const { spec } = await backendOf()
  const { credentials } = room()
  const credential = credentials.for(spec) as Credential
  await signInAs(credentials, (await consentOf(credential, ANONYMOUS)).url)
  const refuse = (shown: readonly string[]) =>
    credential.refused(ANONYMOUS, { status: 401, challenge: 'Bearer error="invalid_token"', shown })
  const first = await credential.headers(ANONYMOUS)
  const before = provider.hits.get('/token') ?? 0
  expect(await Promise.all([refuse(first), refuse(first), refuse(first)])).toEqual([true, true, true])
  expect(provider.hits.get('/token')).toBe(before + 1)
  const second = await credential.headers(ANONYMOUS)
  expect(second).not.toEqual(first)
  // Refused late, and replaced meanwhile.
  expect(await refuse(first)).toBe(true)
  expect(await credential.headers(ANONYMOUS)).toBe(second)
  await expect(refuse(second)).rejects.toBeInstanceOf(ConsentNeeded)
  expect(await credentials.accounts()).toEqual([])
  await consentOf(credential, ANONYMOUS)
})

test('missing scopes are asked for on top of those that are there, twice in a row', async () => {
  const { spec } = await backendOf()
  const { credentials } = room()
  const credential = credentials.for(spec) as Credential
  await signInAs(credentials, (await consentOf(credential, ANONYMOUS)).url)
  const told: unknown[] = []
  credential.subscribe((principal) => told.push(principal))
  const forbid = async (challenge: string) => {
    const shown = await credential.headers(ANONYMOUS)
    return credential.refused(ANONYMOUS, { status: 403, challenge, shown }).catch((error: unknown) => error)
  }
  expect(await forbid('Bearer error="invalid_token"')).toBe(false)
  const missing = 'Bearer error="insufficient_scope", scope="admin"'
  const first = (await forbid(missing)) as ConsentNeeded
  expect(first).toBeInstanceOf(ConsentNeeded)
  expect(((await forbid(missing)) as ConsentNeeded).id).toBe(first.id)
  // The old token is good for everything else.
  expect(await credential.headers(ANONYMOUS)).toHaveLength(2)
  await signInAs(credentials, first.url)
  expect((await credentials.accounts()).map(({ scopes }) => [...scopes].sort())).toEqual([['admin', 'mail']])
  expect(told).toEqual([undefined])
  const second = (await forbid(missing)) as ConsentNeeded
  expect(second.id).not.toBe(first.id)
  await signInAs(credentials, second.url)
  expect(await forbid(missing)).toBe(false)
})

test('signing out forgets the tokens and has them revoked', async () => {
  const { spec } = await backendOf()
  const { credentials } = room()
  const credential = credentials.for(spec) as Credential
  await signInAs(credentials, (await consentOf(credential, ANONYMOUS)).url)
  expect(await credential.headers(ANONYMOUS)).toHaveLength(2)
  const told: unknown[] = []
  const leave = credential.subscribe((principal) => told.push(principal))
  const revocations = provider.hits.get('/token/revocation') ?? 0
  expect(await credentials.signOut('mail', 'local')).toBe(true)
  expect(provider.hits.get('/token/revocation')).toBe(revocations + 2)
  expect(await credentials.accounts()).toEqual([])
  expect(told).toEqual([undefined])
  leave()
  await consentOf(credential, ANONYMOUS)
  expect(await credentials.signOut('mail', 'local')).toBe(false)
})

test('each user has tokens of their own, and the gateway none', async () => {
  const { spec } = await backendOf()
  const { credentials } = room({ oidc: true })
  const credential = credentials.for(spec) as Credential
  expect(credential.perCaller).toBe(true)
  expect(credential.headers(ANONYMOUS)).toEqual([])
  expect(await credential.refused(ANONYMOUS, { status: 401, challenge: 'Bearer', shown: [] })).toBe(false)
  const told: unknown[] = []
  credential.subscribe((principal) => told.push(principal))
  const [alice, bob] = [user('alice'), user('bob')]
  const page = await signInAs(credentials, (await consentOf(credential, alice)).url, 'alice')
  expect(page.body).toContain('Connected to mail')
  expect(told).toEqual([alice.key])
  await consentOf(credential, bob)
  await signInAs(credentials, (await consentOf(credential, bob)).url, 'bob')
  expect(await credential.headers(alice)).not.toEqual(await credential.headers(bob))
  expect((await credentials.accounts()).map(({ subject }) => subject)).toEqual([alice.key, bob.key])
})

test('whoever signs in as somebody else is turned away, and nothing is stored', async () => {
  const { spec } = await backendOf()
  const { credentials } = room({ oidc: true })
  const credential = credentials.for(spec) as Credential
  const { url } = await consentOf(credential, user('alice'))
  const page = await signInAs(credentials, url, 'mallory')
  expect(page).toMatchObject({ status: 403, body: expect.stringContaining('somebody else') })
  expect(await credentials.accounts()).toEqual([])
  // The right user may still do it, and the issuer is told to ask who it is.
  const { location } = await browserFor(credentials.pages).open(url)
  expect(new URL(location ?? '').searchParams.get('prompt')).toBe('login')
  expect((await signInAs(credentials, url, 'alice')).status).toBe(200)
})

test('a user of the configuration without a client id cannot sign in, and is told so', async () => {
  const { spec } = await backendOf()
  const issuers = [issuerOf(provider.issuer, { audiences: ['vmcp'] })]
  const { credentials } = room({ settings: { incomingAuth: { type: 'oidc', issuers } } })
  const credential = credentials.for(spec) as Credential
  await expect(credential.headers(user('alice'))).rejects.toThrow('incomingAuth.oidc needs a clientId')
})

test('the link works in one browser on this machine', async () => {
  const { spec } = await backendOf()
  const { credentials } = room()
  const { url } = await consentOf(credentials.for(spec) as Credential, ANONYMOUS)
  expect(await browserFor(credentials.pages, { loopback: false }).open(url)).toMatchObject({ status: 403 })
  const mine = browserFor(credentials.pages)
  const first = await mine.open(url)
  expect(first.status).toBe(302)
  expect(first.headers).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'set-cookie': expect.stringMatching(
      /^vmcp-connect-[\w-]+=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/u,
    ),
  })
  expect(await browserFor(credentials.pages).open(url)).toMatchObject({ status: 410 })
  const again = await mine.open(url)
  expect(again.status).toBe(302)
  // The first way was given up for the second.
  const stale = await provider.browse(first.location ?? '')
  expect(await mine.open(stale.href)).toMatchObject({ status: 410 })
  const back = await provider.browse(again.location ?? '')
  expect(await browserFor(credentials.pages).open(back.href)).toMatchObject({ status: 403 })
  expect(await mine.open(back.href)).toMatchObject({ status: 200 })
  // Once.
  expect(await mine.open(back.href)).toMatchObject({ status: 410 })
  expect(await mine.open(url)).toMatchObject({ status: 410 })
})

test('another process takes part: it signs in, refreshes and signs out', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const store = { provider: 'file', path: join(folder, 'tokens'), keyFile: join(folder, 'key') } as const
  const { spec } = await backendOf()
  const [gateway, command] = [room({ settings: { store } }), room({ settings: { store } })]
  const credential = gateway.credentials.for(spec) as Credential
  await consentOf(credential, ANONYMOUS)
  const told: unknown[] = []
  credential.subscribe((principal) => told.push(principal))

  const { url, settled } = await command.credentials.signIn(spec, 'local')
  await signInAs(command.credentials, url)
  expect(await settled).toEqual({ outcome: 'connected' })
  await expect.poll(() => told).toEqual([undefined])
  const first = await credential.headers(ANONYMOUS)

  const before = provider.hits.get('/token') ?? 0
  const theirs = command.credentials.for(spec) as Credential
  gateway.clock.ahead = 599_000
  command.clock.ahead = 599_000
  const [mine, other] = await Promise.all([credential.headers(ANONYMOUS), theirs.headers(ANONYMOUS)])
  expect(mine).toEqual(other)
  expect(mine).not.toEqual(first)
  expect(provider.hits.get('/token')).toBe(before + 1)

  expect(await command.credentials.signOut(spec, 'local')).toBe(true)
  await expect.poll(() => told).toEqual([undefined, undefined])
  await consentOf(credential, ANONYMOUS)
})

test('a user signs in once for an assertion of the identity provider, and is signed in again by himself', async () => {
  const exchange = await tokenServer(({ form }) => ({
    body: {
      access_token: `assertion-for-${form['subject_token']?.slice(-8)}`,
      token_type: 'N_A',
      issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
    },
  }))
  const target = await tokenServer((_request, count) => bearer(`access-${count}`))
  const { credentials, clock } = room({ oidc: true })
  const backend = spec('http://127.0.0.1:9/mcp', {
    kind: 'id_jag',
    idp: { tokenUrl: exchange.url },
    target: { tokenUrl: target.url, audience: 'https://as.example' },
    scopes: [],
    subjectTokenType: 'id_token',
  })
  const credential = credentials.for(backend) as Credential
  const alice = user('alice')
  const { url } = await consentOf(credential, alice)
  expect(await signInAs(credentials, url, 'mallory')).toMatchObject({ status: 403 })
  await consentOf(credential, alice)
  const page = await signInAs(credentials, url)
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining('You are signed in') as string })
  expect(await credential.headers(alice)).toEqual(['authorization', 'Bearer access-1'])
  const shown = exchange.requests[0]?.form['subject_token'] ?? ''
  const claims = JSON.parse(Buffer.from(shown.split('.')[1] ?? '', 'base64url').toString()) as object
  expect(claims).toMatchObject({ iss: provider.issuer, sub: 'alice', aud: provider.client.id })
  expect(await credentials.accounts()).toMatchObject([{ backend: 'mail', subject: alice.key, canRefresh: true }])
  await consentOf(credential, user('bob'))

  // The ID token is nearly over.
  const before = provider.hits.get('/token') ?? 0
  clock.ahead = 560_000
  await credential.refused(alice, { status: 401, challenge: undefined, shown: ['authorization', 'Bearer access-1'] })
  expect(provider.hits.get('/token')).toBe(before + 1)
  expect(exchange.requests).toHaveLength(2)

  expect(await credentials.signOut('mail', alice.key)).toBe(true)
  expect(await credentials.accounts()).toEqual([])
})

test("client credentials find the token endpoint from the backend's metadata", async () => {
  const backend = await protectedBackend(provider.issuer)
  provider.resources.set(backend.url, { format: 'opaque', scope: 'mail' })
  const { id, secret } = provider.client
  const { credentials } = room()
  const client = { id, secret: new Secret(secret) }
  const credential = credentials.for(spec(backend.url, { kind: 'client_credentials', client, scopes: ['mail'] }))
  expect(await credential?.headers(ANONYMOUS)).toEqual(['authorization', expect.stringMatching(/^Bearer \S+$/u)])
})

test('signing in on the command line asks for what can be signed in to', async () => {
  const { spec: backend } = await backendOf()
  const { credentials } = room()
  await expect(credentials.signIn(backend, 'nobody')).rejects.toThrow('neither "local" nor the key of a principal')
  const { credential: _, ...bare } = backend
  await expect(credentials.signIn(bare, 'local')).rejects.toThrow('users do not sign in at the backend "mail"')
})

test('a provider that reads client metadata knows the gateway by its own document', async () => {
  const base = 'https://mcp.example'
  const { credentials } = room({ base, settings: { publicUrl: `${base}/mcp` } })
  const id = `${base}/oauth/client-metadata.json`
  const { body } = await browserFor(credentials.pages).open(id)
  const reader = await startProvider(undefined, {
    scopes: ['mail'],
    clientDocuments: new Map([[id, JSON.parse(body) as object]]),
  })
  onTestFinished(() => reader.close())
  const backend = await protectedBackend(reader.issuer, ['mail'])
  reader.resources.set(backend.url, { format: 'opaque', scope: 'mail' })
  const credential = credentials.for(spec(backend.url, { kind: 'authorization_code' })) as Credential
  const page = await signInAs(credentials, (await consentOf(credential, ANONYMOUS)).url, 'alice', reader)
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining('Connected to mail') as string })
  expect(reader.hits.get('/reg')).toBeUndefined()
  expect(await credential.headers(ANONYMOUS)).toHaveLength(2)
})
