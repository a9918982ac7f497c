import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { folderWith } from '../../test/support/folders.ts'
import { selfSigned } from '../../test/support/oidc/certificate.ts'
import type { Secret } from '../model/secret.ts'
import { formatFault } from './format.ts'
import { defaultInputs, loadConfig, type LoadOptions } from './load.ts'

const load = (text: string, options: LoadOptions = {}) => loadConfig(['-'], { stdin: text, env: {}, ...options })
const lines = (result: { faults: Parameters<typeof formatFault>[0][] }) => result.faults.map(formatFault)

test('an empty configuration has the documented defaults', async () => {
  const { config } = await load('backends: [{name: a, url: "http://127.0.0.1:1/mcp"}]')
  expect(config).toMatchObject({
    name: 'vmcp',
    mode: 'static',
    aggregation: {
      strategy: 'prefix',
      prefixFormat: '{workload}_',
      prefixExplicit: false,
      onlyOnConflict: false,
      defaultToolVisibility: 'allow',
    },
    timeouts: { defaultMs: 30_000, maxMs: 1_800_000 },
    failure: {
      partialFailureMode: 'best_effort',
      healthCheckIntervalMs: 30_000,
      healthCheckTimeoutMs: 10_000,
      unhealthyThreshold: 3,
      circuitBreaker: { enabled: true, failureThreshold: 5, timeoutMs: 60_000 },
    },
    door: { allowedHosts: [], allowedOrigins: [], maxRequestBytes: 8 * 2 ** 20, maxMessageBytes: 64 * 2 ** 20 },
    sessions: { maxPerBackend: 100, idleMs: 300_000 },
    sealingKeys: [],
    incomingAuth: { type: 'anonymous', explicit: false, publicDiscovery: false, issuers: [] },
    tokenStore: { provider: 'file' },
    laterSections: [],
  })
  expect(config?.groupRef).toBeUndefined()
})

test('a method of a vendor has one backend, whose own extensions are offered', async () => {
  const { config } = await load('backends: [{name: a, command: x, methods: [v/m]}, {name: b, command: x, methods: []}]')
  expect(config?.vendorMethods).toEqual(new Map([['v/m', 'a']]))
  expect(config?.aggregation.vendors).toEqual(new Set(['a', 'b']))
})

test('a shorter interval shortens the default of the health check timeout', async () => {
  const { config } = await load('backends: []\noperational: {failureHandling: {healthCheckInterval: 4s}}')
  expect(config?.failure.healthCheckTimeoutMs).toBe(2000)
})

test('everything that the schema knows is accepted, and what has no effect yet is named', async () => {
  const { cert, key } = selfSigned()
  const folder = folderWith({ 'cert.pem': cert, 'key.pem': key })
  const env = {
    VMCP_SEALING_KEY: Buffer.alloc(32, 7).toString('base64'),
    GITHUB_KEY: 'k',
    FILES_TOKEN: 't',
    TLS_FOLDER: folder,
  }
  const result = await loadConfig([join(import.meta.dirname, 'testdata/vmcp/full.yaml')], { env })
  expect(lines(result)).toEqual([])
  expect(result.config).toMatchObject({
    name: 'engineering',
    groupRef: 'engineering',
    publicUrl: 'https://mcp.example/mcp',
    tls: { certFile: join(folder, 'cert.pem') },
    sealingKeys: [{ id: '2026-11', key: Buffer.alloc(32, 7) }],
    sessions: { maxPerBackend: 10, idleMs: 90_000 },
    logLevel: 'debug',
    laterSections: ['optimizer', 'codeMode', 'audit', 'telemetry', 'sessionStorage'],
  })
  expect(result.config?.timeouts.perTool.get('github_search')).toBe(300_000)
  expect(result.config?.aggregation.tools.get('github')?.overrides['create_issue']?.name).toBe('new_issue')
})

test('references are expanded; what is not set withholds that backend only', async () => {
  const folder = folderWith({
    'key.txt': 'from-file\n',
    'vmcp.yaml': `backends:
  - name: good
    command: "\${RUNNER:-node}"
    args: ["./x.js", "\${env:ARG}"]
    env: { KEY: "\${file:key.txt}" }
    cwd: sub
  - name: bad
    url: http://\${HOST}/mcp
    headers: { A: "\${ONE}", B: "\${TWO}" }
`,
  })
  const result = await loadConfig(['vmcp.yaml'], { cwd: folder, env: { ARG: 'arg' } })
  const [good, bad] = result.config?.backends ?? []
  expect(good).toMatchObject({
    endpoint: { kind: 'stdio', command: 'node', args: ['./x.js', 'arg'], cwd: join(folder, 'sub') },
  })
  expect(good?.endpoint.kind === 'stdio' && good.endpoint.env['KEY']?.reveal()).toBe('from-file')
  expect(bad?.fault?.message).toBe(
    'the variable HOST is not set; the variable ONE is not set; the variable TWO is not set',
  )
  expect(result.faults.map((fault) => [fault.scope, fault.line, fault.column])).toEqual([
    ['backend', 8, 10],
    ['backend', 9, 19],
    ['backend', 9, 32],
  ])
  expect(result.files).toEqual([join(folder, 'vmcp.yaml'), join(folder, 'key.txt')])
})

test('a backend that is switched off needs no variables', async () => {
  const { config, faults } = await load('backends: [{name: a, url: "http://${X}/", disabled: true}]')
  expect(faults).toEqual([])
  expect(config?.backends[0]?.disabled).toBe(true)
})

test('the transport of a url: as written, else told by its path', async () => {
  const { config } = await load(`backends:
  - { name: a, url: "http://h/mcp" }
  - { name: b, url: "http://h/sse" }
  - { name: c, url: "http://h/sse", transport: streamable-http }
  - { name: d, url: "http://h/x", transport: sse }`)
  expect(config?.backends.map((backend) => backend.endpoint.kind)).toEqual(['http', 'sse', 'http', 'sse'])
})

const revealed = (headers: Readonly<Record<string, Secret>> | undefined) =>
  Object.entries(headers ?? {}).map(([name, value]) => [name, value.reveal()])

test('header injection becomes a header, of containers that listen too', async () => {
  const text = `backends: [{name: a, url: "http://h/", headers: {x-key: old}}, {name: b, url: "http://h/"}, {name: c, image: i, transport: sse}, {name: d, image: i}]
outgoingAuth:
  default: { type: header_injection, headerInjection: { headerName: X-Key, headerValueEnv: KEY } }
  backends:
    b: { type: header_injection, headerInjection: { headerName: X-Key, headerValueEnv: NONE } }
`
  const { config, faults } = await load(text, { env: { KEY: 'secret' } })
  const [a, b, c, d] = config?.backends ?? []
  expect(a?.endpoint.kind === 'http' && revealed(a.endpoint.headers)).toEqual([['X-Key', 'secret']])
  expect(b?.fault).toEqual({ message: 'the variable NONE is not set', hint: 'set NONE' })
  expect(c?.endpoint.kind === 'container' && revealed(c.endpoint.headers)).toEqual([['X-Key', 'secret']])
  expect(d?.endpoint.kind === 'container' && d.endpoint.headers).toBeUndefined()
  expect(faults.map((fault) => fault.scope)).toEqual(['backend'])
  const broken = await load(text, { env: { KEY: 'a\r\nB: c', NONE: 'x' } })
  expect(broken.config?.backends[0]?.fault?.message).toBe('the value of the header X-Key has a line break in it')
})

test('a header value with a line break is refused', async () => {
  const { config } = await load('backends: [{name: a, url: "http://h/", headers: {A: "${V}"}}]', {
    env: { V: 'a\r\nB: c' },
  })
  expect(config?.backends[0]?.fault?.message).toContain('line break')
})

test.each([
  ['hex', 'ab'.repeat(32), Buffer.alloc(32, 0xab)],
  ['base64', Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 1)],
  ['base64url', Buffer.alloc(32, 0xfb).toString('base64url'), Buffer.alloc(32, 0xfb)],
])('a sealing key as %s', async (_form, value, key) => {
  const { config } = await load(`backends: []\nsealing: {keys: [{id: a, value: "${value}"}]}`)
  expect(config?.sealingKeys).toEqual([{ id: 'a', key }])
})

test('a passphrase as sealing key is hashed', async () => {
  const { config } = await load(`backends: []\nsealing: {keys: [{id: a, valueEnv: K}]}`, { env: { K: 'x'.repeat(32) } })
  expect(config?.sealingKeys[0]?.key).toHaveLength(32)
})

test('secrets of the authentication sections never show', async () => {
  const text = `backends: [{name: a, url: "https://a/"}]
incomingAuth: {type: oidc, oidc: {issuer: "https://i", audience: a, clientSecret: hidden-one}}
outgoingAuth: {default: {type: header_injection, headerInjection: {headerName: A, headerValue: hidden-two}}}`
  const { config } = await load(text)
  expect(config?.incomingAuth.issuers[0]?.clientSecret?.reveal()).toBe('hidden-one')
  const [endpoint] = (config?.backends ?? []).map((backend) => backend.endpoint)
  expect(endpoint?.kind === 'http' && revealed(endpoint.headers)).toEqual([['A', 'hidden-two']])
  expect(inspect(config, { depth: 20 }) + JSON.stringify(config)).not.toContain('hidden')
})

test('the configuration is frozen to its leaves', async () => {
  const { config } = await load('backends: [{name: a, command: x}]\noperational: {timeouts: {perWorkload: {a: 1s}}}')
  if (!config) throw new Error('refused')
  expect(Object.isFrozen(config.backends[0]?.endpoint)).toBe(true)
  expect(() => (config.timeouts.perWorkload as Map<string, number>).set('b', 1)).toThrow('frozen')
})

test('a tool called "constructor" has no settings of its own', async () => {
  const { config } = await load('backends: [{name: a, command: x}]\naggregation: {tools: [{workload: a}]}')
  expect(config?.aggregation.tools.get('a')?.overrides['constructor']).toBeUndefined()
})

test('several files are merged; equal names and twice-set sections are faults', async () => {
  const folder = folderWith({
    'a.yaml': 'name: one\nbackends: [{name: x, command: x}]',
    'b.json': '{"mcpServers": {"y": {"command": "y"}}}',
    'c.yaml': 'name: two\nbackends: [{name: x, command: z}]',
  })
  const good = await loadConfig(['a.yaml', 'b.json'], { cwd: folder })
  expect(good.config?.backends.map((backend) => backend.id)).toEqual(['x', 'y'])
  const bad = await loadConfig(['a.yaml', 'c.yaml'], { cwd: folder })
  expect(bad.config).toBeUndefined()
  expect(lines(bad)).toEqual([
    'c.yaml:1:1 name: "name" is set twice (it is set at a.yaml:1:1 too; keep one)',
    'c.yaml:2:19 backends[0].name: the backend "x" is defined twice (the other one is at a.yaml:2:19; rename one)',
  ])
})

test('folders are read flat or down, in the order of names; strange files are only warnings', async () => {
  const folder = folderWith({
    'b.yml': 'backends: [{name: b, command: b}]',
    'a.json': '{"mcpServers": {"a": {"command": "a"}}}',
    'package.json': '{"name": "x", "version": "1"}',
    'notes.txt': 'backends: 5',
    'deep/c.yaml': 'backends: [{name: c, command: c}]',
  })
  const flat = await loadConfig([folder])
  expect(flat.config?.backends.map((backend) => backend.id)).toEqual(['a', 'b'])
  expect(flat.faults).toMatchObject([{ severity: 'warning', message: 'not recognised as a configuration' }])
  const deep = await loadConfig([folder], { recursive: true })
  expect(deep.config?.backends.map((backend) => backend.id)).toEqual(['a', 'b', 'c'])
  expect(deep.files).toContain(join(folder, 'deep'))
})

test('a file that is named must be there, be recognised and say something', async () => {
  const folder = folderWith({
    'strange.json': '{"name": "x"}',
    'empty.yaml': '# nothing\n',
    'typo.yaml': 'backend: []',
  })
  const result = await loadConfig(['absent.yaml', 'strange.json', 'empty.yaml', 'typo.yaml'], { cwd: folder })
  expect(result.config).toBeUndefined()
  expect(lines(result).sort()).toEqual([
    expect.stringContaining('absent.yaml:1:1: there is no such file or folder'),
    expect.stringContaining('empty.yaml:1:1: the file is empty (expected a vmcp configuration'),
    expect.stringContaining('strange.json:1:1: not recognised as a configuration (expected a vmcp configuration'),
    'typo.yaml:1:1 backend: unknown key "backend" (did you mean "backends"?)',
  ])
})

test('the first default file that exists is the default input', () => {
  expect(defaultInputs(folderWith({ '.mcp.json': '{}', 'mcp.json': '{}' }))).toEqual(['mcp.json'])
  expect(defaultInputs(folderWith({}))).toEqual([])
})

test('a group without backends is discovered only in a cluster', async () => {
  const result = await load('groupRef: engineering\naggregation: {tools: [{workload: unknown-yet}]}')
  expect(result.config).toMatchObject({ mode: 'dynamic', backends: [] })
  expect(result.faults).toMatchObject([{ severity: 'warning', message: 'there are no backends' }])
})

test('vmcp configurations may be JSON and name their schema', async () => {
  const { config } = await load('{"$schema": "x.json", "backends": [{"name": "a", "command": "x"}]}')
  expect(config?.backends).toHaveLength(1)
})
