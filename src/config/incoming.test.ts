import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith } from '../../test/support/folders.ts'
import { selfSigned } from '../../test/support/oidc/certificate.ts'
import { formatFault } from './format.ts'
import { loadConfig } from './load.ts'

const oidc = (issuers: string, before = '') => `backends: []\n${before}incomingAuth: {type: oidc, oidc: ${issuers}}`

async function load(stdin: string, env: NodeJS.ProcessEnv = {}) {
  const { config, faults } = await loadConfig(['-'], { stdin, env })
  return { config, told: faults.filter(({ severity }) => severity === 'error').map(formatFault) }
}

test('issuers are read with their secrets, files and defaults', async () => {
  const one =
    '{issuer: "https://a", clientId: c, clientSecretEnv: S, jwksAuthTokenPath: "${HOME_OF_TOKEN}/token", insecureAllowHttp: true, publicDiscovery: true}'
  const two = '{issuer: "https://b", audience: v, subjectPrefix: "b:", requiredScopes: [mcp], scopes: [openid]}'
  const folder = folderWith({ token: 'bearer' })
  const env = { S: 'hush', HOME_OF_TOKEN: folder }
  const { config, told } = await load(oidc(`[${one}, ${two}]`, 'publicUrl: https://gw/\n'), env)
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
        bearerFile: join(folder, 'token'),
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
  ['{issuer: "${ISSUER}", audience: v}', 'oidc.issuer: the variable ISSUER is not set'],
  ['{issuer: "${WORD}", audience: v}', 'oidc.issuer: the issuer is no URL'],
  ['{issuer: "https://a", audience: "${NONE}"}', 'oidc.audience: the variable NONE is not set'],
  ['{issuer: "https://a", audience: v, clientSecret: "${file:./none}"}', 'oidc.clientSecret: the file'],
  ['{issuer: "https://a", audience: v, clientSecret: "${EMPTY}"}', 'oidc.clientSecret: the value is empty'],
  ['{issuer: "https://a", audience: v, jwksUrl: "${WORD}"}', 'oidc.jwksUrl: the address is not a URL'],
  ['{issuer: "http://a", audience: v}', 'oidc.issuer: plain http: whoever is in between could let anybody in'],
  ['{issuer: "https://a", audience: v, jwksUrl: "http://a/k"}', 'oidc.jwksUrl: plain http'],
  ['{issuer: "https://a", audience: v, introspectionUrl: "https://u:p@a/i"}', 'introspectionUrl: credentials in a URL'],
  [
    '{issuer: "http://localhost:1", audience: v, insecureAllowHttp: true}',
    'oidc.issuer: localhost:1 is this machine, where nothing is fetched from, so no token would be accepted (set jwksAllowPrivateIp',
  ],
  ['{issuer: "https://a", audience: v, caBundlePath: ca.pem}', 'oidc.caBundlePath: expected an absolute path'],
  ['{issuer: "https://a", audience: v, caBundlePath: /none/ca.pem}', 'the file /none/ca.pem cannot be read (ENOENT)'],
  ['{issuer: "https://a", audience: v, jwksAuthTokenPath: /none/t}', 'jwksAuthTokenPath: the file /none/t cannot be'],
  [
    '[{issuer: "https://a", audience: v, subjectPrefix: a}, {issuer: "https://b", audience: v, subjectPrefix: ab}]',
    'oidc[1].subjectPrefix: of the prefixes "ab" and "a" one begins the other',
  ],
  [
    '[{issuer: "https://a", audience: v, subjectPrefix: ab}, {issuer: "https://b", audience: v, subjectPrefix: a}]',
    'oidc[1].subjectPrefix: of the prefixes "a" and "ab" one begins the other',
  ],
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
  const { config, told } = await load(oidc(issuers), { EMPTY: '', WORD: 'word' })
  expect(config).toBeUndefined()
  expect(told.join('\n')).toContain(`incomingAuth.${fault}`.replace(/^incomingAuth\.(?=the|intro|jwksAuth)/u, ''))
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

test('references are replaced in what concerns the whole file, and never in policies', async () => {
  const folder = folderWith({ secret: 'hush\n', token: 'a-token-of-this-machine' })
  const env = { ID: 'https://a', AUD: 'v', GW: 'https://gw/mcp', KEY: 'k'.repeat(32), HOST: 'gw', DIR: folder }
  const text = `backends: []
publicUrl: "\${GW}"
allowedHosts: ["\${HOST}"]
sealing: {keys: [{id: a, value: "\${KEY}"}]}
outgoingAuth: {store: {provider: file, path: "\${HOST}/tokens"}}
incomingAuth:
  type: oidc
  oidc: {issuer: "\${ID}", audience: "\${AUD}", resource: "\${GW}", clientId: c, clientSecret: "\${file:secret}", requiredScopes: ["\${AUD}"]}
  authz: {type: cedar, policies: ['permit(principal, action, resource) when { resource.name like "\${X}" };']}
`
  const { config, faults, files } = await loadConfig(['-'], { stdin: text, env, cwd: folder })
  expect(faults.map(formatFault)).toEqual([expect.stringContaining('there are no backends')])
  const [issuer] = config?.incomingAuth.issuers ?? []
  expect(issuer).toMatchObject({ name: 'https://a', audiences: ['v'], requiredScopes: ['v'] })
  expect(issuer?.clientSecret?.reveal()).toBe('hush')
  expect(config?.incomingAuth.authz?.policies[0]).toContain('${X}')
  expect([config?.publicUrl, config?.door.allowedHosts, config?.tokenStore.path]).toEqual([
    'https://gw/mcp',
    ['gw'],
    join(folder, 'gw/tokens'),
  ])
  expect(config?.sealingKeys).toHaveLength(1)
  expect(files).toContain(join(folder, 'secret'))
  const local = 'backends: []\nincomingAuth: {type: local, local: {tokenFile: "${DIR}/token"}}'
  expect((await load(local, env)).config?.incomingAuth.local).toEqual({ tokenFile: join(folder, 'token') })
})

test('a sealing key that is a reference to nothing does not seal', async () => {
  const text = 'backends: []\nsealing: {keys: [{id: a, value: "${A_VARIABLE_WITH_A_NAME_OF_MORE_THAN_32_LETTERS}"}]}'
  const { config, told } = await load(text)
  expect([config, told]).toEqual([
    undefined,
    [expect.stringMatching(/sealing\.keys\[0\]\.value: the variable \S+ is not set/u)],
  ])
})

test('an issuer that is only a name may be plain http, and one issuer may have no prefix', async () => {
  const issuers =
    '[{issuer: "http://a", jwksUrl: "https://a/k", audience: v}, {issuer: "https://b", audience: v, subjectPrefix: "b:"}, {issuer: "https://c", audience: v, subjectPrefix: "c:"}]'
  expect((await load(oidc(issuers))).told).toEqual([])
})

test('files that are named are there and hold what they should', async () => {
  const { cert, key } = selfSigned()
  const folder = folderWith({
    cert,
    key,
    other: selfSigned().key,
    empty: '\n',
    short: 'abc',
    words: 'a b c d e f g h i j',
  })
  writeFileSync(join(folder, 'broken'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  const told = async (text: string) => {
    const { config, faults, files } = await loadConfig(['-'], { stdin: `backends: []\n${text}`, env: {}, cwd: folder })
    return { config, files, told: faults.map((fault) => formatFault(fault).replaceAll(folder, '~')) }
  }
  const tls = (certFile: string, keyFile: string) => told(`tls: {certFile: ${certFile}, keyFile: ${keyFile}}`)
  const missing = await tls('gone', 'key')
  expect(missing.told).toEqual([
    '<stdin>:2:17 tls.certFile: the file ~/gone cannot be read (ENOENT) (create it or name another file)',
  ])
  expect([missing.config, missing.files]).toEqual([undefined, expect.arrayContaining([join(folder, 'gone')])])
  expect((await tls('cert', 'other')).told).toEqual([
    expect.stringMatching(/^<stdin>:2:6 tls: ~\/cert and ~\/other cannot/u),
  ])
  expect((await tls('words', 'key')).told).toEqual([expect.stringContaining('cannot be used')])
  // A renewed certificate is taken up without a reload.
  const right = await tls('cert', 'key')
  expect([right.told.filter((line) => !line.includes('no backends')), right.files]).toEqual([[], []])
  const local = (file: string) => told(`incomingAuth: {type: local, local: {tokenFile: ${file}}}`)
  expect((await local('gone')).config).toBeDefined()
  expect((await local('empty')).told).toEqual([
    '<stdin>:2:48 incomingAuth.local.tokenFile: ~/empty holds no token: one line of letters, digits and -._~+/ is expected (remove the file, and the gateway makes a token)',
  ])
  expect((await local('words')).told).toEqual([expect.stringContaining('holds no token')])
  expect((await local('short')).told).toEqual([expect.stringContaining('the token in ~/short is shorter than 16')])
  expect((await local('.')).told).toEqual([expect.stringContaining('cannot be read (EISDIR)')])
  const bundle = (file: string) =>
    told(`incomingAuth: {type: oidc, oidc: {issuer: "https://a", audience: v, caBundlePath: ${join(folder, file)}}}`)
  expect((await bundle('cert')).config).toBeDefined()
  for (const file of ['words', 'broken', 'empty']) {
    expect((await bundle(file)).told).toEqual([
      expect.stringContaining(`incomingAuth.oidc.caBundlePath: ~/${file} holds no certificate that can be read`),
    ])
  }
})

test('policies beside the type none are a contradiction', async () => {
  const authz = (text: string) =>
    load(`${oidc('{issuer: "https://a"}', 'publicUrl: https://gw\n').slice(0, -1)}, authz: ${text}}`)
  const { told } = await authz('{type: none, policies: ["permit(principal, action, resource);"], trialPolicies: [x]}')
  expect(told).toEqual([
    expect.stringContaining('incomingAuth.authz.policies: policies contradict the type "none"'),
    expect.stringContaining('incomingAuth.authz.trialPolicies: trialPolicies contradict'),
  ])
  expect((await authz('{type: none, policies: []}')).told).toEqual([])
})
