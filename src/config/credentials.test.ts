import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import type { CredentialSpec } from '../model/credential.ts'
import { Secret } from '../model/secret.ts'
import { formatFault } from './format.ts'
import { loadConfig, type LoadOptions } from './load.ts'

const BACKEND = 'backends: [{name: b, url: "https://b/mcp", headers: {AUTHORIZATION: old, X: y}}]'
const OIDC =
  'publicUrl: https://gw/mcp\nincomingAuth: {type: oidc, oidc: {issuer: "https://i", clientId: gateway, audience: v}}'
const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

async function load(strategy: string, options: LoadOptions & { before?: string } = {}) {
  const { before = `${OIDC}\n${BACKEND}`, ...rest } = options
  const stdin = `${before}\noutgoingAuth: {backends: {b: ${strategy}}}`
  const { config, faults, files } = await loadConfig(['-'], { stdin, env: {}, ...rest })
  const [backend] = config?.backends ?? []
  return { backend, credential: backend?.credential, files, faults, told: faults.map(formatFault) }
}

/** With its secrets in the open. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal()
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(revealed)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revealed(inner)]))
}

test.each<[string, CredentialSpec | object]>([
  [
    '{type: client_credentials, clientCredentials: {clientId: c, clientSecretEnv: S}}',
    { kind: 'client_credentials', client: { id: 'c', secret: 'sesame' }, scopes: [] },
  ],
  [
    '{type: client_credentials, clientCredentials: {tokenUrl: "${IDP}/t", clientId: c, clientSecret: "${S}", scopes: [x], audience: a, allowPrivateIp: true}}',
    {
      kind: 'client_credentials',
      tokenUrl: 'https://idp/t',
      // Secrets are never expanded: those of manifests stand in the same place.
      client: { id: 'c', secret: '${S}' },
      scopes: ['x'],
      audience: 'a',
      allowPrivate: true,
    },
  ],
  [
    '{type: client_credentials, clientCredentials: {clientId: c, privateKeyEnv: KEY}}',
    { kind: 'client_credentials', client: { id: 'c', privateKey: PEM }, scopes: [] },
  ],
  [
    '{type: client_credentials, clientCredentials: {clientId: c, privateKeyEnv: ONE_LINE}}',
    { kind: 'client_credentials', client: { id: 'c', privateKey: PEM }, scopes: [] },
  ],
  [
    '{type: token_exchange, tokenExchange: {tokenUrl: "http://127.0.0.1:1/t", audience: a}}',
    {
      kind: 'token_exchange',
      tokenUrl: 'http://127.0.0.1:1/t',
      audience: 'a',
      scopes: [],
      subjectTokenType: 'urn:ietf:params:oauth:token-type:access_token',
    },
  ],
  [
    '{type: token_exchange, tokenExchange: {tokenUrl: "https://t", clientId: c, audience: a, subjectTokenType: "urn:x:y"}}',
    {
      kind: 'token_exchange',
      tokenUrl: 'https://t',
      client: { id: 'c' },
      audience: 'a',
      scopes: [],
      subjectTokenType: 'urn:x:y',
    },
  ],
  [
    '{type: xaa, xaa: {idpTokenUrl: "https://i", idpClientId: c, idpClientSecretEnv: S, targetTokenUrl: "https://t", targetClientId: d, targetPrivateKeyEnv: KEY, targetAudience: a}}',
    {
      kind: 'id_jag',
      idp: { tokenUrl: 'https://i', client: { id: 'c', secret: 'sesame' } },
      target: { tokenUrl: 'https://t', client: { id: 'd', privateKey: PEM }, audience: 'a' },
      scopes: [],
      subjectTokenType: 'id_token',
    },
  ],
  ['{type: authorization_code}', { kind: 'authorization_code' }],
  [
    '{type: authorization_code, authorizationCode: {issuer: "https://i", clientId: c, clientSecretEnv: S, scopes: [x], allowPrivateIp: true}}',
    {
      kind: 'authorization_code',
      issuer: 'https://i',
      client: { id: 'c', secret: 'sesame' },
      scopes: ['x'],
      allowPrivate: true,
    },
  ],
])('%s', async (strategy, expected) => {
  const env = { S: 'sesame', IDP: 'https://idp', KEY: PEM, ONE_LINE: PEM.replaceAll('\n', '\\n') }
  const { backend, credential, told } = await load(strategy, { env })
  expect(told).toEqual([])
  expect(revealed(credential)).toEqual(expected)
  expect(inspect(backend, { depth: 9 })).not.toMatch(/sesame|PRIVATE KEY/u)
  // A fixed Authorization would stand beside the token.
  expect(backend?.endpoint.kind === 'http' && Object.keys(backend.endpoint.headers)).toEqual(['X'])
})

test('a private key comes from a file beside the configuration, and the file is watched', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'vmcp-key-'))
  writeFileSync(join(cwd, 'key.pem'), PEM)
  const strategy = (file: string) =>
    `{type: client_credentials, clientCredentials: {clientId: c, privateKeyFile: ${file}}}`
  const { credential, files } = await load(strategy('./key.pem'), { cwd })
  expect(credential?.kind === 'client_credentials' && credential.client.privateKey?.reveal()).toBe(PEM.trimEnd())
  expect(files).toContain(join(cwd, 'key.pem'))
  const { backend } = await load(strategy('gone.pem'), { cwd })
  expect(backend?.fault?.message).toBe(`the file ${join(cwd, 'gone.pem')} cannot be read (ENOENT)`)
  writeFileSync(join(cwd, 'bad.pem'), 'hush')
  const bad = await load(strategy('bad.pem'), { cwd })
  expect(bad.backend?.fault?.message).toBe('the private key cannot be read: expected PEM without a passphrase')
  expect(bad.told.join('\n')).not.toContain('hush')
})

test('containers that listen are shown the same, processes nothing', async () => {
  const strategy = '{type: authorization_code}'
  const container = (transport: string) => `backends: [{name: b, image: i, transport: ${transport}}]`
  expect((await load(strategy, { before: container('streamable-http') })).credential).toEqual({
    kind: strategy.slice(7, -1),
  })
  for (const before of [container('stdio'), 'backends: [{name: b, command: c}]']) {
    const { backend, told } = await load(strategy, { before })
    expect([backend?.credential, backend?.fault]).toEqual([undefined, undefined])
    expect(told.join()).toMatch(/"b" is (a command|an image that talks over stdio): it is shown nothing/u)
  }
})

const CLIENT = '{type: client_credentials, clientCredentials: {clientId: c, clientSecretEnv: S}}'
const EXCHANGE = '{type: token_exchange, tokenExchange: {tokenUrl: "https://t", audience: a}}'
const XAA = '{type: xaa, xaa: {idpTokenUrl: "https://i", targetTokenUrl: "https://t", targetAudience: a}}'
const CODE = '{type: authorization_code}'
const NO_CLIENT = `${BACKEND}\npublicUrl: https://gw/mcp\nincomingAuth: {type: oidc, oidc: {issuer: "https://i", audience: v}}`
const NO_URL = `${BACKEND}\nincomingAuth: {type: oidc, oidc: {issuer: "https://i", clientId: c, audience: v}}`

test.each<[string, string, string | undefined, string]>([
  [
    CLIENT,
    'variable',
    undefined,
    '<stdin>:4:107 outgoingAuth.backends.b.clientCredentials.clientSecretEnv: backend "b": the variable S is not set (set S)',
  ],
  [
    '{type: client_credentials, clientCredentials: {clientId: c, privateKeyEnv: EMPTY}}',
    'empty variable',
    undefined,
    'the variable EMPTY is not set',
  ],
  [
    '{type: client_credentials, clientCredentials: {clientId: c, privateKeyEnv: WORD}}',
    'no key',
    undefined,
    'the private key cannot be read',
  ],
  [
    '{type: client_credentials, clientCredentials: {tokenUrl: "${WORD}", clientId: c, clientSecret: s}}',
    'no address',
    undefined,
    'not a URL that begins with https://',
  ],
  [
    '{type: client_credentials, clientCredentials: {tokenUrl: "${PLAIN}", clientId: c, clientSecret: s}}',
    'plain http',
    undefined,
    'plain http would show secrets to the network: idp (use https)',
  ],
  [
    '{type: client_credentials, clientCredentials: {tokenUrl: "${GONE}", clientId: c, clientSecret: s}}',
    'no reference',
    undefined,
    'the variable GONE is not set',
  ],
  [
    '{type: upstream_inject, upstreamInject: {providerName: p}}',
    'why',
    undefined,
    'keeps no upstream tokens (use authorization_code',
  ],
  ['{type: aws_sts, awsSts: {region: r}}', 'why', undefined, 'does not sign requests for AWS (run a signing proxy'],
  ['{type: obo, obo: {}}', 'why', undefined, 'the protocol of one vendor (use token_exchange'],
  [
    EXCHANGE,
    'anonymous',
    BACKEND,
    'token_exchange needs incomingAuth of type oidc: otherwise callers show no token to exchange (set incomingAuth.type: oidc, or use client_credentials',
  ],
  [XAA, 'local', `${BACKEND}\nincomingAuth: {type: local}`, 'xaa needs incomingAuth of type oidc'],
  [XAA, 'login', NO_CLIENT, 'xaa needs a clientId at https://i'],
  [CODE, 'login', NO_CLIENT, 'authorization_code needs a clientId at https://i'],
  [CODE, 'page', NO_URL, 'authorization_code needs publicUrl'],
])('%s withholds its backend: %s', async (strategy, _what, before, message) => {
  const env = { EMPTY: '', WORD: 'hush', PLAIN: 'http://idp/token' }
  const { backend, told, faults } = await load(strategy, { env, ...(before !== undefined && { before }) })
  expect(told.join('\n')).toContain(message)
  expect(faults.map(({ scope, severity }) => [scope, severity])).toEqual([['backend', 'error']])
  expect([backend?.fault?.message, backend?.credential]).toEqual([expect.any(String), undefined])
  expect(told.join('\n')).not.toContain('hush')
})

test.each([
  [CODE, BACKEND],
  [CODE, `${BACKEND}\nincomingAuth: {type: local}`],
  [EXCHANGE, NO_CLIENT],
  [XAA.replace('targetAudience: a', 'targetAudience: a, subjectTokenType: jwt'), NO_CLIENT],
])('%s needs no sign-in page where nobody signs in there: %s', async (strategy, before) => {
  expect((await load(strategy, { before })).told).toEqual([])
})
