import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
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
      client: { id: 'c', secret: 'sesame' },
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

const folderWith = (files: Record<string, string>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-key-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

test.each([
  [
    '{type: header_injection, headerInjection: {headerName: X-Key, headerValue: "Key ${S}${NONE:-!} $${S}"}}',
    { headers: { 'X-Key': 'Key sesame! ${S}' } },
  ],
  [
    '{type: client_credentials, clientCredentials: {clientId: "${env:ID}", clientSecret: "${file:./key}", scopes: [a, "${ID}"], audience: "${ID}"}}',
    { client: { id: 'me', secret: 'from-file' }, scopes: ['a', 'me'], audience: 'me' },
  ],
  [
    '{type: token_exchange, tokenExchange: {tokenUrl: "${URL}", clientId: c, clientSecret: "${S}", audience: a}}',
    { tokenUrl: 'https://idp/t', client: { id: 'c', secret: 'sesame' } },
  ],
  [
    '{type: xaa, xaa: {idpTokenUrl: "${URL}", idpClientId: c, idpClientSecret: "${S}", targetTokenUrl: "${URL}", targetClientId: "${ID}", targetClientSecret: "${S}", targetAudience: "${URL}", targetResource: "${URL}"}}',
    {
      idp: { tokenUrl: 'https://idp/t', client: { id: 'c', secret: 'sesame' } },
      target: {
        tokenUrl: 'https://idp/t',
        client: { id: 'me', secret: 'sesame' },
        audience: 'https://idp/t',
        resource: 'https://idp/t',
      },
    },
  ],
  [
    '{type: authorization_code, authorizationCode: {issuer: "${URL}", clientId: c, privateKeyFile: "${PEM}", scopes: ["${ID}"]}}',
    { issuer: 'https://idp/t', client: { id: 'c', privateKey: PEM.trimEnd() }, scopes: ['me'] },
  ],
])('references are replaced in every text of a strategy: %s', async (strategy, expected) => {
  const cwd = folderWith({ key: 'from-file\n', 'key.pem': PEM })
  const env = { S: 'sesame', ID: 'me', URL: 'https://idp/t', PEM: 'key.pem' }
  const { backend, credential, told, files } = await load(strategy, { cwd, env })
  expect(told.filter((line) => !line.includes('without an audience'))).toEqual([])
  const endpoint = backend?.endpoint
  expect(revealed(credential ?? { headers: endpoint?.kind === 'http' && endpoint.headers })).toMatchObject(expected)
  if (strategy.includes('./key')) expect(files).toContain(join(cwd, 'key'))
})

test('a strategy by default is read beside its own file, and told once for each backend it is for', async () => {
  const cwd = folderWith({ 'a.yaml': 'backends: [{name: a, url: "https://a/"}, {name: b, url: "https://b/"}]' })
  mkdirSync(join(cwd, 'sub'))
  writeFileSync(
    join(cwd, 'sub', 'auth.yaml'),
    'outgoingAuth: {default: {type: header_injection, headerInjection: {headerName: X, headerValue: "${file:key}"}}}',
  )
  const missing = await loadConfig(['a.yaml', 'sub/auth.yaml'], { cwd, env: {} })
  const fault = `the file ${join(cwd, 'sub/key')} cannot be read (ENOENT)`
  expect(missing.config?.backends.map((backend) => backend.fault?.message)).toEqual([fault, fault])
  expect(missing.faults.map(({ path, line, column, scope }) => [path, line, column, scope])).toEqual([
    ['outgoingAuth.default.headerInjection.headerValue', 1, 96, 'backend'],
    ['outgoingAuth.default.headerInjection.headerValue', 1, 96, 'backend'],
  ])
  // Watched before it is there.
  expect(missing.files).toContain(join(cwd, 'sub/key'))
  writeFileSync(join(cwd, 'sub', 'key'), 'k\n')
  const { config } = await loadConfig(['a.yaml', 'sub/auth.yaml'], { cwd, env: {} })
  expect(config?.backends.map(({ endpoint }) => endpoint.kind === 'http' && endpoint.headers['X']?.reveal())).toEqual([
    'k',
    'k',
  ])
})

test('what follows from a reference that cannot be replaced is not told', async () => {
  const { told } = await load(
    '{type: client_credentials, clientCredentials: {tokenUrl: "${U}", clientId: c, privateKeyFile: "${F}"}}',
  )
  expect(told).toEqual([
    expect.stringContaining('clientCredentials.tokenUrl: backend "b": the variable U is not set'),
    expect.stringContaining('clientCredentials.privateKeyFile: backend "b": the variable F is not set'),
  ])
})

test('a plain http address is told once', async () => {
  const { told } = await load(
    '{type: client_credentials, clientCredentials: {tokenUrl: "http://idp/t", clientId: c, clientSecret: s}}',
  )
  expect(told).toEqual([expect.stringContaining('plain http would show secrets to the network: idp')])
})

test('faults in who may connect are not followed by what strategies lack', async () => {
  const before = `${BACKEND}\nrateLimiting: {perUser: {maxTokens: 1, refillPeriod: 1s}}\nincomingAuth: {type: oidc, oidc: {audience: v}}`
  const { told } = await load(EXCHANGE, { before })
  expect(told).toEqual([expect.stringContaining('incomingAuth.oidc.issuer: required, but missing')])
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
    '{type: client_credentials, clientCredentials: {clientId: c, clientSecret: "${EMPTY}"}}',
    'empty reference',
    undefined,
    '<stdin>:4:104 outgoingAuth.backends.b.clientCredentials.clientSecret: backend "b": the value is empty once its references are replaced (check the variable',
  ],
  [
    '{type: header_injection, headerInjection: {headerName: X, headerValue: "${LINES}"}}',
    'two headers',
    undefined,
    'the value of the header X has a line break in it',
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
  const env = { EMPTY: '', WORD: 'hush', PLAIN: 'http://idp/token', LINES: 'hush\nB: c' }
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
