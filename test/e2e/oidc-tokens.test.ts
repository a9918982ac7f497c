import { createHash, createPublicKey, type JsonWebKey, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Authenticator, createAuthenticator } from '../../src/auth/inbound/authenticator.ts'
import { GatewayError } from '../../src/model/errors.ts'
import type { Issuer } from '../../src/model/issuer.ts'
import type { Identified } from '../../src/model/principal.ts'
import { Secret } from '../../src/model/secret.ts'
import { selfSigned } from '../support/oidc/certificate.ts'
import { issuerOf } from '../support/oidc/issuer.ts'
import { type RunningProvider, startProvider } from '../support/oidc/provider.ts'
import { hmacSigned, signingKey, tampered, unsigned } from '../support/oidc/signing.ts'

const RESOURCE = 'https://mcp.example/mcp'
const ELSEWHERE = 'https://other.example/mcp'
const LOOPBACK = { allowHttp: true, allowPrivate: true }

let provider: RunningProvider
beforeAll(async () => {
  provider = await startProvider()
})
afterAll(() => provider.close())

const opened: Authenticator[] = []
afterEach(() => {
  for (const authenticator of opened.splice(0)) authenticator.close()
})

/** A door for the tokens of the provider; `clock.ahead` moves its clock by milliseconds. */
function door(more: Partial<Issuer> = {}, name: string = provider.issuer) {
  const clock = { ahead: 0 }
  const issuer = issuerOf(name, { audiences: [RESOURCE], ...LOOPBACK, ...more })
  const authenticator = createAuthenticator(
    { name: 'vmcp', publicUrl: RESOURCE, incomingAuth: { type: 'oidc', issuers: [issuer] } },
    { now: () => Date.now() + clock.ahead },
  )
  opened.push(authenticator)
  const enter = async (token: string) => (await authenticator.authenticate(`Bearer ${token}`)) as Identified
  const refusal = async (token: string): Promise<GatewayError> => {
    const error: unknown = await enter(token).catch((thrown: unknown) => thrown)
    if (!(error instanceof GatewayError)) throw new Error(`let in, or broken: ${String(error)}`)
    return error
  }
  return { authenticator, clock, enter, refusal }
}

const keySets = () => provider.hits.get('/jwks') ?? 0

test.each(['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
  '%s tokens of a client and of a user',
  async (alg) => {
    provider.resources.set(RESOURCE, { format: 'jwt', alg, scope: 'mcp read' })
    const { authenticator, enter } = door({ requiredScopes: ['mcp'] })
    const { id } = provider.client
    expect(await enter(await provider.clientToken(RESOURCE, 'mcp'))).toMatchObject({ subject: id, client: id })
    const token = await provider.userToken(RESOURCE, 'alice', 'mcp read')
    const principal = await enter(token)
    expect(principal).toMatchObject({
      key: JSON.stringify([provider.issuer, 'alice', id]),
      id: 'alice',
      scopes: ['mcp', 'read'],
      claims: { aud: RESOURCE, sub: 'alice' },
    })
    expect(authenticator.authenticate(`Bearer ${token}`)).toBe(principal)
  },
)

test('a token from the code flow, with PKCE and a resource', async () => {
  provider.resources.set(RESOURCE, { format: 'jwt', alg: 'ES256', scope: 'mcp' })
  const { id, secret } = provider.client
  const verifier = randomBytes(32).toString('base64url')
  const redirect = 'http://127.0.0.1/callback'
  const question = new URLSearchParams({
    client_id: id,
    response_type: 'code',
    redirect_uri: redirect,
    scope: 'openid mcp',
    resource: RESOURCE,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const back = await provider.browse(`${provider.issuer}/auth?${question.toString()}`, 'bob')
  const basic = Buffer.from([id, secret].map(encodeURIComponent).join(':')).toString('base64')
  const answer = await fetch(`${provider.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: back.searchParams.get('code') ?? '',
      redirect_uri: redirect,
      code_verifier: verifier,
      resource: RESOURCE,
    }),
  })
  const tokens = (await answer.json()) as { access_token: string; id_token: string }
  const { enter, refusal } = door()
  expect(await enter(tokens.access_token)).toMatchObject({ id: 'bob', client: id })
  expect((await refusal(tokens.id_token)).message).toBe('the token was not issued for this resource')
})

test('rotation: new keys are found at once, withdrawn ones cease to count', async () => {
  provider.resources.set(RESOURCE, { format: 'jwt', alg: 'ES256' })
  const { clock, enter, refusal } = door()
  const first = await provider.clientToken(RESOURCE)
  await enter(first)
  await provider.rotate(true)
  const before = keySets()
  const second = await provider.clientToken(RESOURCE)
  await Promise.all([enter(second), enter(second), enter(await provider.clientToken(RESOURCE))])
  expect(keySets()).toBe(before + 1)
  await enter(first)
  await provider.rotate(false)
  clock.ahead += 301_000
  await enter(second)
  await expect
    .poll(async () => (await enter(second).catch((error: unknown) => error)) instanceof GatewayError)
    .toBe(true)
  expect((await refusal(first)).code).toBe('UNAUTHENTICATED')
})

test('opaque tokens: introspected, believed for a minute, refused after revocation', async () => {
  provider.resources.set(RESOURCE, { format: 'opaque', scope: 'mcp' })
  const { clock, enter, refusal } = door({
    clientId: provider.client.id,
    clientSecret: new Secret(provider.client.secret),
  })
  const token = await provider.userToken(RESOURCE, 'alice', 'mcp')
  expect(await enter(token)).toMatchObject({ id: 'alice', scopes: ['mcp'], claims: { active: true } })
  await provider.revoke(token)
  await enter(token)
  clock.ahead += 60_000
  expect((await refusal(token)).message).toBe('the token is not active')
  expect((await refusal('made-up')).message).toBe('the token is not active')
  provider.resources.set(ELSEWHERE, { format: 'opaque' })
  const theirs = await provider.clientToken(ELSEWHERE)
  expect((await refusal(theirs)).message).toBe('the token was not issued for this resource')
})

test('opaque tokens without the right to ask', async () => {
  provider.resources.set(RESOURCE, { format: 'opaque' })
  const token = await provider.clientToken(RESOURCE)
  expect((await door().refusal(token)).message).toBe('the token is not a JWT and cannot be checked here')
  const unknown = { clientId: 'nobody', introspectionUrl: `${provider.issuer}/token/introspection` }
  expect((await door(unknown).refusal(token)).code).toBe('ISSUER_UNREACHABLE')
})

const key = (alg: string) => provider.keys.get(alg)!
const claims = (change: object = {}) => {
  const now = Math.floor(Date.now() / 1000)
  return { iss: provider.issuer, aud: RESOURCE, sub: 'alice', client_id: 'app', iat: now, exp: now + 600, ...change }
}
const sign = (change: object = {}, header: Record<string, unknown> = {}) => key('RS256').mint(claims(change), header)
const pem = () => {
  const jwk = key('RS256').publicJwk as JsonWebKey
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }) as string
}
const other = await signingKey('ES256', 'other')
const seconds = () => Math.floor(Date.now() / 1000)

/** Everything that is wrong with a token, and a word of the refusal. */
const WRONG: Record<string, [() => Promise<string> | string, string]> = {
  'for another resource': [() => sign({ aud: ELSEWHERE }), 'resource'],
  'without audience': [() => sign({ aud: undefined }), 'resource'],
  'for its client': [() => sign({ aud: 'gateway' }), 'resource'],
  'of another issuer, signed with this one': [() => sign({ iss: 'https://evil.example' }), 'issuer'],
  'of the issuer with a slash more': [() => sign({ iss: `${provider.issuer}/` }), 'issuer'],
  'without issuer': [() => sign({ iss: undefined }), 'issuer'],
  expired: [() => sign({ exp: seconds() - 31 }), 'expired'],
  'without expiry': [() => sign({ exp: undefined }), 'expires'],
  'not valid yet': [() => sign({ nbf: seconds() + 120 }), 'not valid yet'],
  'issued in the future': [() => sign({ iat: seconds() + 120 }), 'not valid yet'],
  'without subject': [() => sign({ sub: undefined }), 'subject'],
  'bound to a key': [() => sign({ cnf: { jkt: 'x' } }), 'bound'],
  unsigned: [() => unsigned(claims()), 'algorithm'],
  'unsigned, in capitals': [() => unsigned(claims(), 'None'), 'algorithm'],
  'unsigned under a good algorithm': [() => unsigned(claims(), 'RS256'), 'key'],
  'HS256 with the public key as PEM': [() => hmacSigned(claims(), pem(), { kid: key('RS256').kid }), 'algorithm'],
  'HS256 with the public key as JWK': [() => hmacSigned(claims(), JSON.stringify(key('RS256').publicJwk)), 'algorithm'],
  'signed by a stranger': [() => other.mint(claims()), 'key'],
  'signed by a stranger under a known kid': [() => other.mint(claims(), { kid: key('ES256').kid }), 'signature'],
  'with its own key in jwk': [() => other.mint(claims(), { jwk: other.publicJwk }), 'key'],
  'with its own key set in jku': [() => other.mint(claims(), { jku: 'http://127.0.0.1:1/jwks' }), 'key'],
  'with its own certificate in x5u': [
    () => other.mint(claims(), { x5u: 'http://127.0.0.1:1/c', x5c: ['MAA='] }),
    'key',
  ],
  'without kid, by a stranger': [() => other.mint(claims(), { kid: undefined, jwk: other.publicJwk }), 'key'],
  'with a kid of another algorithm': [() => sign({}, { kid: key('EdDSA').kid }), 'key'],
  'with a kid that is a query': [() => sign({}, { kid: "' or 1=1 --" }), 'key'],
  'with a kid that is an object': [() => sign({}, { kid: {} }), 'key'],
  'with a changed subject': [async () => tampered(await sign(), { sub: 'root' }), 'signature'],
  'of a type for something else': [() => sign({}, { typ: 'logout+jwt' }), 'access token'],
  'with a critical extension': [() => sign({}, { crit: ['b64'], b64: true }), 'extension'],
  'too large': [() => sign({ groups: 'x'.repeat(16_000) }), 'too large'],
  'too deep': [() => sign({ a: JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`) as object }), 'too large'],
}

test.each(Object.keys(WRONG))('refuses a token %s', async (name) => {
  const [make, word] = WRONG[name]!
  const { enter, refusal } = door()
  await enter(await sign({ jti: name }))
  const token = await make()
  const error = await refusal(token)
  expect(error).toMatchObject({ code: 'UNAUTHENTICATED', row: { http: 401 } })
  expect(error.message).toContain(word)
  expect(error.challenge).toBe(
    `Bearer error="invalid_token", error_description="${error.message}", ` +
      'resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="openid"',
  )
})

test('another client of the same user is another principal', async () => {
  const { enter } = door()
  const [one, two] = [await enter(await sign()), await enter(await sign({ client_id: 'other' }))]
  expect(one.id).toBe(two.id)
  expect(one.key).not.toBe(two.key)
})

test('made-up kids do not turn the gateway against its issuer', async () => {
  const { enter, refusal } = door()
  await enter(await sign())
  const before = keySets()
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, at) => other.mint(claims(), { kid: `k${at}` })))
  await Promise.all(tokens.map(refusal))
  for (const token of tokens) await refusal(token)
  expect(keySets()).toBe(before + 1)
})

test('plain http and private addresses only when they are named', async () => {
  const token = await sign()
  for (const strict of [{ allowHttp: false }, { allowPrivate: false }]) {
    const error = await door(strict).refusal(token)
    expect(error).toMatchObject({ code: 'ISSUER_UNREACHABLE', challenge: undefined })
    expect(error.message).not.toContain('127.0.0.1')
  }
})

test('an issuer with an authority of its own, over https', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-oidc-'))
  const tls = selfSigned()
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, tls.cert)
  const secure = await startProvider(tls)
  try {
    const token = await secure.keys.get('EdDSA')!.mint({ ...claims(), iss: secure.issuer })
    const { enter } = door({ allowHttp: false, caFile }, secure.issuer)
    expect(await enter(token)).toMatchObject({ issuer: secure.issuer, id: 'alice' })
    const error = await door({ allowHttp: false }, secure.issuer).refusal(token)
    expect(error.code).toBe('ISSUER_UNREACHABLE')
    expect(error.detail).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
  } finally {
    await secure.close()
    rmSync(folder, { recursive: true })
  }
})

test('an issuer that stops: known keys count on, an unknown issuer is a 503', async () => {
  const passing = await startProvider()
  const mine = door({}, passing.issuer)
  const mint = (jti: string) => passing.keys.get('ES256')!.mint({ ...claims(), iss: passing.issuer, jti })
  await mine.enter(await mint('1'))
  await passing.close()
  mine.clock.ahead += 400_000
  expect(await mine.enter(await mint('2'))).toMatchObject({ id: 'alice' })
  expect(await door({}, passing.issuer).refusal(await mint('3'))).toMatchObject({ row: { http: 503 } })
})
