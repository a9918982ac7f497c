import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { formatFault } from './format.ts'
import { loadConfig } from './load.ts'

const oidc = (issuers: string, before = '') => `backends: []\n${before}incomingAuth: {type: oidc, oidc: ${issuers}}`

async function load(stdin: string, env: NodeJS.ProcessEnv = {}) {
  const { config, faults } = await loadConfig(['-'], { stdin, env })
  return { config, told: faults.filter(({ severity }) => severity === 'error').map(formatFault) }
}

test('issuers are read with their secrets, files and defaults', async () => {
  const one =
    '{issuer: "https://a", clientId: c, clientSecretEnv: S, jwksAuthTokenPath: token, insecureAllowHttp: true, publicDiscovery: true}'
  const two = '{issuer: "https://b", audience: v, subjectPrefix: "b:", requiredScopes: [mcp], scopes: [openid]}'
  const { config, told } = await load(oidc(`[${one}, ${two}]`, 'publicUrl: https://gw/\n'), { S: 'hush' })
  expect(told).toEqual([])
  expect(config?.incomingAuth).toEqual({
    type: 'oidc',
    explicit: true,
    publicDiscovery: true,
    issuers: [
      {
        name: 'https://a',
        audiences: ['https://gw', 'https://gw/'],
        scopes: [],
        requiredScopes: [],
        subjectPrefix: '',
        clientId: 'c',
        clientSecret: expect.anything(),
        bearerFile: resolve('token'),
        allowHttp: true,
        allowPrivate: false,
      },
      {
        name: 'https://b',
        audiences: ['v'],
        scopes: ['openid'],
        requiredScopes: ['mcp'],
        subjectPrefix: 'b:',
        allowHttp: false,
        allowPrivate: false,
      },
    ],
  })
  expect(config?.incomingAuth.issuers[0]?.clientSecret?.reveal()).toBe('hush')
})

test('the resource of an issuer is the public address, and its audience', async () => {
  const { config } = await load(oidc('{issuer: "https://a", resource: "https://gw/mcp"}'))
  expect(config).toMatchObject({
    publicUrl: 'https://gw/mcp',
    incomingAuth: { issuers: [{ audiences: ['https://gw/mcp'] }] },
  })
})

test.each([
  ['[{issuer: "https://a", audience: v}, {issuer: "https://b", audience: v}]', 'oidc[1]: several issuers need'],
  ['[{issuer: "https://a", audience: v}, {issuer: "https://a", audience: v}]', 'oidc[1].issuer: the issuer is listed'],
  ['{issuer: "${ISSUER}", audience: v}', 'oidc.issuer: the issuer is no URL'],
  ['{issuer: "https://a", audience: ""}', 'oidc: an audience is needed'],
  ['{issuer: "https://a", audience: v, scopes: [a, "b c"]}', 'oidc.scopes[1]: a scope holds characters'],
  ['[{issuer: "https://a", audience: v, requiredScopes: [""]}]', 'oidc[0].requiredScopes[0]: a scope holds'],
  ['{issuer: "https://a", audience: v, clientSecretEnv: NONE}', 'oidc.clientSecretEnv: the variable NONE is not set'],
  ['{issuer: "https://a", audience: v, clientSecretEnv: EMPTY}', 'the variable EMPTY is not set (set EMPTY)'],
  ['{issuer: "https://a", resource: "https://gw/#x"}', 'oidc.resource: not the address of a resource'],
  [
    '[{issuer: "https://a", audience: v, introspectionUrl: "https://a/i"}, {issuer: "https://b", audience: v, subjectPrefix: b, introspectionUrl: "https://b/i"}]',
    'oidc[1].introspectionUrl: only one issuer may have an introspectionUrl (tokens of one must not be shown to another)',
  ],
])('%s', async (issuers, fault) => {
  const { config, told } = await load(oidc(issuers), { EMPTY: '' })
  expect(config).toBeUndefined()
  expect(told.join('\n')).toContain(`incomingAuth.${fault}`.replace(/^incomingAuth\.the/u, 'the'))
  expect(told).toHaveLength(1)
})

test('a public address with a fragment names no resource', async () => {
  const { told } = await load(oidc('{issuer: "https://a"}', 'publicUrl: "https://gw/#x"\n'))
  expect(told).toEqual([expect.stringContaining('publicUrl: not the address of a resource')])
})

test('what a backend is shown is named; programs are shown nothing', async () => {
  const text = `backends: [{name: a, url: "https://a/"}, {name: b, url: "https://b/"}, {name: c, command: x}]
outgoingAuth:
  default: {type: header_injection, headerInjection: {headerName: A, headerValue: v}}
  backends: {b: {type: unauthenticated}}
  store: {provider: file, path: tokens}`
  const { config } = await load(text)
  expect(config?.backends.map(({ authType }) => authType)).toEqual(['header_injection', undefined, undefined])
  expect(config?.tokenStore).toEqual({ provider: 'file', path: join(process.cwd(), 'tokens') })
})

test('where the backend itself asks for a sign-in the strategy stays unnamed', async () => {
  const { config } = await load('backends: [{name: a, url: "https://a/"}]')
  expect(config?.backends[0]).toMatchObject({ credential: { ifAsked: true } })
  expect(config?.backends[0]?.authType).toBeUndefined()
})
