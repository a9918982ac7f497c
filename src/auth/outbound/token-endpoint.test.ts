import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { decodeProtectedHeader, exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { bearer, type TokenAnswer, tokenServer } from '../../../test/support/token-server.ts'
import type { OAuthClient } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import { Secret } from '../../model/secret.ts'
import { guardedFetch } from '../net/guarded-fetch.ts'
import { WRITTEN } from '../net/reach.ts'
import { createTokenEndpoint, type EndpointSettings, GrantRefused } from './token-endpoint.ts'

const NOW = 1_800_000_000_000
const WITH_SECRET: OAuthClient = { id: 'a b', secret: new Secret('s:ä/1') }

const at = (url: string, more: Partial<EndpointSettings> = {}) =>
  createTokenEndpoint({ url, reach: WRITTEN, ...more }, { fetch: guardedFetch, now: () => NOW })

async function thrown(work: Promise<unknown>): Promise<GatewayError> {
  const error: unknown = await work.catch((failure: unknown) => failure)
  if (!(error instanceof GatewayError)) throw new Error(`no GatewayError: ${inspect(error)}`)
  return error
}

test('a grant with its parameters becomes a token', async () => {
  const { url, requests } = await tokenServer(() =>
    bearer('t', { refresh_token: 'r', id_token: 'i', scope: 'x', issued_token_type: 'u' }),
  )
  const token = await at(url)({ type: 'g', parameters: { audience: 'a', resource: undefined }, scopes: ['x', 'y'] })
  expect(requests).toEqual([{ form: { grant_type: 'g', audience: 'a', scope: 'x y' }, authorization: undefined }])
  expect(token).toMatchObject({ expiresAt: NOW + 3_600_000, scopes: ['x'], issuedType: 'u' })
  expect([token.value, token.refresh, token.idToken].map((one) => one?.reveal())).toEqual(['t', 'r', 'i'])
  expect(inspect(token, { depth: 9 })).not.toContain("'t'")
})

test.each([
  ['text', '60', NOW + 60_000],
  ['nothing', undefined, undefined],
  ['null', null, undefined],
])('an expires_in that is %s', async (_what, expiresIn, expiresAt) => {
  const { url } = await tokenServer(() => bearer('t', { expires_in: expiresIn }))
  expect(await at(url)({ type: 'g', scopes: ['asked'] })).toMatchObject({ expiresAt, scopes: ['asked'] })
})

const BASIC = `Basic ${Buffer.from('a+b:s%3A%C3%A4%2F1').toString('base64')}`
const IN_FORM = { client_id: 'a b', client_secret: 's:ä/1' }

test.each<[string, OAuthClient, readonly string[] | undefined, object, string | undefined]>([
  ['public', { id: 'p' }, undefined, { client_id: 'p' }, undefined],
  ['secret', WITH_SECRET, undefined, {}, BASIC],
  ['secret, both supported', WITH_SECRET, ['client_secret_post', 'client_secret_basic'], {}, BASIC],
  ['secret, form supported', WITH_SECRET, ['client_secret_post'], IN_FORM, undefined],
])('how a client says who it is: %s', async (_what, client, methods, form, authorization) => {
  const { url, requests } = await tokenServer(() => bearer('t'))
  await at(url, { client, methods })({ type: 'g' })
  expect(requests).toEqual([{ form: { grant_type: 'g', ...form }, authorization }])
})

test('a secret that is not taken in the header is tried in the form, and stays there', async () => {
  const { url, requests } = await tokenServer(({ authorization }) =>
    authorization ? { status: 401, body: { error: 'invalid_client' } } : bearer('t'),
  )
  const endpoint = at(url, { client: WITH_SECRET })
  await endpoint({ type: 'g' })
  await endpoint({ type: 'g' })
  expect(requests.map(({ authorization }) => authorization)).toEqual([BASIC, undefined, undefined])
})

const jose = async (algorithm: string, extra = {}) => {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true, ...extra })
  return { pem: await exportPKCS8(privateKey), publicKey }
}
const pss = async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
  const pkcs1 = publicKey.export({ type: 'spki', format: 'der' })
  // The same modulus under the general name: jose takes keys of the restricted type only so.
  const general = Buffer.from('300d06092a864886f70d0101010500', 'hex')
  const bits = pkcs1.subarray(pkcs1.indexOf(Buffer.from('038201', 'hex')))
  const length = Buffer.alloc(2)
  length.writeUInt16BE(general.length + bits.length)
  const der = Buffer.concat([Buffer.from('3082', 'hex'), length, general, bits])
  const key = await crypto.subtle.importKey('spki', der, { name: 'RSA-PSS', hash: 'SHA-256' }, true, ['verify'])
  return { pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), publicKey: key }
}

test.each([
  ['RS256', () => jose('RS256')],
  ['PS256', pss],
  ['ES256', () => jose('ES256')],
  ['ES384', () => jose('ES384')],
  ['ES512', () => jose('ES512')],
  ['EdDSA', () => jose('EdDSA')],
])('private_key_jwt with a key for %s', async (algorithm, make) => {
  const { pem, publicKey } = await make()
  const { url, requests } = await tokenServer(() => bearer('t'))
  const client = { id: 'c', privateKey: new Secret(pem) }
  await at(url, { client, issuer: 'https://issuer.example' })({ type: 'g' })
  await at(url, { client })({ type: 'g' })
  const [first, second] = requests.map(({ form }) => form['client_assertion'] ?? '')
  expect(requests[0]?.form).toMatchObject({
    client_id: 'c',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  })
  expect(decodeProtectedHeader(first ?? '').alg).toBe(algorithm)
  const currentDate = new Date(NOW)
  const { payload } = await jwtVerify(first ?? '', publicKey, { audience: 'https://issuer.example', currentDate })
  expect(payload).toMatchObject({ iss: 'c', sub: 'c', iat: NOW / 1000, exp: NOW / 1000 + 60 })
  expect((await jwtVerify(second ?? '', publicKey, { audience: url, currentDate })).payload.jti).not.toBe(payload.jti)
})

test.each([
  ['nonsense', 'the private key cannot be read: expected PEM without a passphrase'],
  [
    generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'keys of type x25519 cannot sign',
  ],
])('a key that cannot sign', async (pem, message) => {
  const endpoint = at('https://id.example/', { client: { id: 'c', privateKey: new Secret(pem) } })
  expect((await thrown(endpoint({ type: 'g' }))).message).toContain(message)
})

test('a refusal names the endpoint and its code, and no secret', async () => {
  const { url } = await tokenServer(({ form }) => ({
    status: 400,
    body: {
      error: 'invalid_grant',
      error_description: form['echo'] ? `${form['subject_token']} is bad` : 'x\n\u0007y',
    },
  }))
  const origin = new URL(url).origin
  const endpoint = at(url, { client: WITH_SECRET })
  const plain = await thrown(endpoint({ type: 'g' }))
  expect(plain).toBeInstanceOf(GrantRefused)
  expect(plain).toMatchObject({
    code: 'CREDENTIAL_UNAVAILABLE',
    message: `no token from ${origin}: it answered invalid_grant`,
    reason: 'invalid_grant',
    detail: 'x??y',
  })
  const echo = await thrown(endpoint({ type: 'g', parameters: { subject_token: 'hush', echo: '1' } }))
  expect(echo.detail).toBeUndefined()
  expect(inspect(echo, { depth: 9 })).not.toContain('hush')
})

test.each<[string, TokenAnswer, string]>([
  ['an error page', { status: 500, body: '<html>secret' }, 'it answered with status 500'],
  ['a code that is none', { status: 400, body: { error: { a: 1 } } }, 'it answered with status 400'],
  ['a very long code', { status: 400, body: { error: 'e'.repeat(1000) } }, `it answered ${'e'.repeat(200)}`],
  ['no JSON', { body: 'nonsense' }, 'it gave an answer that is not a JSON object'],
  ['a list', { body: [] }, 'it gave an answer that is not a JSON object'],
  ['no token', { body: {} }, 'it gave an answer without a usable access_token'],
  ['a token with a line break', bearer('a\r\nx: y'), 'it gave an answer without a usable access_token'],
  ['another type', bearer('t', { token_type: 'DPoP' }), 'it gave a token that is not of type bearer'],
  ['a broken expiry', bearer('t', { expires_in: 'soon' }), 'it gave an expires_in that is no number of seconds'],
  ['a negative expiry', bearer('t', { expires_in: -1 }), 'it gave an expires_in that is no number of seconds'],
  ['a broken scope', bearer('t', { scope: 1 }), 'it gave a scope that is not text'],
  ['too much', bearer('t'.repeat(2 ** 16)), 'sent more than 65536 bytes'],
  ['a redirect', { status: 307, headers: { location: '/x' } }, 'redirects a POST'],
])('what cannot be used: %s', async (_what, answer, message) => {
  const { url } = await tokenServer(() => answer)
  const error = await thrown(at(url)({ type: 'g' }))
  expect(error.message).toBe(
    `no token from ${new URL(url).origin}: ${message.replace(/^(sent|red)/u, `${new URL(url).origin} $1`)}`,
  )
})

test('plain http to other machines is refused before anything is sent', async () => {
  const error = await thrown(at('http://192.0.2.1/token')({ type: 'g' }))
  expect(error.message).toContain('http is allowed only to this machine')
  const strict = { allowHttp: false, allowPrivate: true }
  const { url, requests } = await tokenServer(() => bearer('t'))
  await thrown(at(url, { reach: strict })({ type: 'g' }))
  expect(requests).toEqual([])
})

test('at most 64 requests at a time', async () => {
  let open = 0
  let most = 0
  const { url, requests } = await tokenServer(async () => {
    most = Math.max(most, ++open)
    await new Promise((done) => setTimeout(done, 20))
    open--
    return bearer('t')
  })
  const endpoint = at(url)
  await Promise.all(Array.from({ length: 150 }, () => endpoint({ type: 'g' })))
  expect(requests).toHaveLength(150)
  expect(most).toBeLessThanOrEqual(64)
})
