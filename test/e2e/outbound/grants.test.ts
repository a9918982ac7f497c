import { afterEach, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/model/json.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { startGateway } from '../../support/gateway.ts'
import { legacyClient, modernClient } from '../../support/raw-client.ts'
import { startProvider } from '../../support/oidc/provider.ts'
import { tokenBackend } from '../../support/token-backend.ts'
import type { TokenServer } from '../../support/token-server.ts'
import { bearer, tokenServer } from '../../support/token-server.ts'

const PUBLIC = 'https://mcp.example/mcp'
const SECRET = 'a-secret-that-nobody-may-read'

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function gatewayFor(config: JsonObject): Promise<TestGateway> {
  const gateway = await startGateway(config)
  open.push(() => gateway.close())
  return gateway
}

/** The subject of a token that was issued by the provider, unverified: the tests' own server may believe it. */
function subjectOf(token: string): string {
  const [, claims = ''] = token.split('.')
  return String((JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sub?: unknown }).sub)
}

const clientCredentials = (server: TokenServer, more: JsonObject = {}): JsonObject => ({
  type: 'client_credentials',
  clientCredentials: { tokenUrl: server.url, clientId: 'gateway', clientSecret: SECRET, scopes: ['mail'], ...more },
})

/** A gateway whose callers come with the tokens of a provider, before the backend `crm`. */
async function signedInGateway(url: string, outgoingAuth: JsonObject) {
  const provider = await startProvider()
  open.push(() => provider.close())
  provider.resources.set(PUBLIC, { format: 'jwt', scope: 'mcp' })
  const gateway = await gatewayFor({
    publicUrl: PUBLIC,
    backends: [{ name: 'crm', url: url }],
    incomingAuth: {
      type: 'oidc',
      oidc: { issuer: provider.issuer, insecureAllowHttp: true, jwksAllowPrivateIp: true },
    },
    outgoingAuth,
  })
  return { provider, gateway }
}

const exchangeAt = (server: TokenServer): JsonObject => ({
  type: 'token_exchange',
  tokenExchange: { tokenUrl: server.url, clientId: 'gateway', clientSecret: SECRET, audience: 'crm' },
})

test.each(['legacy', 'modern'] as const)('a token of its own for a %s backend, asked for once', async (era) => {
  const server = await tokenServer(() => bearer('machine-token'))
  const backend = await tokenBackend({ era, userOf: (token) => (token === 'machine-token' ? 'machine' : undefined) })
  const gateway = await gatewayFor({
    backends: [{ name: 'mail', url: backend.url }],
    outgoingAuth: { backends: { mail: clientCredentials(server) } },
  })
  for (const client of [await legacyClient(gateway.url), await modernClient(gateway.url)]) {
    expect(await client.tools()).toEqual(['whoami', 'of_machine'])
    for (let n = 0; n < 5; n++) expect((await client.tool('whoami')).text).toBe('machine')
    await client.close()
  }
  expect(server.requests).toHaveLength(1)
  expect(server.requests[0]?.form).toMatchObject({ grant_type: 'client_credentials', scope: 'mail' })
})

test('a token that the backend has revoked is replaced once, within the call', async () => {
  const server = await tokenServer((_request, count) => bearer(`token-${count}`))
  let good = 'token-1'
  const backend = await tokenBackend({ era: 'legacy', userOf: (token) => (token === good ? 'machine' : undefined) })
  const gateway = await gatewayFor({
    backends: [{ name: 'mail', url: backend.url }],
    outgoingAuth: { backends: { mail: clientCredentials(server) } },
  })
  const client = await modernClient(gateway.url)
  expect((await client.tool('whoami')).text).toBe('machine')
  good = 'token-2'
  expect((await client.tool('whoami')).text).toBe('machine')
  expect(server.requests).toHaveLength(2)
  await client.close()
})

test('a token endpoint that refuses costs its backend only, and says why without the secret', async () => {
  const server = await tokenServer(() => ({
    status: 401,
    body: { error: 'invalid_client', error_description: `no client has ${SECRET}` },
  }))
  const backend = await tokenBackend({ era: 'legacy', userOf: () => undefined })
  const other = await tokenBackend({ era: 'legacy', userOf: () => undefined, open: () => true })
  const gateway = await gatewayFor({
    backends: [
      { name: 'mail', url: backend.url },
      { name: 'other', url: other.url },
    ],
    outgoingAuth: { backends: { mail: clientCredentials(server) } },
  })
  const client = await modernClient(gateway.url)
  expect(await client.tools()).toEqual(['other_whoami'])
  const answer = await client.tool('mail_whoami')
  expect(answer.isError).toBe(true)
  expect(answer.text).toMatch(/backend "mail" .*invalid_client/)
  expect(JSON.stringify([gateway.events, answer])).not.toContain(SECRET)
  expect(backend.shown).toEqual([])
  await client.close()
})

test('each caller is shown as themselves, and never with the token that came in', async () => {
  const server = await tokenServer(({ form }) =>
    form['grant_type'] === 'client_credentials'
      ? bearer('machine-token')
      : bearer(`for-${subjectOf(form['subject_token'] ?? '')}`),
  )
  const backend = await tokenBackend({
    era: 'legacy',
    userOf: (token) => (token === 'machine-token' ? 'machine' : /^for-(\w+)$/.exec(token)?.[1]),
  })
  const { provider, gateway } = await signedInGateway(backend.url, {
    backends: { crm: exchangeAt(server) },
  })
  const inbound: string[] = []
  for (const user of ['alice', 'bob']) {
    const token = await provider.userToken(PUBLIC, user, 'mcp')
    inbound.push(token)
    for (const connect of [legacyClient, modernClient]) {
      const client = await connect(gateway.url, { token })
      expect(await client.tools()).toEqual(['whoami', `of_${user}`])
      for (let n = 0; n < 3; n++) expect((await client.tool('whoami')).text).toBe(user)
      expect((await client.tool(user === 'alice' ? 'of_bob' : 'of_alice')).text).toMatch(/Unknown tool/)
      await client.close()
    }
  }
  const exchanges = server.requests.filter(({ form }) => form['grant_type'] !== 'client_credentials')
  expect(exchanges.map(({ form }) => subjectOf(form['subject_token'] ?? '')).toSorted()).toEqual(['alice', 'bob'])
  expect(exchanges[0]?.form).toMatchObject({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: 'crm',
  })
  for (const token of inbound) expect(backend.shown.join()).not.toContain(token)
})

test('calls at once of many users come each with their own token', async () => {
  const server = await tokenServer(({ form }) => bearer(`for-${subjectOf(form['subject_token'] ?? '')}`))
  const backend = await tokenBackend({ era: 'modern', userOf: (token) => /^for-(\w+)$/.exec(token)?.[1] })
  const { provider, gateway } = await signedInGateway(backend.url, {
    default: { type: 'token_exchange', tokenExchange: { tokenUrl: server.url } },
  })
  const users = Array.from({ length: 20 }, (_, n) => `user${n}`)
  const answers = await Promise.all(
    users.map(async (user) => {
      const client = await modernClient(gateway.url, { token: await provider.userToken(PUBLIC, user, 'mcp') })
      const texts = await Promise.all(Array.from({ length: 10 }, async () => (await client.tool('whoami')).text))
      await client.close()
      return [...new Set(texts)]
    }),
  )
  expect(answers).toEqual(users.map((user) => [user]))
  expect(server.requests).toHaveLength(20)
  expect(backend.done.filter(({ method, user }) => method !== 'server/discover' && user === undefined)).toEqual([])
})

test('an exchange that fails is named where its user and its operator look', async () => {
  let works = false
  const server = await tokenServer(({ form }) =>
    works || form['grant_type'] === 'client_credentials'
      ? bearer(works ? `for-${subjectOf(form['subject_token'] ?? '')}` : 'machine-token')
      : { status: 401, body: { error: 'invalid_client' } },
  )
  const backend = await tokenBackend({ era: 'legacy', userOf: (token) => /^for-(\w+)$/.exec(token)?.[1] })
  const { provider, gateway } = await signedInGateway(backend.url, {
    backends: { crm: exchangeAt(server) },
  })
  const health = async () => {
    const answer = await fetch(gateway.url.replace('/mcp', '/status'))
    return ((await answer.json()) as { backends: { health: string }[] }).backends[0]?.health
  }
  const client = await modernClient(gateway.url, { token: await provider.userToken(PUBLIC, 'alice', 'mcp') })
  expect(await client.tools()).toEqual([])
  const told = gateway.events.filter(({ name }) => name === 'backend.note').map(({ data }) => JSON.stringify(data))
  expect(told.filter((note) => note.includes('invalid_client'))).toHaveLength(1)
  expect(await health()).toBe('degraded')
  const answer = await client.tool('whoami')
  expect(answer).toMatchObject({ isError: true, text: expect.stringMatching(/backend "crm" .*invalid_client/) })
  works = true
  await new Promise((resolve) => setTimeout(resolve, 1100))
  expect(await client.tools()).toEqual(['whoami', 'of_alice'])
  expect(await health()).toBe('healthy')
  await client.close()
})
