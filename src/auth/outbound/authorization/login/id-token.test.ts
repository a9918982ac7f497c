import { expect, test } from 'vitest'
import { hmacSigned, signingKey, tampered, unsigned } from '../../../../../test/support/oidc/signing.ts'
import type { KeySource } from '../../../issuer/key-source.ts'
import { type Key, readKeySet } from '../../../issuer/keys.ts'
import { verifyIdToken } from './id-token.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const SECONDS = NOW / 1000
const key = await signingKey('ES256', 'one')
const next = await signingKey('ES256', 'two')
const stranger = await signingKey('ES256', 'one')

const EXPECTED = { issuer: 'https://id.example', clientId: 'vmcp', nonce: 'n' }
const CLAIMS = {
  iss: 'https://id.example',
  aud: 'vmcp',
  sub: 'alice',
  nonce: 'n',
  iat: SECONDS,
  exp: SECONDS + 600,
}

const published = (...keys: object[]) => readKeySet(JSON.parse(JSON.stringify({ keys })) as never, []) as readonly Key[]
const source: KeySource = {
  keys: async () => published(key.publicJwk),
  askAgain: async () => published(key.publicJwk, next.publicJwk),
  touch() {},
}
const verify = (token: string, expected: Parameters<typeof verifyIdToken>[1] = EXPECTED) =>
  verifyIdToken(token, expected, source, () => NOW)
const minted = (claims: object, header: Record<string, unknown> = {}) =>
  key.mint({ ...CLAIMS, ...claims }, { typ: 'JWT', ...header })

test('says who has signed in, and until when', async () => {
  expect(await verify(await minted({}))).toEqual({ subject: 'alice', expiresAt: NOW + 600_000 })
  expect(await verify(await minted({}, { typ: undefined }))).toMatchObject({ subject: 'alice' })
  expect(await verify(await minted({ aud: ['vmcp', 'more'], azp: 'vmcp' }))).toMatchObject({ subject: 'alice' })
  // A key that was not published at first.
  expect(await verify(await next.mint(CLAIMS, { typ: 'JWT' }))).toMatchObject({ subject: 'alice' })
})

test('a renewed token need not answer a browser', async () => {
  const { nonce: _, ...expected } = EXPECTED
  expect(await verify(await minted({ nonce: undefined }), expected)).toMatchObject({ subject: 'alice' })
})

test.each([
  ['another issuer', { iss: 'https://evil.example' }, 'another issuer'],
  ['a slash more', { iss: 'https://id.example/' }, 'another issuer'],
  ['another client', { aud: 'other' }, 'another client'],
  ['no audience', { aud: undefined }, 'another client'],
  ['an audience that is an object', { aud: { vmcp: 1 } }, 'another client'],
  ['several audiences and no party', { aud: ['vmcp', 'other'] }, 'issued to another client'],
  ['another party', { azp: 'other' }, 'issued to another client'],
  ['expired', { exp: SECONDS - 61 }, 'expired'],
  ['without an end', { exp: undefined }, 'expired'],
  ['an end beyond all numbers', { exp: 1e308 }, 'expired'],
  ['an end in text', { exp: '9999999999' }, 'expired'],
  ['without a beginning', { iat: undefined }, 'not valid yet'],
  ['of the future', { iat: SECONDS + 61 }, 'not valid yet'],
  ['not yet', { nbf: SECONDS + 61 }, 'not valid yet'],
  ['another nonce', { nonce: 'm' }, 'another sign-in'],
  ['no nonce', { nonce: undefined }, 'another sign-in'],
  ['nobody', { sub: undefined }, 'names nobody'],
  ['a subject that is a number', { sub: 7 }, 'names nobody'],
])('refused: %s', async (_name, claims, expected) => {
  await expect(verify(await minted(claims))).rejects.toThrow(expected)
})

test.each([
  ['an access token', async () => minted({}, { typ: 'at+jwt' }), 'another type'],
  ['an extension', async () => minted({}, { crit: ['x'], x: 1 }), 'extension'],
  ['no signature', async () => unsigned(CLAIMS), 'not signed as it must be'],
  ['a public key as secret', async () => hmacSigned(CLAIMS, JSON.stringify(key.publicJwk)), 'not signed as it must be'],
  ['changed', async () => tampered(await minted({}), { sub: 'mallory' }), 'not signed by a key'],
  ['a key of somebody else', async () => stranger.mint(CLAIMS, { typ: 'JWT' }), 'not signed by a key'],
  ['a key in the token', async () => stranger.mint(CLAIMS, { typ: 'JWT', jwk: stranger.publicJwk }), 'not signed by a'],
  ['no token', async () => 'nonsense', 'not signed as it must be'],
  ['no claims', async () => 'eyJhbGciOiJFUzI1NiJ9.W10.x', 'not signed as it must be'],
])('refused: %s', async (_name, token, expected) => {
  await expect(verify(await token())).rejects.toThrow(expected)
})
