import { decodeJwt, exportPKCS8, generateKeyPair } from 'jose'
import { expect, test } from 'vitest'
import { changed, scriptedServer } from '../../../../../test/support/oidc/scripted-server.ts'
import type { BackendSpec } from '../../../../model/backend.ts'
import type { OAuthClient } from '../../../../model/credential.ts'
import { backendId } from '../../../../model/ids.ts'
import { Secret } from '../../../../model/secret.ts'
import type { StoredToken } from '../store/store.ts'
import { revoke } from './revocation.ts'

const NOW = 1_800_000_000_000
const REVOKE = 'https://as.example/revoke'

const token = (more: Partial<StoredToken> = {}): StoredToken => ({
  backend: 'mail',
  url: 'https://mail.example/mcp',
  subject: 'local',
  issuer: 'https://as.example',
  resource: 'https://mail.example/mcp',
  client: { id: 'a-client', origin: 'registered', secret: new Secret('a-secret'), method: 'client_secret_basic' },
  access: new Secret('access'),
  refresh: new Secret('refresh'),
  obtainedAt: 0,
  scopes: [],
  ...more,
})

const configured = (client: OAuthClient): BackendSpec => ({
  id: backendId('mail'),
  endpoint: { kind: 'http', url: 'https://mail.example/mcp', headers: {} },
  era: 'auto',
  credential: { kind: 'authorization_code', client },
  disabled: false,
  origin: 'static',
})

function revoking(statuses: number[]) {
  const server = scriptedServer()
  changed(server, 'https://as.example/.well-known/oauth-authorization-server', { revocation_endpoint: REVOKE })
  const fetch: typeof server.fetch = async (url, options) => {
    const answer = await server.fetch(url, options)
    return url === REVOKE ? { ...answer, status: statuses.shift() ?? 200 } : answer
  }
  return { posted: server.posted, parts: { fetch, now: () => NOW } }
}

test('both tokens, the refresh token first, with the credentials of the client as they are', async () => {
  const { posted, parts } = revoking([])
  await revoke(undefined, token(), parts)
  expect(posted.map(({ form }) => form)).toEqual([
    { token: 'refresh', token_type_hint: 'refresh_token' },
    { token: 'access', token_type_hint: 'access_token' },
  ])
  const authorization = `Basic ${Buffer.from('a-client:a-secret').toString('base64')}`
  expect(posted[0]?.headers).toMatchObject({ authorization })
})

test('a refusal is an error, after the other token was tried', async () => {
  const { posted, parts } = revoking([400])
  await expect(revoke(undefined, token(), parts)).rejects.toThrow('answered the revocation with status 400')
  expect(posted).toHaveLength(2)
})

test('a client that was configured signs with its key, by the clock that it is given', async () => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const client = { id: 'me', privateKey: new Secret(await exportPKCS8(privateKey)) }
  const { posted, parts } = revoking([])
  await revoke(configured(client), token({ client: { id: 'me', origin: 'configured' } }), parts)
  expect(decodeJwt(posted[0]?.form['client_assertion'] ?? '')).toMatchObject({
    iss: 'me',
    aud: 'https://as.example',
    iat: NOW / 1000,
  })
})

test('nobody is asked where the client is not known any more', async () => {
  const { posted, parts } = revoking([])
  await revoke(undefined, token({ client: { id: 'me', origin: 'configured' } }), parts)
  expect(posted).toEqual([])
})
