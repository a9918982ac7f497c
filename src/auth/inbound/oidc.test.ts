import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { issuerOf } from '../../../test/support/oidc/issuer.ts'
import { fetchFrom, scriptedIssuer, type ScriptedIssuer } from '../../../test/support/oidc/scripted-issuer.ts'
import { hmacSigned, type SigningKey, signingKey, tampered, unsigned } from '../../../test/support/oidc/signing.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Issuer } from '../../model/issuer.ts'
import type { Identified } from '../../model/principal.ts'
import { Secret } from '../../model/secret.ts'
import { readJwt } from '../issuer/jwt.ts'
import type { IssuerNote } from '../issuer/key-source.ts'
import { fittingKeys, readKeySet } from '../issuer/keys.ts'
import { type GuardedFetch, guardedFetch } from '../net/guarded-fetch.ts'
import { createAuthenticator } from './authenticator.ts'
import type { AuthenticatorSettings } from './settings.ts'
import { verifyJwt } from './verify.ts'

const ISSUER = 'https://id.example'
const RESOURCE = 'https://mcp.example/mcp'
const START = Date.parse('2026-11-21T12:00:00Z')
const SECONDS = START / 1000
const CHALLENGE = 'resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="openid"'

const rsa = await signingKey('RS256', 'r1')
const edward = await signingKey('EdDSA', 'e1')
const curve = await signingKey('ES256', 'c1')

const CLAIMS = { iss: ISSUER, aud: RESOURCE, sub: 'alice', client_id: 'app', exp: SECONDS + 3600, iat: SECONDS }

function bench(
  trusted: Partial<Issuer>[] = [{}],
  issuers: ScriptedIssuer[] = [scriptedIssuer(ISSUER, rsa)],
  elsewhere?: GuardedFetch,
) {
  const clock = { now: START }
  const notes: IssuerNote[] = []
  const settings: AuthenticatorSettings = {
    name: 'engineering',
    publicUrl: RESOURCE,
    incomingAuth: { type: 'oidc', issuers: trusted.map((one) => issuerOf(ISSUER, { audiences: [RESOURCE], ...one })) },
  }
  const authenticator = createAuthenticator(settings, {
    fetch: fetchFrom(issuers, elsewhere),
    now: () => clock.now,
    tell: (note) => notes.push(note),
  })
  const enter = async (token: string) => (await authenticator.authenticate(`Bearer ${token}`)) as Identified
  const refusal = async (token: string): Promise<GatewayError> => {
    const error: unknown = await enter(token).catch((thrown: unknown) => thrown)
    if (!(error instanceof GatewayError)) throw new Error(`let in, or broken: ${String(error)}`)
    return error
  }
  return { clock, notes, issuer: issuers[0]!, authenticator, enter, refusal }
}

test('a good token says who is asking', async () => {
  const { enter } = bench()
  const token = await rsa.mint({ ...CLAIMS, scope: 'mcp read', groups: ['a'] })
  const principal = await enter(token)
  expect(principal).toMatchObject({
    kind: 'identified',
    key: '["https://id.example","alice","app"]',
    id: 'alice',
    issuer: ISSUER,
    subject: 'alice',
    client: 'app',
    scopes: ['mcp', 'read'],
    claims: { groups: ['a'] },
    expiresAt: START + 3_630_000,
  })
  expect(principal.proof?.reveal()).toBe(token)
  expect(Object.isFrozen(principal.claims) && Object.isFrozen(principal.claims['groups'])).toBe(true)
})

test('the key of a principal survives a new token, and tells clients apart', async () => {
  const { enter } = bench()
  const keyOf = async (claims: object) => (await enter(await rsa.mint({ ...CLAIMS, ...claims }))).key
  expect(await keyOf({ jti: '1' })).toBe(await keyOf({ jti: '2' }))
  expect(await keyOf({ client_id: undefined, azp: 'app' })).toBe(await keyOf({}))
  const keys = [{}, { client_id: 'other' }, { client_id: undefined }, { sub: 'alice","app' }].map(keyOf)
  expect(new Set(await Promise.all(keys)).size).toBe(4)
})

test('a token that was seen is answered at once, until it expires', async () => {
  const { authenticator, clock, enter, issuer, refusal } = bench()
  const token = await rsa.mint(CLAIMS)
  const first = await enter(token)
  const asked = issuer.asked.length
  expect(authenticator.authenticate(`bearer ${token}`)).toBe(first)
  expect(issuer.asked.length).toBe(asked)
  clock.now = CLAIMS.exp * 1000 + 30_000
  expect((await refusal(token)).message).toBe('the token has expired')
})

test('calls that come together verify a token once and fetch the keys once', async () => {
  const { enter, issuer } = bench()
  const token = await rsa.mint(CLAIMS)
  const principals = await Promise.all(Array.from({ length: 20 }, () => enter(token)))
  expect(new Set(principals).size).toBe(1)
  expect(issuer.asked).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/jwks`])
})

test('no token is answered at once with a challenge that carries no error', () => {
  const { authenticator, issuer } = bench()
  for (const header of [undefined, '', 'Basic YTpi', 'Bearer', 'DPoP abc']) {
    const error = thrown(() => authenticator.authenticate(header))
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', challenge: `Bearer ${CHALLENGE}` })
  }
  expect(issuer.asked).toEqual([])
})

function thrown(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

const long = 'x'.repeat(17_000)
const MALFORMED: [string, string, string][] = [
  ['spaces inside', 'a b', 'the authorization header holds no well-formed bearer token'],
  ['foreign characters', 'a,b', 'the authorization header holds no well-formed bearer token'],
  ['nothing', '', 'the authorization header holds no well-formed bearer token'],
  ['too long', long, 'the token is too large'],
  ['opaque', 'abc', 'the token is not a JWT and cannot be checked here'],
  ['a header that is no JSON', 'YWJj.YWJj.YWJj', 'the token is not a JWT and cannot be checked here'],
  [
    'claims that are no JSON',
    `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.YWJj.YWJj`,
    'the claims of the token are not well-formed',
  ],
]
test.each(MALFORMED)('refuses a token with %s', async (_name, token, message) => {
  const { refusal } = bench()
  const challenge = `Bearer error="invalid_token", error_description="${message}", ${CHALLENGE}`
  expect(await refusal(token)).toMatchObject({ code: 'UNAUTHENTICATED', message, challenge })
})

const deep = { a: { a: { a: { a: { a: { a: { a: { a: {} } } } } } } } }
const WRONG: [string, object, string][] = [
  ['another issuer', { iss: 'https://evil.example' }, 'the issuer of the token is not trusted here'],
  ['an issuer with a slash more', { iss: `${ISSUER}/` }, 'the issuer of the token is not trusted here'],
  ['a list of issuers', { iss: [ISSUER] }, 'the issuer of the token is not trusted here'],
  ['no issuer', { iss: undefined }, 'the issuer of the token is not trusted here'],
  ['another audience', { aud: 'https://other.example' }, 'the token was not issued for this resource'],
  ['a longer audience', { aud: `${RESOURCE}/` }, 'the token was not issued for this resource'],
  ['no audience', { aud: undefined }, 'the token was not issued for this resource'],
  ['an empty audience', { aud: [] }, 'the token was not issued for this resource'],
  ['an audience of numbers', { aud: [1] }, 'the token was not issued for this resource'],
  ['no expiry', { exp: undefined }, 'the token does not say when it expires'],
  ['an expiry in words', { exp: 'tomorrow' }, 'the claims of the token are not well-formed'],
  ['an expiry now', { exp: SECONDS - 30 }, 'the token has expired'],
  ['an expiry in the past', { exp: SECONDS - 31 }, 'the token has expired'],
  ['a later beginning', { nbf: SECONDS + 61 }, 'the token is not valid yet'],
  ['an issue in the future', { iat: SECONDS + 61 }, 'the token is not valid yet'],
  ['no subject', { sub: undefined }, 'the token does not name a usable subject'],
  ['an empty subject', { sub: '' }, 'the token does not name a usable subject'],
  ['a subject that is a number', { sub: 7 }, 'the token does not name a usable subject'],
  ['a subject with a line break', { sub: 'a\nb' }, 'the token does not name a usable subject'],
  ['a subject that is too long', { sub: 'a'.repeat(2049) }, 'the token does not name a usable subject'],
  ['a client that is a list', { client_id: ['app'] }, 'the claims of the token are not well-formed'],
  ['a confirmation key', { cnf: { jkt: 'x' } }, 'the token is bound to a key that cannot be checked here'],
  ['deep claims', { deep }, 'the token is too large'],
  ['many claims', Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`c${at}`, 1])), 'the token is too large'],
]
test.each(WRONG)('refuses %s', async (_name, claims, message) => {
  const { refusal } = bench()
  expect(await refusal(await rsa.mint({ ...CLAIMS, ...claims }))).toMatchObject({ code: 'UNAUTHENTICATED', message })
})

test.each([
  ['clocks that differ', { nbf: SECONDS + 59, iat: SECONDS + 59 }],
  ['an audience among others', { aud: ['x', RESOURCE] }],
])('accepts %s', async (_name, claims) => {
  const { enter } = bench()
  expect(await enter(await rsa.mint({ ...CLAIMS, ...claims }))).toMatchObject({ id: 'alice' })
})

const jwk = edward.publicJwk
const FORGED: [string, () => string | Promise<string>, string][] = [
  ['no signature', () => unsigned(CLAIMS), 'algorithm'],
  ['no signature, spelt otherwise', () => unsigned(CLAIMS, 'NONE'), 'algorithm'],
  ['no signature, but a good algorithm', () => unsigned(CLAIMS, 'RS256'), 'key'],
  ['HMAC with the public key', () => hmacSigned(CLAIMS, JSON.stringify(rsa.publicJwk), { kid: 'r1' }), 'algorithm'],
  ['changed claims', async () => tampered(await rsa.mint(CLAIMS), { sub: 'root' }), 'signature'],
  ['a key of its own in the header', () => edward.mint(CLAIMS, { kid: undefined, jwk }), 'key'],
  ['a key set of its own', () => edward.mint(CLAIMS, { kid: 'x', jku: 'https://evil.example/jwks' }), 'key'],
  [
    'a certificate of its own',
    () => edward.mint(CLAIMS, { kid: 'x', x5u: 'https://evil.example/c', x5c: ['MA=='] }),
    'key',
  ],
  ['the kid of a key that fits another algorithm', () => edward.mint(CLAIMS, { kid: 'r1' }), 'key'],
  ['a kid that is a path', () => edward.mint(CLAIMS, { kid: '../../dev/null' }), 'key'],
  ['a kid that is no text', () => edward.mint(CLAIMS, { kid: { $ne: '' } }), 'key'],
  ['a foreign key under a known kid', async () => (await signingKey('RS256', 'r1')).mint(CLAIMS), 'signature'],
  ['an algorithm that its key is not for', () => rsa.mint(CLAIMS, { kid: 'p1' }), 'key'],
  ['a critical extension', () => rsa.mint(CLAIMS, { crit: ['x'], x: 1 }), 'extension'],
  ['the type of an identity assertion', () => rsa.mint(CLAIMS, { typ: 'oauth-id-jag+jwt' }), 'access token'],
  ['the type of a proof', () => rsa.mint(CLAIMS, { typ: 'dpop+jwt' }), 'access token'],
]
test.each(FORGED)('refuses a token with %s', async (_name, forge, word) => {
  const { issuer, refusal } = bench()
  issuer.keys.push({ ...(await signingKey('PS256', 'p1')).publicJwk })
  const error = await refusal(await forge())
  expect(error.code).toBe('UNAUTHENTICATED')
  expect(error.message).toContain(word)
  expect(issuer.asked.filter((url) => !url.startsWith(ISSUER))).toEqual([])
})

test('odd keys in a key set are ignored, and take nothing from the others', async () => {
  const issuer = scriptedIssuer(ISSUER, rsa)
  const small = { kty: 'RSA', n: Buffer.alloc(64, 255).toString('base64url'), e: 'AQAB', kid: 'small' }
  const odd = [
    1,
    null,
    {},
    { kty: 'oct', k: 'c2VjcmV0', kid: 'r1' },
    { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
    small,
  ]
  issuer.keys = [
    ...odd,
    { ...edward.publicJwk, use: 'enc' },
    { ...curve.publicJwk, key_ops: ['encrypt'] },
    rsa.publicJwk,
  ]
  const { enter, refusal } = bench([{}], [issuer])
  expect(await enter(await rsa.mint(CLAIMS))).toMatchObject({ id: 'alice' })
  expect((await refusal(await edward.mint(CLAIMS))).message).toBe('the key that signed the token is not known')
  expect((await refusal(await curve.mint(CLAIMS))).message).toBe('the key that signed the token is not known')
})

test('a token without kid is tried against the keys that fit', async () => {
  const others = await Promise.all([1, 2].map((number) => signingKey('ES256', `o${number}`)))
  const { enter, refusal } = bench([{}], [scriptedIssuer(ISSUER, rsa, ...others, curve)])
  expect(await enter(await curve.mint(CLAIMS, { kid: undefined }))).toMatchObject({ id: 'alice' })
  const foreign = await signingKey('ES256')
  expect((await refusal(await foreign.mint(CLAIMS, { kid: undefined }))).message).toContain('key')
})

test('an unknown kid asks for the keys again: once, not for every token, not within 10 s', async () => {
  const { clock, enter, issuer, refusal } = bench()
  await enter(await rsa.mint(CLAIMS))
  clock.now += 1000
  issuer.keys.push(curve.publicJwk)
  const tokens = await Promise.all(Array.from({ length: 9 }, (_, at) => curve.mint({ ...CLAIMS, jti: String(at) })))
  await Promise.all(tokens.map(enter))
  const fetched = () => issuer.asked.filter((url) => url.endsWith('/jwks')).length
  expect(fetched()).toBe(2)
  issuer.keys.push(edward.publicJwk)
  for (let at = 0; at < 9; at++) {
    clock.now += 1000
    await refusal(await edward.mint({ ...CLAIMS, jti: String(at) }, { kid: `k${at}` }))
  }
  expect(fetched()).toBe(2)
  clock.now += 1000
  expect(await enter(await edward.mint(CLAIMS))).toMatchObject({ id: 'alice' })
  expect(fetched()).toBe(3)
})

test('tokens that would be refused anyhow fetch no keys', async () => {
  const { issuer, refusal } = bench()
  await refusal(await edward.mint({ ...CLAIMS, aud: 'x' }, { kid: 'k' }))
  await refusal(await edward.mint({ ...CLAIMS, iss: 'https://evil.example' }))
  await refusal(unsigned(CLAIMS))
  expect(issuer.asked).toEqual([])
})

test('a key that is withdrawn takes its tokens with it', async () => {
  const { authenticator, clock, enter, issuer, refusal } = bench([{}], [scriptedIssuer(ISSUER, rsa, curve)])
  const [old, other] = [await rsa.mint(CLAIMS), await curve.mint(CLAIMS)]
  await enter(old)
  const kept = await enter(other)
  issuer.keys.shift()
  clock.now += 301_000
  // The keys are old: they are renewed in the background.
  await enter(old)
  await expect.poll(() => issuer.asked.filter((url) => url.endsWith('/jwks')).length).toBe(2)
  await new Promise((done) => setTimeout(done, 5))
  expect((await refusal(old)).message).toBe('the key that signed the token is not known')
  expect(authenticator.authenticate(`Bearer ${other}`)).toBe(kept)
})

test('other material under the same kid is another key', async () => {
  const { clock, enter, issuer, refusal } = bench()
  const token = await rsa.mint(CLAIMS)
  await enter(token)
  issuer.keys = [(await signingKey('RS256', 'r1')).publicJwk]
  clock.now += 301_000
  await enter(token)
  await new Promise((done) => setTimeout(done, 10))
  expect((await refusal(token)).message).toBe('the signature of the token is not valid')
})

test('an issuer that is away: 503 without keys, no hammering, and nothing lost with keys', async () => {
  const { clock, enter, issuer, notes, refusal } = bench()
  issuer.down = true
  const token = await rsa.mint(CLAIMS)
  const error = await refusal(token)
  expect(error).toMatchObject({ code: 'ISSUER_UNREACHABLE', challenge: undefined })
  expect(error.message).not.toContain('id.example')
  expect(error.detail).toContain('ECONNREFUSED')
  const asked = issuer.asked.length
  await refusal(token)
  expect(issuer.asked.length).toBe(asked)
  issuer.down = false
  clock.now += 1000
  await enter(token)
  issuer.down = true
  clock.now += 3_000_000
  await enter(await rsa.mint({ ...CLAIMS, jti: '2', exp: SECONDS + 90_000 }))
  clock.now += 30_000_000
  await enter(await rsa.mint({ ...CLAIMS, jti: '3', exp: SECONDS + 90_000 }))
  clock.now = START + 86_402_000
  expect((await refusal(await rsa.mint({ ...CLAIMS, jti: '4', exp: SECONDS + 90_000 }))).code).toBe(
    'ISSUER_UNREACHABLE',
  )
  expect(notes.map(({ kind }) => kind)).toEqual(['issuer-failing', 'issuer-ready', 'issuer-failing'])
})

test.each([
  ['no key set', { issuer: ISSUER }],
  ['another issuer', { issuer: 'https://evil.example', jwks_uri: `${ISSUER}/jwks` }],
  ['the issuer with a slash', { issuer: `${ISSUER}/`, jwks_uri: `${ISSUER}/jwks` }],
])('a discovery document with %s is no document', async (_name, document) => {
  const { issuer, refusal } = bench()
  issuer.document = document
  expect((await refusal(await rsa.mint(CLAIMS))).code).toBe('ISSUER_UNREACHABLE')
  expect(issuer.asked.filter((url) => url.endsWith('/jwks'))).toEqual([])
})

test('a key set that moves is found again', async () => {
  const { clock, enter, issuer, refusal } = bench()
  issuer.document['jwks_uri'] = `${ISSUER}/nowhere`
  expect((await refusal(await rsa.mint(CLAIMS))).detail).toBe(`${ISSUER}: the key set was answered with status 404`)
  issuer.document['jwks_uri'] = `${ISSUER}/jwks`
  clock.now += 1000
  await enter(await rsa.mint(CLAIMS))
})

test('a key that was withdrawn while a signature was checked counts no more', async () => {
  const keys = readKeySet({ keys: [{ ...rsa.publicJwk }] }, []) ?? []
  const keySource = { keys: async () => keys, askAgain: async () => keys, touch() {} }
  const issuer = issuerOf(ISSUER, { audiences: [RESOURCE] })
  const trusted = { issuer, keySource, introspect: undefined, challenge: { metadataUrl: undefined, scopes: [] } }
  const jwt = readJwt(await rsa.mint(CLAIMS))!
  const verification = verifyJwt(jwt, trusted, [], () => START)
  readKeySet({ keys: [] }, keys)
  await expect(verification).rejects.toThrow('the key that signed the token is not known')
})

test('of keys that name no algorithm only those that fit are tried', async () => {
  const published = [rsa, edward, curve].map(({ publicJwk }) => ({
    ...publicJwk,
    kid: 'same',
    alg: undefined,
  }))
  const keys = readKeySet({ keys: published }, []) ?? []
  const families = (algorithm: string) => fittingKeys(keys, algorithm, 'same').map(({ family }) => family)
  expect(['RS512', 'PS256', 'ES256', 'ES384', 'Ed25519', 'HS256', 'none'].map(families)).toEqual([
    ['RSA'],
    ['RSA'],
    ['EC P-256'],
    [],
    ['OKP Ed25519'],
    [],
    [],
  ])
})

test('a configured key set needs no discovery', async () => {
  const { enter, issuer } = bench([{ jwksUrl: `${ISSUER}/jwks` }])
  await enter(await rsa.mint(CLAIMS))
  expect(issuer.asked).toEqual([`${ISSUER}/jwks`])
})

test('required scopes: the whole set is named for a step-up', async () => {
  const { enter, refusal, authenticator } = bench([{ requiredScopes: ['mcp', 'read'], scopes: ['openid'] }])
  for (const claims of [{ scope: 'mcp read' }, { scp: ['read', 'mcp'] }, { scp: 'mcp read x' }]) {
    expect(await enter(await rsa.mint({ ...CLAIMS, ...claims }))).toMatchObject({ id: 'alice' })
  }
  const poor = await rsa.mint({ ...CLAIMS, scope: 'mcp readonly' })
  const expected = {
    code: 'SCOPE_MISSING',
    challenge:
      'Bearer error="insufficient_scope", error_description="the token lacks a scope that is needed here", ' +
      'resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="mcp read"',
  }
  expect(await refusal(poor)).toMatchObject(expected)
  expect(thrown(() => authenticator.authenticate(`Bearer ${poor}`))).toMatchObject(expected)
  expect(authenticator.metadata()).toEqual({
    resource: RESOURCE,
    authorization_servers: [ISSUER],
    scopes_supported: ['openid', 'mcp', 'read'],
    bearer_methods_supported: ['header'],
    resource_name: 'engineering',
  })
})

test('documents that need a token of their own get the one in the file, and introspection does not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-keys-'))
  const bearerFile = join(folder, 'token')
  writeFileSync(bearerFile, 'of-the-cluster\n')
  const { enter, issuer } = bench([{ bearerFile, introspectionUrl: `${ISSUER}/introspect` }])
  await enter(await rsa.mint(CLAIMS))
  expect(issuer.last?.headers).toEqual({ authorization: 'Bearer of-the-cluster' })
  issuer.introspections.set('abc', OPAQUE)
  await enter('abc')
  expect(issuer.last?.headers).toEqual({ 'content-type': 'application/x-www-form-urlencoded' })
  rmSync(folder, { recursive: true })
})

test('files that cannot be read are told without their contents or places', async () => {
  const { refusal } = bench([{ caFile: '/nowhere/ca.pem' }])
  const error = await refusal(await rsa.mint(CLAIMS))
  expect(error).toMatchObject({
    code: 'ISSUER_UNREACHABLE',
    detail: `${ISSUER}: the file of caBundlePath cannot be read`,
  })
})

test.each(['file:///etc/passwd', 'https://169.254.169.254/keys', 'https://[::1]/keys', 'http://id.example/keys', 'x'])(
  'a discovery document cannot send us to %s',
  async (jwks) => {
    const issuer = scriptedIssuer(ISSUER, rsa)
    issuer.document = { issuer: ISSUER, jwks_uri: jwks }
    const { refusal } = bench([{}], [issuer], guardedFetch)
    expect((await refusal(await rsa.mint(CLAIMS))).detail).toMatch(/not allowed|not a URL/u)
  },
)

const OPAQUE = { active: true, sub: 'alice', client_id: 'app', aud: RESOURCE, exp: SECONDS + 600, scope: 'mcp' }

test('opaque tokens are introspected, with credentials, and believed for 60 s', async () => {
  const { clock, enter, issuer, refusal } = bench([{ clientId: 'gate way', clientSecret: new Secret('s3cret:/') }])
  issuer.introspections.set('abc', OPAQUE)
  expect(await enter('abc')).toMatchObject({ id: 'alice', client: 'app', scopes: ['mcp'], expiresAt: START + 630_000 })
  expect(issuer.last).toMatchObject({ method: 'POST', body: 'token=abc&token_type_hint=access_token' })
  const basic = Buffer.from('gate+way:s3cret%3A%2F').toString('base64')
  expect(issuer.last?.headers).toMatchObject({ authorization: `Basic ${basic}` })
  const asked = issuer.asked.length
  clock.now += 59_999
  await enter('abc')
  expect(issuer.asked.length).toBe(asked)
  issuer.introspections.delete('abc')
  clock.now += 1
  expect((await refusal('abc')).message).toBe('the token is not active')
})

test('credentials go into the body where only that is understood', async () => {
  const { enter, issuer } = bench([{ clientId: 'gateway', clientSecret: new Secret('s3cret') }])
  issuer.document['introspection_endpoint_auth_methods_supported'] = ['client_secret_post']
  issuer.introspections.set('abc', { ...OPAQUE, exp: undefined })
  expect(await enter('abc')).toMatchObject({ expiresAt: undefined })
  expect(issuer.last?.body).toBe('token=abc&token_type_hint=access_token&client_id=gateway&client_secret=s3cret')
})

test.each([
  ['inactive', { active: false }, 'the token is not active'],
  ['a refresh token', { token_type: 'refresh_token' }, 'the token is not an access token'],
  ['a refresh token by its use', { token_use: 'refresh_token' }, 'the token is not an access token'],
  ['a refresh token by its type', { typ: 'Refresh' }, 'the token is not an access token'],
  ['active in words', { active: 'true' }, 'the token is not active'],
  ['of another issuer', { iss: 'https://evil.example' }, 'the issuer of the token is not trusted here'],
  ['without audience', { aud: undefined }, 'the token was not issued for this resource'],
  ['for others', { aud: 'x' }, 'the token was not issued for this resource'],
  ['expired', { exp: SECONDS - 30 }, 'the token has expired'],
  ['without subject', { sub: undefined }, 'the token does not name a usable subject'],
])('refuses an opaque token that is %s', async (_name, change, message) => {
  const { issuer, refusal } = bench([{ introspectionUrl: `${ISSUER}/introspect` }])
  issuer.introspections.set('abc', { ...OPAQUE, ...change })
  expect(await refusal('abc')).toMatchObject({ code: 'UNAUTHENTICATED', message })
})

test('an introspection that is not answered is not an answer', async () => {
  const { issuer, refusal } = bench([{ introspectionUrl: `${ISSUER}/nowhere` }])
  expect(await refusal('abc')).toMatchObject({ code: 'ISSUER_UNREACHABLE' })
  issuer.down = true
  expect(await refusal('abc')).toMatchObject({ code: 'ISSUER_UNREACHABLE' })
})

test('made-up opaque tokens wait for each other; new ones do so too, and those that were good never', async () => {
  let held: Promise<void> | undefined
  const good = scriptedIssuer(ISSUER, rsa)
  good.introspections.set('known', OPAQUE).set('new', OPAQUE)
  let most = 0
  let asked = 0
  const { clock, enter, issuer, refusal } = bench(
    [{ introspectionUrl: 'https://slow.example/introspect' }],
    [good],
    async (_url, options) => {
      most = Math.max(most, ++asked)
      const token = new URLSearchParams(String(options?.body)).get('token') ?? ''
      if (token !== 'known') await held
      asked--
      return { status: 200, headers: {}, text: JSON.stringify(good.introspections.get(token) ?? { active: false }) }
    },
  )
  expect(issuer).toBe(good)
  await enter('known')
  const { promise, resolve: release } = Promise.withResolvers<void>()
  held = promise
  const madeUp = Array.from({ length: 200 }, (_, at) => refusal(`made-up-${at}`))
  const fresh = enter('new')
  const more = Array.from({ length: 200 }, (_, at) => refusal(`more-${at}`))
  clock.now += 60_000
  expect(await enter('known')).toMatchObject({ id: 'alice' })
  expect(most).toBe(65)
  release()
  expect(await fresh).toMatchObject({ id: 'alice' })
  const codes = (await Promise.all([...madeUp, ...more])).map(({ code }) => code)
  expect(codes.filter((code) => code === 'ISSUER_UNREACHABLE').length).toBe(401 - 64 - 256)
  expect(codes.slice(0, 200)).toEqual(Array.from({ length: 200 }, () => 'UNAUTHENTICATED'))
  expect((await refusal('later')).code).toBe('UNAUTHENTICATED')
})

const SECOND = 'https://login.example/tenant'
const two = (first: Partial<Issuer>, second: Partial<Issuer>, ...keys: SigningKey[]) =>
  bench([first, { name: SECOND, ...second }], [scriptedIssuer(ISSUER, rsa), scriptedIssuer(SECOND, ...keys)])

test('of several issuers each vouches for its own subjects only', async () => {
  const { authenticator, enter, refusal } = two(
    { subjectPrefix: 'a:' },
    { subjectPrefix: 'b:', audiences: ['x'] },
    curve,
  )
  const theirs = { ...CLAIMS, iss: SECOND, aud: 'x' }
  const [first, second] = [await enter(await rsa.mint(CLAIMS)), await enter(await curve.mint(theirs))]
  expect([first.id, second.id]).toEqual(['a:alice', 'b:alice'])
  expect(first.key).not.toBe(second.key)
  expect((await refusal(await rsa.mint(theirs))).message).toBe('the key that signed the token is not known')
  expect((await refusal(await curve.mint({ ...theirs, aud: RESOURCE }))).message).toContain('not issued for this')
  expect(authenticator.metadata()?.authorization_servers).toEqual([ISSUER, SECOND])
})

test('a subject cannot be made to read as somebody of another issuer', async () => {
  const { enter, refusal } = two({}, { subjectPrefix: 'b:' }, curve)
  expect(await enter(await rsa.mint(CLAIMS))).toMatchObject({ id: 'alice' })
  expect((await refusal(await rsa.mint({ ...CLAIMS, sub: 'b:alice' }))).message).toContain('usable subject')
  expect(await enter(await curve.mint({ ...CLAIMS, iss: SECOND }))).toMatchObject({ id: 'b:alice' })
})

test('settings that would confuse or leak are refused', () => {
  expect(() => two({}, {})).toThrow('subjectPrefix')
  expect(() => bench([{}, { subjectPrefix: 'b:' }])).toThrow('listed twice')
  const url = { introspectionUrl: 'https://x.example' }
  expect(() => two(url, { ...url, subjectPrefix: 'b:' })).toThrow('introspectionUrl')
})

test('nothing of a token shows in what is thrown or kept', async () => {
  const { enter, refusal } = bench()
  const token = await rsa.mint({ ...CLAIMS, sub: 'root' })
  const [, , signature = ''] = token.split('.')
  const texts = [
    inspect(await refusal(tampered(token, { sub: 'mallory' })), { depth: 9, showHidden: true }),
    inspect(await enter(token), { depth: 9 }),
    JSON.stringify(await enter(token)),
  ].join('')
  expect(texts).not.toContain(signature.slice(0, 20))
  expect(texts).not.toContain('mallory')
})

test('whatever is sent and whatever is signed: a principal or a refusal, never anything else', async () => {
  const { authenticator, enter } = bench()
  await enter(await rsa.mint(CLAIMS))
  const outcome = async (header: string): Promise<string> => {
    try {
      return (await authenticator.authenticate(header)).kind
    } catch (error) {
      return error instanceof GatewayError ? error.code : String(error)
    }
  }
  const names = fc.constantFrom(...Object.keys(CLAIMS), 'nbf', 'scope', 'scp', 'azp', 'cnf', '__proto__', 'constructor')
  const changes = fc.dictionary(names, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 })
  await fc.assert(
    fc.asyncProperty(fc.string(), changes, changes, async (text, claims, header) => {
      expect(await outcome(`Bearer ${text}`)).toBe('UNAUTHENTICATED')
      const signed = await rsa.mint({ ...CLAIMS, ...claims })
      expect(['identified', 'UNAUTHENTICATED']).toContain(await outcome(`Bearer ${signed}`))
      const odd = hmacSigned({ ...CLAIMS, ...claims }, 'x', { alg: 'RS256', ...header })
      expect(await outcome(`Bearer ${odd}`)).toBe('UNAUTHENTICATED')
    }),
    { numRuns: 200 },
  )
})

test('whatever an issuer publishes as keys: a list of keys or none', () => {
  const member = fc.oneof(fc.jsonValue(), fc.constantFrom('RSA', 'EC', 'P-256', 'sig', 'AQAB', 'RS256'))
  const jwk = fc.dictionary(fc.constantFrom('kty', 'crv', 'n', 'e', 'x', 'y', 'kid', 'alg', 'use', 'key_ops'), member)
  fc.assert(
    fc.property(fc.array(fc.oneof(jwk, fc.jsonValue())), (keys) => {
      expect(readKeySet({ keys }, [])).toEqual([])
    }),
  )
})

test('closing breaks off what is under way, forgets tokens, and blames nobody', async () => {
  const issuer = scriptedIssuer(ISSUER, rsa)
  const { authenticator, enter, notes, refusal } = bench([{}], [issuer])
  const token = await rsa.mint(CLAIMS)
  await enter(token)
  authenticator.close()
  issuer.down = true
  expect(issuer.last?.signal?.aborted).toBe(true)
  expect(authenticator.authenticate(`Bearer ${token}`)).toBeInstanceOf(Promise)
  await refusal(await edward.mint(CLAIMS))
  expect(notes.map(({ kind }) => kind)).toEqual(['issuer-ready'])
})

test('a token that was seen costs less than 20 microseconds', async () => {
  const { authenticator, enter } = bench()
  const token = await rsa.mint({
    ...CLAIMS,
    scope: 'mcp',
    groups: Array.from({ length: 20 }, (_, at) => `group-${at}`),
  })
  await enter(token)
  const header = `Bearer ${token}`
  const round = (times: number) => {
    for (let at = 0; at < times; at++) void authenticator.authenticate(header)
  }
  round(20_000)
  const before = process.cpuUsage()
  round(100_000)
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 100_000).toBeLessThan(20)
})
