import { type Attack, type Expected, MISSING } from './row.ts'
import { bearer, modern } from './shots.ts'
import { METADATA, RESOURCE } from './world.ts'

const DOCUMENTS = ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp']
const PATHS = [
  '/mcp',
  '/sse',
  '/messages',
  '/health',
  '/ping',
  '/readyz',
  '/status',
  '/oauth/connect',
  '/oauth/callback',
  ...DOCUMENTS,
]
const METHODS = ['GET', 'POST', 'DELETE', 'OPTIONS', 'PUT']

/** Names that are not of this machine, however much they look like it. */
const HOSTS = [
  'attacker.example',
  'attacker.example:4483',
  '127.0.0.1.attacker.example',
  'localhost.attacker.example',
  'attacker.example#127.0.0.1',
  '127.0.0.1@attacker.example',
  'attacker.example@127.0.0.1',
  'user:pass@localhost',
  'localhost, attacker.example',
  '0.0.0.0',
  '[::]',
  '[::ffff:7f00:1]',
  '[::1]attacker.example',
  '[::1%25eth0]',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '127.1',
  'localhost.',
  'localhost:80:80',
  'localhost:999999',
  'localhost:x',
  'localhost/',
  '10.0.0.1',
  '169.254.169.254',
  '',
]

const ORIGINS = [
  'http://attacker.example',
  'https://attacker.example',
  'http://127.0.0.1.attacker.example',
  'http://localhost.attacker.example',
  'http://attacker.example/http://localhost',
  'null',
  'file://',
  'data:,x',
  'javascript:alert(1)',
  'chrome-extension://abcdef',
  'http://127.0.0.1, http://attacker.example',
  'http://attacker.example http://127.0.0.1',
  'http://[::ffff:7f00:1]',
  'https://mcp.example.attacker.example',
  'ftp://localhost',
  '*',
  '//localhost',
  'localhost',
]

const FORBIDDEN: Expected = { status: 403, challenge: null, lacks: 'access-control-allow-origin' }

const REBOUND: Attack[] = [
  ...HOSTS.map((host): Attack => ({
    name: `Host ${JSON.stringify(host)} on every path`,
    send: ({ alice }) => PATHS.map((path) => ({ method: 'GET', path, headers: { ...bearer(alice), host }, body: '' })),
    expect: FORBIDDEN,
  })),
  ...METHODS.map((method): Attack => ({
    name: `a foreign Host with ${method}`,
    send: ({ alice }) =>
      PATHS.map((path) => ({ method, path, headers: { ...bearer(alice), host: 'attacker.example' }, body: '' })),
    expect: FORBIDDEN,
  })),
  ...ORIGINS.map((origin): Attack => ({
    name: `Origin ${JSON.stringify(origin)} on every path`,
    send: ({ alice }) =>
      PATHS.map((path) => ({ method: 'GET', path, headers: { ...bearer(alice), origin }, body: '' })),
    expect: FORBIDDEN,
  })),
  {
    name: 'a page that asks whether it may',
    send: () =>
      ['http://attacker.example', 'null'].map((origin) => ({
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      })),
    expect: FORBIDDEN,
  },
  {
    name: 'two hosts, the first one good',
    send: ({ alice }) => modern(alice, 'tools/list', {}, { host: '127.0.0.1\r\nhost: attacker.example' }),
    expect: { status: 400, challenge: null },
  },
  {
    name: 'two hosts, the last one good',
    send: ({ alice }) => modern(alice, 'tools/list', {}, { host: 'attacker.example\r\nhost: 127.0.0.1' }),
    expect: { status: [400, 403], challenge: null },
  },
  {
    name: 'headers that a page smuggles into its question',
    send: () => ({
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:1234',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x;\u00e9:<script>',
      },
    }),
    expect: { status: 204, lacks: 'access-control-allow-credentials' },
  },
]

const FORWARDED = [
  { 'x-forwarded-host': 'attacker.example' },
  { 'x-forwarded-host': 'attacker.example', 'x-forwarded-proto': 'http' },
  { forwarded: 'host=attacker.example;proto=http' },
  { 'x-host': 'attacker.example' },
  { 'x-forwarded-server': 'attacker.example' },
  { 'x-original-host': 'attacker.example' },
  { host: 'localhost:1' },
]

const LED_ASTRAY: Attack[] = FORWARDED.flatMap((headers): Attack[] => [
  {
    name: `the way to a token does not lead through ${JSON.stringify(headers)}`,
    send: () => modern(undefined, 'tools/list', {}, headers),
    expect: { status: 401, challenge: new RegExp(`resource_metadata="${METADATA}"`, 'u') },
  },
  {
    name: `the document does not name ${JSON.stringify(headers)}`,
    send: () => DOCUMENTS.map((path) => ({ method: 'GET', path, headers, body: '' })),
    expect: { status: 200, text: new RegExp(`^\\{"resource":"${RESOURCE}",`, 'u') },
  },
])

const target = (name: string, path: string, expect: Expected): Attack => ({
  name,
  expect,
  send: ({ port }) => ({ ...modern(undefined, 'tools/list'), path: path.replace('PORT', String(port)) }),
})

const TARGETS: Attack[] = [
  ...[
    'http://attacker.example/mcp',
    'http://127.0.0.1/mcp',
    'http://127.0.0.1:PORT/health',
    '//attacker.example/mcp',
    '/mcp/',
    '/MCP',
    '/%6dcp',
    '/./mcp',
    '/x/../mcp',
    '/mcp;x=1',
    '/mcp%3fx',
    '/mcp%00',
    '/status/../mcp',
    '/__proto__',
    '/constructor',
    '/hasOwnProperty',
    '/.well-known/oauth-protected-resource/../../mcp',
    '/.well-known/oauth-protected-resource/mcp/..',
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server',
  ].map((path) => target(`the target ${path}`, path, { status: 404, challenge: null })),
  target('the target *', '*', { status: [400, 404], challenge: null }),
  target('a fragment', '/mcp#/health', MISSING),
  target('a query', '/mcp?/health', MISSING),
  {
    name: 'a document asked for in other ways',
    send: () =>
      DOCUMENTS.flatMap((path) => ['POST', 'PUT', 'DELETE', 'PATCH'].map((method) => ({ method, path, body: '' }))),
    expect: { status: 405 },
  },
]

export const HOSTS_AND_ORIGINS: readonly Attack[] = [...REBOUND, ...LED_ASTRAY, ...TARGETS]
