import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { bearer, type TokenAnswer, type TokenRequest, tokenServer } from '../../../test/support/token-server.ts'
import { GatewayError } from '../../model/errors.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { Secret } from '../../model/secret.ts'
import { FetchRefused, guardedFetch } from '../net/guarded-fetch.ts'
import { WRITTEN } from '../net/reach.ts'
import type { Discovered } from './authorization/server/discovery.ts'
import { trustOf } from './authorization/server/trust.ts'
import { type ClientCredentialsSpec, createClientCredentials } from './client-credentials.ts'
import { discoveredEndpoint } from './discovered-endpoint.ts'
import { createTokenEndpoints } from './token-endpoints.ts'

const SPEC: ClientCredentialsSpec = {
  kind: 'client_credentials',
  client: { id: 'c', secret: new Secret('s') },
  scopes: ['read'],
}
const BACKEND = 'http://127.0.0.1:9/mcp'

const endpoints = createTokenEndpoints({ fetch: guardedFetch, now: Date.now })

const create = ({ tokenUrl = '', ...spec }: Partial<ClientCredentialsSpec>) => {
  const { client, ...more } = { ...SPEC, ...spec }
  const endpoint = endpoints({ url: tokenUrl, reach: WRITTEN, client })
  return createClientCredentials(more, { now: Date.now, find: async () => ({ endpoint, resource: undefined }) })
}

/** What the metadata of a backend say: `found`. */
const createFound = (discover: () => Promise<Discovered>, backendUrl = BACKEND) => {
  const find = () => discoveredEndpoint(SPEC.client, trustOf(backendUrl, undefined), discover, endpoints)
  return createClientCredentials(SPEC, { now: Date.now, find })
}

const found = (tokenEndpoint: string, resource = BACKEND) =>
  ({
    resource,
    issuer: 'https://i',
    scopes: [],
    server: { issuer: 'https://i', tokenEndpoint, authMethods: ['client_secret_post'] },
  }) as unknown as Discovered

async function counting(answer: (request: TokenRequest, count: number) => TokenAnswer = (_, n) => bearer(`t${n}`)) {
  const server = await tokenServer(answer)
  return { ...server, scopes: () => server.requests.map(({ form }) => form['scope']) }
}

const shown = (value: string) => ['authorization', `Bearer ${value}`]
const STEP = (scope: string) => `Bearer error="insufficient_scope", scope="${scope}"`

test('one token of its own for everybody', async () => {
  const server = await counting()
  const credential = create({ tokenUrl: server.url, audience: 'api' })
  expect(credential.perCaller).toBe(false)
  expect(await credential.headers(ANONYMOUS)).toEqual(shown('t1'))
  expect(credential.headers(ANONYMOUS)).toEqual(shown('t1'))
  expect(server.requests.map(({ form }) => form)).toEqual([
    { grant_type: 'client_credentials', audience: 'api', scope: 'read' },
  ])
})

test('an endpoint that is found gets the resource too', async () => {
  const server = await counting()
  const answers = [found(server.url), found(server.url, 'http://127.0.0.1:9/')]
  const credential = createFound(async () => answers.shift() as Discovered)
  await credential.headers(ANONYMOUS)
  await credential.refused(ANONYMOUS, { status: 401, challenge: undefined, shown: shown('t1') })
  const form = { grant_type: 'client_credentials', scope: 'read', client_id: 'c', client_secret: 's' }
  expect(server.requests.map((request) => request.form)).toEqual([
    { ...form, resource: BACKEND },
    { ...form, resource: 'http://127.0.0.1:9/' },
  ])
})

test('an endpoint that is found leads to this machine only from this machine', async () => {
  const server = await counting()
  const credential = createFound(async () => found(server.url), 'https://mcp.example/mcp')
  await expect(credential.headers(ANONYMOUS)).rejects.toThrow('only requests to HTTPS are allowed')
  expect(server.requests).toEqual([])
})

test('metadata that cannot be had is a clear failure', async () => {
  const refused = new FetchRefused('timeout', 'https://as.example did not answer in time')
  const failing = createFound(() => Promise.reject(refused))
  await expect(failing.headers(ANONYMOUS)).rejects.toMatchObject({
    code: 'CREDENTIAL_UNAVAILABLE',
    message: 'https://as.example did not answer in time',
  })
  const known = new GatewayError('CREDENTIAL_UNAVAILABLE', 'the metadata names no server')
  await expect(createFound(() => Promise.reject(known)).headers(ANONYMOUS)).rejects.toBe(known)
})

test('401 brings a new token once, 403 without a reason nothing', async () => {
  const server = await counting()
  const credential = create({ tokenUrl: server.url })
  await credential.headers(ANONYMOUS)
  const refused = { challenge: undefined, shown: shown('t1') }
  expect(await credential.refused(ANONYMOUS, { ...refused, status: 403 })).toBe(false)
  expect(await credential.refused(ANONYMOUS, { ...refused, status: 401 })).toBe(true)
  expect(credential.headers(ANONYMOUS)).toEqual(shown('t2'))
  expect(server.requests).toHaveLength(2)
})

test('missing scopes are added, twice at most', async () => {
  const server = await counting()
  const credential = create({ tokenUrl: server.url })
  const refuse = async (scope: string) => {
    const now = await credential.headers(ANONYMOUS)
    return credential.refused(ANONYMOUS, { status: 403, challenge: STEP(scope), shown: now })
  }
  await credential.headers(ANONYMOUS)
  expect(await refuse('read')).toBe(false)
  expect(await refuse('write')).toBe(true)
  expect(await refuse('admin')).toBe(true)
  expect(await refuse('more')).toBe(false)
  expect(server.scopes()).toEqual(['read', 'read write', 'read write admin'])
  expect(credential.headers(ANONYMOUS)).toEqual(shown('t3'))
})

test('many calls that miss the same scope cause one request', async () => {
  const server = await counting()
  const credential = create({ tokenUrl: server.url })
  await credential.headers(ANONYMOUS)
  const refused = { status: 403, challenge: STEP('write'), shown: shown('t1') } as const
  const all = await Promise.all([1, 2, 3].map(() => credential.refused(ANONYMOUS, refused)))
  expect(all).toEqual([true, true, true])
  expect(server.scopes()).toEqual(['read', 'read write'])
})

test('scopes that the server does not give leave everything as it was', async () => {
  const server = await counting(({ form }, n) =>
    form['scope'] === 'read' ? bearer(`t${n}`) : { status: 400, body: { error: 'invalid_scope' } },
  )
  const credential = create({ tokenUrl: server.url })
  await credential.headers(ANONYMOUS)
  const refused = { status: 403, challenge: STEP('root'), shown: shown('t1') } as const
  expect(await credential.refused(ANONYMOUS, refused)).toBe(false)
  expect(credential.headers(ANONYMOUS)).toEqual(shown('t1'))
})

test('nothing of it prints a secret', async () => {
  const server = await counting(() => bearer('hush-token'))
  const credential = create({ tokenUrl: server.url, client: { id: 'c', secret: new Secret('hush-secret') } })
  await credential.headers(ANONYMOUS)
  expect(inspect(credential, { depth: 9, showHidden: true })).not.toContain('hush')
})
