import { expect, test } from 'vitest'
import { bearer, tokenServer } from '../../../test/support/token-server.ts'
import { ANONYMOUS, type Identified } from '../../model/principal.ts'
import { Secret } from '../../model/secret.ts'
import { guardedFetch } from '../net/guarded-fetch.ts'
import { createTokenEndpoints } from './token-endpoints.ts'
import { createTokenExchange, type TokenExchangeSpec } from './token-exchange.ts'

const NOW = 1_800_000_000_000
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

const spec = (tokenUrl: string, more: Partial<TokenExchangeSpec> = {}): TokenExchangeSpec => ({
  kind: 'token_exchange',
  tokenUrl,
  client: { id: 'gateway', secret: new Secret('s') },
  audience: 'crm',
  scopes: ['a', 'b'],
  subjectTokenType: ACCESS_TOKEN,
  ...more,
})

const person = (subject: string, more: Partial<Identified> = {}): Identified => ({
  kind: 'identified',
  key: JSON.stringify(['https://i', subject, 'app']),
  id: subject,
  issuer: 'https://i',
  subject,
  client: 'app',
  scopes: ['mcp'],
  claims: {},
  expiresAt: NOW + 600_000,
  proof: new Secret(`inbound-${subject}`),
  ...more,
})

const exchanging = (at: TokenExchangeSpec, now = () => NOW) =>
  createTokenExchange(at, { endpoints: createTokenEndpoints({ fetch: guardedFetch, now }), now })

const shown = (value: string) => ['authorization', `Bearer ${value}`]
const perSubject = () => tokenServer(({ form }, n) => bearer(`for-${form['subject_token']}-${n}`))

test("the caller's token is exchanged as RFC 8693 says, once", async () => {
  const { url, requests } = await perSubject()
  const credential = exchanging(spec(url))
  expect(credential.perCaller).toBe(true)
  expect(await credential.headers(person('ann'))).toEqual(shown('for-inbound-ann-1'))
  // A later token of the same person is the same person's.
  expect(credential.headers(person('ann', { proof: new Secret('later') }))).toEqual(shown('for-inbound-ann-1'))
  expect(requests.map(({ form }) => form)).toEqual([
    {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'inbound-ann',
      subject_token_type: ACCESS_TOKEN,
      requested_token_type: ACCESS_TOKEN,
      audience: 'crm',
      scope: 'a b',
    },
  ])
})

test('nobody gets what another one has exchanged: another subject, issuer, client, or weaker token', async () => {
  const { url, requests } = await perSubject()
  const credential = exchanging(spec(url))
  const callers = [
    person('ann'),
    person('bob'),
    person('ann', { key: JSON.stringify(['https://j', 'ann', 'app']) }),
    person('ann', { key: JSON.stringify(['https://i', 'ann', 'other']) }),
    person('ann', { scopes: ['mcp', 'admin'] }),
  ]
  const all = await Promise.all(callers.map(async (caller) => credential.headers(caller)))
  expect(new Set(all.map((headers) => headers[1])).size).toBe(callers.length)
  for (const [place, caller] of callers.entries()) expect(credential.headers(caller)).toEqual(all[place])
  expect(requests).toHaveLength(callers.length)
})

test("an exchanged token does not outlive the caller's", async () => {
  const { url } = await perSubject()
  let now = NOW
  const credential = exchanging(spec(url), () => now)
  await credential.headers(person('ann'))
  now = NOW + 599_999
  expect(credential.headers(person('ann'))).toEqual(shown('for-inbound-ann-1'))
  now = NOW + 600_000
  const next = person('ann', { proof: new Secret('new'), expiresAt: NOW + 1_200_000 })
  expect(await credential.headers(next)).toEqual(shown('for-new-2'))
})

test("an exchanged token ends with the caller's own, whose caller may come in a little longer", async () => {
  const { url, requests } = await perSubject()
  let now = NOW
  const credential = exchanging(spec(url), () => now)
  const ann = person('ann', { claims: { exp: NOW / 1000 + 600 }, expiresAt: NOW + 630_000 })
  await credential.headers(ann)
  now = NOW + 599_999
  expect(credential.headers(ann)).toEqual(shown('for-inbound-ann-1'))
  now = NOW + 600_000
  const over = expect.objectContaining({
    code: 'CREDENTIAL_UNAVAILABLE',
    message: expect.stringContaining('has expired') as string,
  })
  expect(() => credential.headers(ann)).toThrow(over)
  const refused = { status: 401, challenge: undefined, shown: shown('for-inbound-ann-1') } as const
  await expect(credential.refused(ann, refused)).rejects.toEqual(over)
  expect(requests).toHaveLength(1)
  // A later token of the same person is not held up.
  const next = { claims: { exp: NOW / 1000 + 1200 }, expiresAt: NOW + 1_230_000, proof: new Secret('new') }
  expect(await credential.headers(person('ann', next))).toEqual(shown('for-new-2'))
})

test('the gateway itself has a token of its own, when its client can prove itself', async () => {
  const { url, requests } = await tokenServer(({ form }, n) => bearer(`${form['grant_type']}-${n}`))
  const credential = exchanging(spec(url))
  expect(await credential.headers(ANONYMOUS)).toEqual(shown('client_credentials-1'))
  const refused = { status: 401, challenge: undefined, shown: shown('client_credentials-1') } as const
  expect(await credential.refused(ANONYMOUS, refused)).toBe(true)
  expect(requests[1]?.form).toEqual({ grant_type: 'client_credentials', audience: 'crm', scope: 'a b' })
  for (const client of [{ id: 'public' }, undefined]) {
    const { client: _, ...rest } = spec(url)
    const other = exchanging({ ...rest, ...(client && { client }) })
    expect(other.headers(ANONYMOUS)).toEqual([])
    expect(await other.refused(ANONYMOUS, { ...refused, shown: [] })).toBe(false)
  }
  expect(requests).toHaveLength(2)
})

test('a caller without a token has nothing to exchange', async () => {
  const { url, requests } = await perSubject()
  const credential = exchanging(spec(url))
  expect(() => credential.headers(person('ann', { proof: undefined }))).toThrow(
    expect.objectContaining({ code: 'CREDENTIAL_UNAVAILABLE', message: expect.stringContaining('has shown none') }),
  )
  expect(requests).toEqual([])
})

test('401 drops the token of this caller only, 403 nothing', async () => {
  const { url } = await perSubject()
  const credential = exchanging(spec(url))
  await credential.headers(person('ann'))
  await credential.headers(person('bob'))
  const refused = { challenge: 'Bearer error="insufficient_scope", scope="c"', shown: shown('for-inbound-ann-1') }
  expect(await credential.refused(person('ann'), { ...refused, status: 403 })).toBe(false)
  expect(await credential.refused(person('ann'), { ...refused, status: 401 })).toBe(true)
  expect(credential.headers(person('ann'))).toEqual(shown('for-inbound-ann-3'))
  expect(credential.headers(person('bob'))).toEqual(shown('for-inbound-bob-2'))
})

test.each([
  ['echoes', { access_token: 'inbound-ann' }, "the caller's own token instead of another one"],
  [
    'gives a refresh token',
    { issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
    'something else than an access token',
  ],
  ['gives no bearer token', { token_type: 'N_A' }, 'not of type bearer'],
])('a server that %s is not believed', async (_what, more, message) => {
  const { url } = await tokenServer(() => bearer('t', more))
  await expect(exchanging(spec(url)).headers(person('ann'))).rejects.toThrow(message)
})

test('what stands on the path of a call costs less than two microseconds', async () => {
  const { url } = await perSubject()
  const credential = exchanging(spec(url), Date.now)
  const caller = person('ann', { scopes: ['openid', 'mcp', 'email'], expiresAt: undefined })
  await credential.headers(caller)
  const rounds = Array.from({ length: 5 }, () => {
    const start = performance.now()
    for (let count = 0; count < 20_000; count++) void credential.headers(caller)
    return ((performance.now() - start) / 20_000) * 1000
  })
  expect(Math.min(...rounds)).toBeLessThan(2)
})
