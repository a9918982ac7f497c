import { MODERN } from '../../support/script.ts'
import { type Attack, DENIED, type Expected, MISSING, type Shot } from './row.ts'
import { bearer, callWith, legacy, modern, request } from './shots.ts'
import type { World } from './world.ts'

const MISMATCH: Expected = { status: 400, code: -32020, challenge: null }
const ECHO = { name: 'echo', arguments: { text: 'hello' } }
const base64 = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`

/** A call of `echo` by Alice, who may, with other headers. */
const told = (name: string, headers: Record<string, string | undefined>, expect: Expected = MISMATCH): Attack => ({
  name,
  expect,
  send: (world) => modern(world.alice, 'tools/call', ECHO, headers),
})

const PASSES: Expected = { status: 200, received: { text: 'hello' } }

const STANDARD: Attack[] = [
  told('Mcp-Method of a method that is open to more', { 'mcp-method': 'tools/list' }),
  told('Mcp-Method of discovery', { 'mcp-method': 'server/discover' }),
  told('no Mcp-Method', { 'mcp-method': undefined }),
  told('Mcp-Method in capital letters', { 'mcp-method': 'TOOLS/CALL' }),
  told('Mcp-Method twice', { 'mcp-method': 'tools/call\r\nmcp-method: tools/list' }),
  told('Mcp-Name of another tool', { 'mcp-name': 'guarded' }),
  told('Mcp-Name of another tool, encoded', { 'mcp-name': base64('guarded') }),
  told('Mcp-Name encoded, as it may be', { 'mcp-name': base64('echo') }, PASSES),
  told('Mcp-Name in a broken encoding', { 'mcp-name': '=?base64?***?=' }),
  told('Mcp-Name in the encoding of mails', { 'mcp-name': '=?utf-8?B?ZWNobw==?=' }),
  told('no Mcp-Name', { 'mcp-name': undefined }),
  told('Mcp-Name twice', { 'mcp-name': 'echo\r\nmcp-name: guarded' }),
  told('Mcp-Name in capital letters', { 'mcp-name': 'ECHO' }),
  told('MCP-Protocol-Version of another revision', { 'mcp-protocol-version': '2025-11-25' }),
  told(
    'MCP-Protocol-Version twice',
    { 'mcp-protocol-version': `${MODERN}\r\nmcp-protocol-version: 2025-11-25` },
    {
      status: 400,
    },
  ),
  told('no MCP-Protocol-Version', { 'mcp-protocol-version': undefined }),
  {
    name: 'a header says discovery and shows no token',
    send: () => modern(undefined, 'tools/call', ECHO, { 'mcp-method': 'server/discover' }),
    expect: MISSING,
  },
  {
    name: 'a version that nobody knows',
    send: ({ alice }) => legacy(alice, undefined, request('tools/list'), { 'mcp-protocol-version': '2099-01-01' }),
    expect: { status: 400 },
  },
]

const parameter = (name: string, city: string, header: string | undefined, expect: Expected = MISMATCH): Attack => ({
  name,
  expect,
  send: (world) => {
    const { headers, body = '' } = callWith(world.mallory, 'param', city)
    return { headers: { ...headers, 'mcp-param-city': header }, body }
  },
})

const PARAMETERS: Attack[] = [
  parameter('Mcp-Param-City of another city', '{"city":"Rome"}', 'Oslo'),
  parameter('Mcp-Param-City of the city', '{"city":"Rome"}', 'Rome', { status: 200, received: { city: 'Rome' } }),
  parameter('no Mcp-Param-City', '{"city":"Rome"}', undefined),
  parameter('Mcp-Param-City without a city', '{}', 'Rome'),
  parameter('Mcp-Param-City of the first of two cities', '{"city":"Rome","city":"Oslo"}', 'Rome'),
  parameter('Mcp-Param-City of a city inside', '{"__proto__":{"city":"Rome"}}', 'Rome'),
  parameter('Mcp-Param-City twice', '{"city":"Rome"}', 'Rome\r\nmcp-param-city: Oslo'),
  parameter('Mcp-Param-City in a broken encoding', '{"city":"Rome"}', '=?base64?!?='),
]

const OVERRIDES: Attack[] = [
  ...['x-http-method-override', 'x-http-method', 'x-method-override'].map((name): Attack => ({
    name: `${name} makes no other request`,
    send: (world) => {
      const { headers, body = '' } = callWith(world.mallory, 'guarded', '{"path":"secret"}')
      return { headers: { ...headers, [name]: 'DELETE' }, body }
    },
    expect: DENIED,
  })),
  ...['x-original-url', 'x-rewrite-url', 'x-forwarded-prefix'].map((name): Attack => ({
    name: `${name} leads nowhere else`,
    send: () => modern(undefined, 'tools/list', {}, { [name]: '/health' }),
    expect: MISSING,
  })),
  ...[
    'x-user',
    'x-remote-user',
    'x-forwarded-user',
    'x-auth-request-email',
    'x-client-cert',
    'x-amzn-oidc-identity',
  ].map((name): Attack => ({
    name: `${name} proves nothing`,
    send: () => modern(undefined, 'tools/list', {}, { [name]: 'alice' }),
    expect: MISSING,
  })),
  {
    name: 'a method that is no method of ours',
    send: ({ alice }) =>
      ['PUT', 'PATCH', 'TRACE', 'PROPFIND'].map((method) => ({ method, headers: bearer(alice), body: '' })),
    expect: { status: 405 },
  },
  {
    name: 'more headers than anybody sends',
    send: ({ alice }) =>
      modern(alice, 'tools/list', {}, Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`x-${n}`, '1']))),
    expect: { status: 431 },
  },
  {
    name: 'a head that is too large',
    send: ({ alice }) => modern(alice, 'tools/list', {}, { 'x-long': 'x'.repeat(20_000) }),
    expect: { status: 431, closes: true },
  },
]

/** Requests of which two readers could make two different things: Node refuses them before we see them. */
const body = JSON.stringify(request('tools/list'))
const SMUGGLED = 'POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'
const raw =
  (head: string, rest: string) =>
  (world: World): Shot => ({
    bytes: `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${world.alice}\r\nContent-Type: application/json\r\n${head}\r\n\r\n${rest}`,
  })
const refused: Expected = { status: 400, closes: true, challenge: null }

const SMUGGLING: Attack[] = (
  [
    ['both lengths', `Content-Length: ${body.length}\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${SMUGGLED}`],
    ['both lengths, the other way round', 'Transfer-Encoding: chunked\r\nContent-Length: 4', `0\r\n\r\n${SMUGGLED}`],
    ['two different lengths', `Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}`, SMUGGLED],
    ['a list of lengths', 'Content-Length: 0, 5', SMUGGLED],
    ['a negative length', 'Content-Length: -1', SMUGGLED],
    ['a length with a sign', 'Content-Length: +5', SMUGGLED],
    ['a length in another base', 'Content-Length: 0x5', SMUGGLED],
    ['a length that overflows', 'Content-Length: 99999999999999999999', SMUGGLED],
    ['a space before the colon', 'Transfer-Encoding : chunked', `0\r\n\r\n${SMUGGLED}`],
    ['a folded header', 'Transfer-Encoding:\r\n chunked', `0\r\n\r\n${SMUGGLED}`],
    ['chunked, and not last', 'Transfer-Encoding: chunked, identity', `0\r\n\r\n${SMUGGLED}`],
    ['an unknown coding', 'Transfer-Encoding: xchunked', `0\r\n\r\n${SMUGGLED}`],
    ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', `0\r\n\r\n${SMUGGLED}`],
    ['a bare line feed in the head', 'X-A: 1\nTransfer-Encoding: chunked', `0\r\n\r\n${SMUGGLED}`],
    ['a NUL in a header', 'X-A: a\0b', body],
    ['a header without a name', ': x', body],
    ['a size of a chunk that is no number', 'Transfer-Encoding: chunked', `zz\r\n\r\n${SMUGGLED}`],
    ['a size of a chunk that overflows', 'Transfer-Encoding: chunked', `fffffffffffffffff\r\n\r\n${SMUGGLED}`],
    ['a chunk that is longer than it says', 'Transfer-Encoding: chunked', `1\r\nabc\r\n0\r\n\r\n${SMUGGLED}`],
  ] as const
).map(([name, head, rest]) => ({ name, send: raw(head, rest), expect: refused }))

const LINES: Attack[] = (
  [
    ['no host', 'POST /mcp HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
    ['a method in small letters', 'post /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'],
    ['a version that nobody knows', 'POST /mcp HTTP/9.9\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'],
    ['the preface of HTTP 2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a greeting of TLS', '\u0016\u0003\u0001\u0002\u0000\u0001'],
  ] as const
).map(([name, bytes]) => ({ name, send: () => ({ bytes }), expect: { status: 400, closes: true } }))

const TUNNELS: Attack[] = [
  {
    name: 'a request line of HTTP 0.9, which names no host',
    send: () => ({ bytes: 'GET /mcp\r\n\r\n' }),
    expect: { status: 403, closes: true },
  },
  {
    name: 'a tunnel to somewhere else',
    send: () => ({ bytes: 'CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n' }),
    expect: { status: 'cut' },
  },
  {
    name: 'an upgrade to another protocol',
    send: ({ alice }) =>
      modern(
        alice,
        'tools/list',
        {},
        { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AA' },
      ),
    expect: { status: 200, lacks: 'upgrade' },
  },
  {
    name: 'an upgrade to a web socket without a token',
    send: () => modern(undefined, 'tools/list', {}, { connection: 'Upgrade', upgrade: 'websocket' }),
    expect: MISSING,
  },
]

export const HEADERS: readonly Attack[] = [...STANDARD, ...PARAMETERS, ...OVERRIDES, ...SMUGGLING, ...LINES, ...TUNNELS]
