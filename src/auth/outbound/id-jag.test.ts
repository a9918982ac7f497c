import { expect, test, vi } from 'vitest'
import { bearer, type TokenAnswer, tokenServer } from '../../../test/support/token-server.ts'
import { ConsentNeeded } from '../../model/credential.ts'
import { ANONYMOUS, type Identified } from '../../model/principal.ts'
import { Secret } from '../../model/secret.ts'
import { guardedFetch } from '../net/guarded-fetch.ts'
import { createIdJag, type IdJagDeps, type IdJagSpec } from './id-jag.ts'
import { createTokenEndpoints } from './token-endpoints.ts'

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'
const JAG = { access_token: 'jag', token_type: 'N_A', issued_token_type: ID_JAG, expires_in: 60 }

const person = (subject: string, more: Partial<Identified> = {}): Identified => ({
  kind: 'identified',
  key: `key of ${subject}`,
  id: subject,
  issuer: 'https://i',
  subject,
  client: 'app',
  scopes: [],
  claims: {},
  expiresAt: undefined,
  proof: new Secret(`inbound-${subject}`),
  ...more,
})

interface Script {
  jag?: object
  target?: TokenAnswer
  type?: IdJagSpec['subjectTokenType']
  deps?: Partial<IdJagDeps>
}

async function created({ jag = {}, target, type = 'id_token', deps = {} }: Script = {}) {
  const idp = await tokenServer(() => ({ body: { ...JAG, ...jag } }))
  const server = await tokenServer((_request, n) => target ?? bearer(`t${n}`))
  const credential = createIdJag(
    {
      kind: 'id_jag',
      idp: { tokenUrl: idp.url, client: { id: 'at-idp', secret: new Secret('one') } },
      target: {
        tokenUrl: server.url,
        client: { id: 'at-target', secret: new Secret('two') },
        audience: 'https://as.example',
        resource: 'https://mcp.example/mcp',
      },
      scopes: ['files'],
      subjectTokenType: type,
    },
    {
      endpoints: createTokenEndpoints({ fetch: guardedFetch, now: Date.now }),
      now: Date.now,
      idTokenOf: (who) => new Secret(`id-of-${who.kind}`),
      subscribe: () => () => {},
      ...deps,
    },
  )
  return { credential, idp, server }
}

const shown = (value: string) => ['authorization', `Bearer ${value}`]
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

test('the identity becomes an assertion, the assertion a token', async () => {
  const { credential, idp, server } = await created()
  expect(credential.perCaller).toBe(true)
  expect(await credential.headers(person('ann'))).toEqual(shown('t1'))
  expect(credential.headers(person('ann'))).toEqual(shown('t1'))
  expect(idp.requests).toEqual([
    {
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        requested_token_type: ID_JAG,
        audience: 'https://as.example',
        resource: 'https://mcp.example/mcp',
        subject_token: 'id-of-identified',
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        scope: 'files',
      },
      authorization: basic('at-idp:one'),
    },
  ])
  expect(server.requests).toEqual([
    {
      form: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'jag', scope: 'files' },
      authorization: basic('at-target:two'),
    },
  ])
})

test.each(['access_token', 'jwt'] as const)('with %s what the caller has shown is the subject', async (type) => {
  const { credential, idp } = await created({ type })
  await credential.headers(person('ann'))
  expect(idp.requests[0]?.form).toMatchObject({
    subject_token: 'inbound-ann',
    subject_token_type: `urn:ietf:params:oauth:token-type:${type}`,
  })
  await expect(credential.headers(person('bob', { proof: undefined }))).rejects.toThrow('has shown none')
})

test('a user who has not signed in is asked to, each time, and nobody is bothered', async () => {
  const consent = new ConsentNeeded('sign in', { url: 'u', id: 'i', settled: Promise.resolve() })
  const idTokenOf = vi.fn<IdJagDeps['idTokenOf']>(() => {
    throw consent
  })
  const { credential, idp } = await created({ deps: { idTokenOf } })
  await expect(credential.headers(person('ann'))).rejects.toBe(consent)
  idTokenOf.mockReturnValue(new Secret('id'))
  expect(await credential.headers(person('ann'))).toEqual(shown('t1'))
  expect(idp.requests).toHaveLength(1)
})

test("a token of the target ends with the caller's own, whose caller may come in a little longer", async () => {
  let now = Date.now()
  const exp = Math.floor(now / 1000) + 300
  const { credential, idp } = await created({ type: 'jwt', deps: { now: () => now } })
  const ann = person('ann', { claims: { exp }, expiresAt: exp * 1000 + 30_000 })
  await credential.headers(ann)
  now = exp * 1000 - 1
  expect(credential.headers(ann)).toEqual(shown('t1'))
  now = exp * 1000
  expect(() => credential.headers(ann)).toThrow('has expired')
  expect(idp.requests).toHaveLength(1)
})

test('the gateway itself has nothing to show', async () => {
  const { credential, idp } = await created()
  expect(credential.headers(ANONYMOUS)).toEqual([])
  expect(await credential.refused(ANONYMOUS, { status: 401, challenge: undefined, shown: [] })).toBe(false)
  expect(idp.requests).toEqual([])
})

test.each<[string, Script, string]>([
  [
    'an access token',
    { jag: { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' } },
    'than an ID-JAG',
  ],
  ['no type', { jag: { issued_token_type: undefined } }, 'than an ID-JAG'],
  ['a bearer token', { jag: { token_type: 'Bearer' } }, 'not of type n_a'],
  ['the identity itself', { jag: { access_token: 'id-of-identified' } }, "the caller's own token"],
  ['a token of the caller at last', { target: bearer('inbound-ann') }, "the caller's own token"],
  ['a refusal at last', { target: { status: 400, body: { error: 'invalid_grant' } } }, 'it answered invalid_grant'],
])('%s is refused', async (_what, script, message) => {
  const { credential } = await created(script)
  await expect(credential.headers(person('ann'))).rejects.toThrow(message)
})

test('401 makes both hops again, 403 nothing', async () => {
  const { credential, idp } = await created()
  await credential.headers(person('ann'))
  const refused = { challenge: undefined, shown: shown('t1') }
  expect(await credential.refused(person('ann'), { ...refused, status: 403 })).toBe(false)
  expect(await credential.refused(person('ann'), { ...refused, status: 401 })).toBe(true)
  expect(credential.headers(person('ann'))).toEqual(shown('t2'))
  expect(idp.requests).toHaveLength(2)
})

test('who signs in or out has another token, the others keep theirs', async () => {
  let tell: (principal: string | undefined) => void = () => {}
  const end = vi.fn<() => void>()
  const subscribe: IdJagDeps['subscribe'] = (listener) => {
    tell = listener
    return end
  }
  const { credential } = await created({ deps: { subscribe } })
  const told: unknown[] = []
  const off = credential.subscribe((principal) => void told.push(principal))
  await credential.headers(person('ann'))
  await credential.headers(person('bob'))
  tell('key of ann')
  expect(await credential.headers(person('ann'))).toEqual(shown('t3'))
  expect(credential.headers(person('bob'))).toEqual(shown('t2'))
  tell(undefined)
  expect(await credential.headers(person('bob'))).toEqual(shown('t4'))
  off()
  tell(undefined)
  credential.close()
  expect([told, end.mock.calls.length]).toEqual([['key of ann', undefined], 1])
})
