import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith } from '../../../test/support/folders.ts'
import type { BackendSpec } from '../../model/backend.ts'
import { formatFault } from '../format.ts'
import { loadConfig, type LoadOptions } from '../load.ts'

const TESTDATA = join(import.meta.dirname, '../testdata')
const load = (text: string, options: LoadOptions = {}) => loadConfig(['-'], { stdin: text, env: {}, ...options })
const errors = (result: Awaited<ReturnType<typeof load>>) =>
  result.faults.filter((fault) => fault.severity === 'error').map((fault) => formatFault(fault).replace('<stdin>:', ''))

function revealed(backend: BackendSpec | undefined, key: 'env' | 'headers'): Record<string, string> {
  const endpoint = backend?.endpoint
  const values = endpoint && key in endpoint ? (endpoint as { env?: object; headers?: object })[key] : {}
  return Object.fromEntries(
    Object.entries(values ?? {}).map(([name, value]) => [name, (value as { reveal(): string }).reveal()]),
  )
}

test('a folder of manifests: the group selects, the VirtualMCPServer sets, references are resolved', async () => {
  const result = await loadConfig([join(TESTDATA, 'group')], { env: {} })
  const { config } = result
  const backends = new Map(config?.backends.map((backend) => [String(backend.id), backend]))
  expect([...backends.keys()]).toEqual([
    'github',
    'old',
    'moved',
    'everything',
    'fetch',
    'gopher',
    'boxed',
    'locked',
    'docs',
    'catalogue',
  ])
  const endpoints = Object.fromEntries([...backends].map(([name, backend]) => [name, backend.endpoint]))
  expect(endpoints).toMatchObject({
    github: { kind: 'http', url: 'http://mcp-github-proxy.dev.svc.cluster.local:8080/mcp' },
    old: { kind: 'sse', url: 'http://mcp-old-proxy.dev:8080/sse' },
    moved: { kind: 'http', url: 'http://127.0.0.1:7001/mcp' },
    everything: {
      kind: 'stdio',
      command: 'npx',
      args: ['-y', '@modelcontextprotocol/server-everything@2026.8.31', 'stdio', '${HOME}'],
    },
    fetch: { kind: 'stdio', command: 'uvx', args: ['mcp-server-fetch@2025.1.1'] },
    gopher: { kind: 'stdio', command: 'go', args: ['run', 'example.com/cmd/server@latest'] },
    boxed: {
      kind: 'container',
      image: 'ghcr.io/example/boxed:1',
      transport: 'http',
      port: 9090,
      volumes: [{ hostPath: '/srv/data', mountPath: '/data', readOnly: true }],
    },
    docs: { kind: 'http', url: 'https://docs.example/mcp' },
    catalogue: { kind: 'sse', url: 'https://catalogue.example/events' },
  })
  expect(revealed(backends.get('everything'), 'env')).toEqual({
    MODE: 'test',
    API_TOKEN: 's3cr3t',
    PLAIN: 'pl$in ${x}',
  })
  expect(revealed(backends.get('docs'), 'headers')).toEqual({
    'X-Team': 'dev',
    'X-Key': 's3cr3t',
    Authorization: 'Bearer pl$in ${x}',
  })
  expect(revealed(backends.get('github'), 'headers')).toEqual({ 'X-Api-Key': 's3cr3t' })
  expect(backends.get('locked')?.fault?.message).toBe('Secret "absent" is not among the files')
  expect(result.faults.map((fault) => fault.scope)).toEqual(['backend'])
  expect(config).toMatchObject({
    name: 'dev-gateway',
    groupRef: 'devtools',
    incomingAuth: { type: 'anonymous', explicit: true },
    aggregation: { strategy: 'priority', priorityOrder: ['github', 'docs'] },
    compositeTools: [{ name: 'report' }],
  })
  expect(config?.aggregation.tools.get('docs')).toMatchObject({
    filter: ['find'],
    overrides: { search: { name: 'find' } },
  })
  expect(config?.aggregation.tools.get('github')).toMatchObject({
    filter: ['open_issue'],
    overrides: { create_issue: { name: 'open_issue', description: 'Opens an issue' } },
  })
  expect(result.notes).toEqual([
    'MCPServer/github: podTemplateSpec only count in a cluster',
    'VirtualMCPServer/dev-gateway: serviceType only count in a cluster',
    expect.stringContaining('Deployment/foreign (apps/v1) is not read'),
  ])
})

test.each(readdirSync(join(TESTDATA, 'seeds')).filter((name) => !name.includes('-VirtualMCPServer')))(
  'the documented example %s is accepted',
  async (name) => {
    const result = await loadConfig([join(TESTDATA, 'seeds', name)], { env: {} })
    expect(errors(result)).toEqual([])
    expect(result.config).toBeDefined()
  },
)

test('the documented examples together are one gateway; draft values are understood with warnings', async () => {
  const result = await loadConfig([join(TESTDATA, 'seeds')], { env: {} })
  expect(errors(result)).toEqual([])
  expect(result.config).toMatchObject({
    name: 'unified-devtools',
    groupRef: 'development-tools',
    incomingAuth: { type: 'oidc', issuers: [{ name: 'https://kubernetes.default.svc', audiences: ['toolhive'] }] },
    timeouts: { defaultMs: 60_000 },
    failure: { partialFailureMode: 'best_effort' },
    compositeTools: [{ name: 'git-commit-workflow' }],
  })
  const warnings = result.faults.map((fault) => fault.message).join('\n')
  for (const part of ['"first" is read as "priority"', 'timeout is read as', 'maxConcurrentRequests is ignored']) {
    expect(warnings).toContain(part)
  }
})

const object = (kind: string, name: string, spec: string, extra = '') =>
  `---\napiVersion: toolhive.stacklok.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}${extra}}\nspec: ${spec}\n`
const GROUP = object('MCPGroup', 'tools', '{}')
const MEMBERS =
  object('MCPServer', 'a', '{groupRef: tools, image: "npx://a"}') +
  object('MCPServer', 'b', '{groupRef: {name: tools}, image: "npx://b"}')
const server = (spec: string) => object('VirtualMCPServer', 'gateway', `{groupRef: {name: tools}, ${spec}}`)

test.each([
  ['first', '[b]', { strategy: 'priority', priorityOrder: ['b', 'a'] }],
  ['first', '[]', { strategy: 'priority', priorityOrder: ['a', 'b'] }],
  ['merge', '[b]', { strategy: 'prefix' }],
  ['error', '[b]', { strategy: 'manual' }],
])('the draft strategy %s with %s', async (strategy, priority, expected) => {
  const text = GROUP + MEMBERS + server(`aggregation: {conflictResolution: ${strategy}, toolPriority: ${priority}}`)
  const result = await load(text)
  expect(errors(result)).toEqual([])
  expect(result.config?.aggregation).toMatchObject(expected)
})

test('one group without a VirtualMCPServer is served', async () => {
  const { config, faults } = await load(GROUP + MEMBERS)
  expect(faults).toEqual([])
  expect(config).toMatchObject({ groupRef: 'tools', backends: [{ id: 'a' }, { id: 'b' }] })
})

test('members without any group are served together', async () => {
  const { config } = await load(object('MCPServer', 'a', '{image: "npx://a"}'))
  expect(config?.backends).toHaveLength(1)
})

const OTHER = object('MCPGroup', 'others', '{}') + object('MCPServer', 'c', '{groupRef: others, image: "npx://c"}')

test('several groups need a choice', async () => {
  expect(errors(await load(GROUP + MEMBERS + OTHER))).toEqual([
    expect.stringContaining('several groups: "tools", "others" (choose one with --group NAME)'),
  ])
  const { config } = await load(GROUP + MEMBERS + OTHER, { group: 'others' })
  expect(config?.backends.map((backend) => backend.id)).toEqual(['c'])
  const selected = await load(GROUP + MEMBERS + OTHER + server('incomingAuth: {type: anonymous}'))
  expect(selected.config?.backends.map((backend) => backend.id)).toEqual(['a', 'b'])
})

test.each([
  [GROUP + MEMBERS, { group: 'tols' }, 'the group "tols" is not among the files (did you mean "tools"?)'],
  ['backends: []', { group: 'tools' }, 'the group "tools" is not among the files'],
  [MEMBERS, {}, 'the group "tools" is not among the files'],
  [
    GROUP + object('VirtualMCPServer', 'g', '{groupRef: {name: tool}}'),
    {},
    '10:25 spec.groupRef.name: the group "tool" is not among the files (did you mean "tools"?)',
  ],
  [GROUP + object('VirtualMCPServer', 'g', '{}'), {}, 'VirtualMCPServer without spec.groupRef.name'],
  [GROUP + server('x: 1'), {}, 'unknown key "x"'],
  [GROUP + server('agregation: {}'), {}, 'unknown key "agregation" (did you mean "aggregation"?)'],
  [
    GROUP + MEMBERS + server('config: {aggregation: {conflictResolutoin: prefix}}'),
    {},
    'spec.config.aggregation.conflictResolutoin: unknown key',
  ],
  [
    GROUP + MEMBERS + server('aggregation: {tools: [{workload: aa}]}'),
    {},
    'spec.aggregation.tools[0].workload: there is no backend "aa" (did you mean "a"?)',
  ],
  [
    GROUP + MEMBERS + server('aggregation: {tools: [{workload: a, toolConfigRef: {name: none}}]}'),
    {},
    'MCPToolConfig "none" is not among the files',
  ],
  [
    GROUP + MEMBERS + server('compositeToolRefs: [{name: none}]'),
    {},
    'VirtualMCPCompositeToolDefinition "none" is not among the files',
  ],
  [
    GROUP + MEMBERS + server('incomingAuth: {type: oidc, oidcConfigRef: {name: none}}'),
    {},
    'MCPOIDCConfig "none" is not among the files',
  ],
  [
    GROUP +
      MEMBERS +
      server('incomingAuth: {type: anonymous, authzConfig: {type: configMap, configMap: {name: none}}}'),
    {},
    'ConfigMap "none" is not among the files',
  ],
  [GROUP + object('MCPServer', 'a', '{groupRef: tools}'), {}, 'MCPServer without spec.image'],
  [
    GROUP + object('MCPServer', 'a', '{groupRef: tools, image: x, transprt: sse}'),
    {},
    'unknown key "transprt" (did you mean "transport"?)',
  ],
  [
    GROUP + object('MCPServer', 'a', '{groupRef: tools, image: x, transport: ws}'),
    {},
    'spec.transport: expected one of',
  ],
  [
    GROUP + object('MCPServer', 'a', '{groupRef: toolz, image: x}'),
    {},
    'the group "toolz" is not among the files (did you mean "tools"?)',
  ],
  [GROUP + object('MCPServer', 'a', '{groupRef: tools, image: x, args: y}'), {}, 'spec.args: expected a list'],
  [GROUP + object('MCPServer', 'a', '{groupRef: {nam: tools}, image: x}'), {}, 'spec.groupRef: expected {name: ...}'],
  [GROUP + MEMBERS + server('incomingAuth: []'), {}, 'spec.incomingAuth: expected a map'],
  [
    GROUP + MEMBERS + server('incomingAuth: {type: anonymous, authzConfig: x}'),
    {},
    'spec.incomingAuth.authzConfig: expected a map',
  ],
  [GROUP + MEMBERS + MEMBERS, {}, 'the backend "a" is defined twice'],
  [GROUP.replace('v1alpha1', 'v2'), {}, 'unknown version "toolhive.stacklok.dev/v2"'],
  ['apiVersion: toolhive.stacklok.dev/v1alpha1\nkind: MCPGroup', {}, 'MCPGroup without metadata.name'],
])('%#: a fault of the whole', async (text, options, expected) => {
  const result = await load(text, options)
  expect(result.config).toBeUndefined()
  expect(errors(result).join('\n')).toContain(expected)
})

test('a ConfigMap for OIDC holds text: scopes are words in it', async () => {
  const text =
    GROUP +
    MEMBERS +
    server('incomingAuth: {type: oidc, oidcConfig: {type: configMap, configMap: {name: oidc}}}') +
    `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: oidc}\ndata: {issuer: "https://i", audience: v, scopes: "openid, mcp tools", jwksAllowPrivateIP: "true"}\n`
  const result = await load(text)
  expect(errors(result)).toEqual([])
  expect(result.config?.incomingAuth.issuers).toMatchObject([
    { name: 'https://i', scopes: ['openid', 'mcp', 'tools'], allowPrivate: true },
  ])
})

const configMapOidc = (data: string, more = '') =>
  GROUP +
  MEMBERS +
  server(`incomingAuth: {type: oidc, oidcConfig: {type: configMap, configMap: {name: oidc${more}}}}`) +
  `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: oidc}\ndata: ${data}\n`

test.each([
  [`{oidc.json: '{"issuer": "https://i", "audience": "v", "scopes": ["a", "b"]}'}`, ''],
  [`{mine: '{"issuer": "https://i", "audience": "v", "scopes": ["a", "b"]}'}`, ', key: mine'],
  [`{issuer: "https://i", audience: v, scopes: "a b", oidc.json: '{"issuer": "https://other"}'}`, ''],
])(
  'a ConfigMap for OIDC may hold JSON under the documented key, which single keys go before: %s',
  async (data, more) => {
    const result = await load(configMapOidc(data, more))
    expect(errors(result)).toEqual([])
    expect(result.config?.incomingAuth.issuers).toMatchObject([
      { name: 'https://i', audiences: ['v'], scopes: ['a', 'b'] },
    ])
  },
)

test.each([
  [
    configMapOidc('{audience: v}'),
    'ConfigMap "oidc" has no key "issuer" (single keys are read, such as issuer, audience and jwksUrl; or JSON with them under "oidc.json")',
  ],
  [configMapOidc('{oidc.json: "issuer"}'), 'key "oidc.json" of the ConfigMap is not a JSON object'],
  [
    configMapOidc(`{oidc.json: '{"isuer": "https://i"}'}`),
    'unknown key "isuer" in "oidc.json" of the ConfigMap (did you',
  ],
  [configMapOidc('{}', 'x'), 'ConfigMap "oidcx" is not among the files'],
  [
    GROUP + MEMBERS + server('incomingAuth: {type: oidc, oidcConfigRef: {name: none}}'),
    'MCPOIDCConfig "none" is not among the files',
  ],
  [
    GROUP +
      MEMBERS +
      server(
        'incomingAuth: {type: oidc, oidcConfig: {type: inline, inline: {issuer: "https://i", audience: v, clientSecretRef: {name: none, key: k}}}}',
      ),
    'Secret "none" is not among the files',
  ],
])('%#: a fault of the issuer is told alone, also beside a strategy that needs one', async (text, message) => {
  const exchange =
    object(
      'MCPExternalAuthConfig',
      'exchange',
      '{type: tokenExchange, tokenExchange: {tokenUrl: "https://t", audience: a}}',
    ) +
    object(
      'MCPRemoteProxy',
      'r',
      '{groupRef: tools, remoteURL: "https://r/mcp", externalAuthConfigRef: {name: exchange}}',
    )
  const result = await load(text + exchange)
  expect(result.config).toBeUndefined()
  expect(errors(result)).toEqual([expect.stringContaining(message)])
})

test('in manifests and their secrets references mean nothing', async () => {
  const text =
    GROUP +
    MEMBERS +
    server(
      'incomingAuth: {type: oidc, oidcConfig: {type: inline, resourceUrl: "https://gw/${P}", inline: {issuer: "https://i", audience: "${A}", clientId: c, clientSecretRef: {name: s, key: k}}}}, config: {allowedHosts: ["${H}"]}',
    ) +
    object(
      'MCPExternalAuthConfig',
      'h',
      '{type: headerInjection, headerInjection: {headerName: X, valueSecretRef: {name: s, key: k}}}',
    ) +
    object(
      'MCPExternalAuthConfig',
      't',
      '{type: tokenExchange, tokenExchange: {tokenUrl: "https://t", audience: "${A}", clientId: c, clientSecretRef: {name: s, key: k}}}',
    ) +
    object('MCPRemoteProxy', 'rh', '{groupRef: tools, remoteURL: "https://r/mcp", externalAuthConfigRef: {name: h}}') +
    object('MCPRemoteProxy', 'rt', '{groupRef: tools, remoteURL: "https://r/mcp", externalAuthConfigRef: {name: t}}') +
    '---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: "${file:/etc/hostname}$$"}\n'
  const result = await load(text)
  expect(errors(result)).toEqual([])
  const { config } = result
  const [issuer] = config?.incomingAuth.issuers ?? []
  expect([issuer?.audiences, issuer?.clientSecret?.reveal(), config?.publicUrl, config?.door.allowedHosts]).toEqual([
    ['${A}'],
    '${file:/etc/hostname}$$',
    'https://gw/${P}',
    ['${H}'],
  ])
  const backend = (name: string) => config?.backends.find(({ id }) => id === name)
  expect(revealed(backend('rh'), 'headers')).toEqual({ X: '${file:/etc/hostname}$$' })
  const { credential } = backend('rt') ?? {}
  expect(credential).toMatchObject({ kind: 'token_exchange', audience: '${A}' })
  expect(credential?.kind === 'token_exchange' && credential.client?.secret?.reveal()).toBe('${file:/etc/hostname}$$')
})

test.each(['incomingAuth: {type: kubernetes}', 'incomingAuth: {type: oidc, oidcConfig: {type: kubernetes}}'])(
  'tokens of service accounts need a cluster, which is said once: %s',
  async (incoming) => {
    const { config, faults } = await load(GROUP + MEMBERS + server(incoming))
    expect(config?.incomingAuth.issuers).toHaveLength(1)
    const told = faults.map(formatFault).filter((line) => line.includes('only inside a cluster'))
    expect([told.length, faults.every(({ severity }) => severity === 'warning')]).toEqual([1, true])
    expect(faults.map(formatFault).join('\n')).not.toMatch(/jwksAuthTokenPath|caBundlePath/u)
  },
)

test('v0.6.11: the flat spec, inline OIDC and policies from a ConfigMap', async () => {
  const policies = JSON.stringify({
    version: '1.0',
    type: 'cedarv1',
    cedar: { policies: ['permit(principal, action, resource);'], entities_json: '[]' },
  })
  const text =
    GROUP +
    MEMBERS +
    server(`incomingAuth: {type: oidc, oidcConfig: {type: inline, resourceUrl: "http://x/mcp", inline: {issuer: "https://i", audience: v, clientSecretRef: {name: s, key: k}, jwksAllowPrivateIP: true}}, authzConfig: {type: configMap, configMap: {name: policies}}},
  outgoingAuth: {source: inline, backends: {a: {type: discovered}}}, aggregation: {conflictResolution: prefix}, operational: {timeouts: {default: 5s}}`) +
    `---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: hush}\n` +
    `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: policies}\ndata: {authz.json: '${policies}'}\n`
  const result = await load(text)
  expect(errors(result)).toEqual([])
  expect(result.config).toMatchObject({
    incomingAuth: {
      type: 'oidc',
      issuers: [{ name: 'https://i', audiences: ['v'], allowPrivate: true }],
      authz: { type: 'cedar', policies: ['permit(principal, action, resource);'], entitiesJson: '[]' },
    },
    publicUrl: 'http://x/mcp',
    timeouts: { defaultMs: 5000 },
  })
  expect(JSON.stringify(result.config)).not.toContain('hush')
})

test('an outgoing strategy that is not offered withholds its backend only', async () => {
  const remote = object(
    'MCPRemoteProxy',
    'r',
    '{groupRef: tools, remoteURL: "https://r/mcp", externalAuthConfigRef: {name: sts}}',
  )
  const result = await load(
    GROUP + MEMBERS + remote + object('MCPExternalAuthConfig', 'sts', '{type: awsSts, awsSts: {region: x}}'),
  )
  expect(result.config?.backends.map((backend) => backend.fault?.message)).toEqual([
    undefined,
    undefined,
    'aws_sts is not available: this gateway does not sign requests for AWS',
  ])
})

const OIDC = `incomingAuth: {type: oidc, oidcConfig: {type: inline, resourceUrl: "https://x/mcp", inline: {issuer: "https://i", clientId: gateway, audience: v}}}`
const remote = (name: string, config: string) =>
  object(
    'MCPRemoteProxy',
    name,
    `{groupRef: tools, remoteURL: "https://${name}/mcp", externalAuthConfigRef: {name: ${config}}}`,
  )
const SECRET = `---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: hush}\n`

test('exchanges of custom resources become credentials, with their secrets', async () => {
  const text =
    GROUP +
    server(OIDC) +
    remote('te', 'exchange') +
    object(
      'MCPExternalAuthConfig',
      'exchange',
      '{type: tokenExchange, tokenExchange: {tokenUrl: "https://i/token", clientId: c, clientSecretRef: {name: s, key: k}, audience: a, subjectTokenType: jwt, externalTokenHeaderName: X-Up}}',
    ) +
    remote('xa', 'jag') +
    object(
      'MCPExternalAuthConfig',
      'jag',
      '{type: xaa, xaa: {idpTokenUrl: "https://i/token", idpClientId: c, idpClientSecretRef: {name: s, key: k}, targetTokenUrl: "https://t/token", targetClientId: d, targetClientSecretRef: {name: s, key: k}, targetAudience: "https://t", targetResource: "https://xa/mcp", scopes: [f], subjectTokenType: "urn:ietf:params:oauth:token-type:id_token"}}',
    ) +
    SECRET
  const result = await load(text)
  expect(errors(result)).toEqual([])
  expect(result.faults.map(({ message }) => message)).toEqual([
    'externalTokenHeaderName is not supported: the exchanged token is shown in Authorization',
  ])
  const [te, xa] = result.config?.backends.map(({ credential }) => credential) ?? []
  expect(te).toMatchObject({
    kind: 'token_exchange',
    tokenUrl: 'https://i/token',
    client: { id: 'c' },
    audience: 'a',
    subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
  })
  expect(xa).toMatchObject({
    kind: 'id_jag',
    idp: { tokenUrl: 'https://i/token', client: { id: 'c' } },
    target: { tokenUrl: 'https://t/token', client: { id: 'd' }, audience: 'https://t', resource: 'https://xa/mcp' },
    scopes: ['f'],
    subjectTokenType: 'id_token',
  })
  const secrets = [
    te?.kind === 'token_exchange' && te.client,
    ...(xa?.kind === 'id_jag' ? [xa.idp.client, xa.target.client] : []),
  ]
  expect(secrets.map((client) => client && client.secret?.reveal())).toEqual(['hush', 'hush', 'hush'])
  expect(JSON.stringify(result.config)).not.toContain('hush')
})

test('an exchange withholds its backend where callers have no tokens, and where its Secret is missing', async () => {
  const config = (name: string, secret: string) =>
    object(
      'MCPExternalAuthConfig',
      name,
      `{type: tokenExchange, tokenExchange: {tokenUrl: "https://i/token", clientId: c, clientSecretRef: {name: ${secret}, key: k}, audience: a}}`,
    )
  const parts =
    GROUP + remote('te', 'good') + config('good', 's') + remote('no', 'bad') + config('bad', 'gone') + SECRET
  const anonymous = await load(parts)
  expect(anonymous.config?.backends.map(({ fault }) => fault?.message)).toEqual([
    'token_exchange needs incomingAuth of type oidc: otherwise callers show no token to exchange',
    'Secret "gone" is not among the files',
  ])
  const oidc = await load(parts + server(OIDC))
  expect(oidc.config?.backends.map(({ fault }) => fault?.message)).toEqual([
    undefined,
    'Secret "gone" is not among the files',
  ])
})

test('a tool config of a hidden backend does not show it', async () => {
  const text =
    GROUP +
    object('MCPServer', 'a', '{groupRef: tools, image: "npx://a", toolConfigRef: {name: t}}') +
    object('MCPToolConfig', 't', '{toolsFilter: [x]}') +
    server('config: {aggregation: {defaultToolVisibility: deny}}')
  const { config } = await load(text)
  expect(config?.aggregation.tools.get('a')).toMatchObject({ excludeAll: true })
})

test('filters of a member and of the gateway that have nothing in common show nothing', async () => {
  const text =
    GROUP +
    object('MCPServer', 'a', '{groupRef: tools, image: "npx://a", toolConfigRef: {name: t}}') +
    object('MCPToolConfig', 't', '{toolsFilter: [x]}') +
    server('aggregation: {tools: [{workload: a, filter: [y]}]}')
  const { config } = await load(text)
  expect(config?.aggregation.tools.get('a')?.excludeAll).toBe(true)
})

test('a vmcp file with backends of its own may refer to composites among manifests', async () => {
  const composite = object(
    'VirtualMCPCompositeToolDefinition',
    'w',
    '{name: w, description: d, steps: [{id: a, tool: t}]}',
  )
  const { config, faults } = await load(
    `groupRef: engineering\nbackends: [{name: x, command: x}]\ncompositeToolRefs: [w]\n${composite}`,
  )
  expect(faults).toEqual([])
  expect(config).toMatchObject({ groupRef: 'engineering', backends: [{ id: 'x' }], compositeTools: [{ name: 'w' }] })
})

test('a vmcp file may set the options of a group of manifests', async () => {
  const { config, faults } = await load(`groupRef: tools\naggregation: {onlyOnConflict: true}\n${GROUP}${MEMBERS}`)
  expect(faults).toEqual([])
  expect(config).toMatchObject({
    groupRef: 'tools',
    mode: 'static',
    aggregation: { onlyOnConflict: true },
    backends: [{ id: 'a' }, { id: 'b' }],
  })
})

test('a list of kubectl is read', async () => {
  const item = {
    apiVersion: 'toolhive.stacklok.dev/v1beta1',
    kind: 'MCPServer',
    metadata: { name: 'a' },
    spec: { image: 'npx://a' },
  }
  const { config } = await load(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }))
  expect(config?.backends).toHaveLength(1)
})

const manifest = (kind: string, spec: string) =>
  `apiVersion: toolhive.stacklok.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: one}\nspec: ${spec}\n`

test.each([
  ['MCPServr', '{image: a}', '2:7 kind: unknown kind "MCPServr" (did you mean "MCPServer"?)'],
  ['MCPServer', '{image: a, transport: htp}', '4:29 spec.transport: unknown transport "htp" (there is "stdio"'],
  ['MCPServer', '{image: a, proxyMode: ssee}', '4:29 spec.proxyMode: unknown proxyMode "ssee" (did you mean "sse"?)'],
])('%s %s is refused', async (kind, spec, fault) => {
  expect(errors(await load(manifest(kind, spec))).join('\n')).toContain(fault)
})

test('a kind of the same group that a gateway does not read is left alone', async () => {
  const text = `${manifest('MCPRegistry', '{}')}---\n${manifest('MCPServer', '{image: a}')}`
  expect(errors(await load(text))).toEqual([])
})

test('backends of another file stand in the order of a draft too', async () => {
  const server = `apiVersion: toolhive.stacklok.dev/v1alpha1
kind: VirtualMCPServer
metadata: {name: v}
spec:
  groupRef: {name: g}
  aggregation: {conflictResolution: first, toolPriority: [b, a, c]}
---
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: MCPGroup
metadata: {name: g}
`
  const folder = folderWith({
    'server.yaml': server,
    'backends.yaml': 'backends: [{name: a, command: x}, {name: b, command: x}]',
  })
  const { config, faults } = await loadConfig([folder], { env: {} })
  expect(config?.aggregation).toMatchObject({ strategy: 'priority', priorityOrder: ['b', 'a'] })
  expect(faults.map(({ message }) => message)).toContain('"c" is not a member of the group and is left out')
})

test('a server may name its group inside of its config, as some releases had it', async () => {
  const text = `apiVersion: toolhive.stacklok.dev/v1alpha1
kind: VirtualMCPServer
metadata: {name: v}
spec: {config: {groupRef: g}}
---
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: MCPGroup
metadata: {name: g}
`
  const { config, faults } = await loadConfig(['-'], { stdin: text, env: {} })
  expect(faults.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(config).toMatchObject({ name: 'v', groupRef: 'g' })
})
