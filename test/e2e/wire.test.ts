import { Server } from 'node:net'

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import {
  messageOf,
  openRaw,
  rawRequest,
  requestBytes,
  type RawConnection,
  type RawRequest,
  type RawResponse,
} from '../support/raw-http.ts'
import { ECHO_TOOL, LEGACY, META, MIRROR_TOOL, MODERN } from '../support/script.ts'

/** What keeps waiting streams alive: a throw in one of these would end the process. */
const keepAlives = vi.hoisted(() => {
  const found: (() => void)[] = []
  const original = globalThis.setInterval
  globalThis.setInterval = ((run: () => void, ms: number) => {
    if (ms === 15_000 || ms === 1000) found.push(run)
    return original(run, ms)
  }) as typeof setInterval
  return found
})

const LIMIT = 2 * 2 ** 20

let backend: HttpBackend
let gateway: TestGateway
let port: number
let session: string
const httpServers: Server[] = []

beforeAll(async () => {
  backend = await startHttpBackend({
    tools: [
      ECHO_TOOL,
      MIRROR_TOOL,
      ...['hidden', 'constructor', '__proto__'].map((name) => ({ ...MIRROR_TOOL, name })),
    ],
    prompts: [{ name: 'greet', arguments: [{ name: 'who' }] }],
    resources: [{ uri: 'fixture://one', name: 'one' }],
    templates: [{ uriTemplate: 'fixture://items/{id}', name: 'items' }],
    completions: ['alpha'],
  })
  const listen = vi.spyOn(Server.prototype, 'listen')
  gateway = await startGateway({
    backends: [{ name: 'one', url: backend.url }],
    aggregation: { tools: [{ workload: 'one', filter: ['echo', 'mirror', 'constructor', '__proto__'] }] },
    maxRequestBytes: LIMIT,
    allowedHosts: ['gateway.example', 'exact.example:8443'],
    allowedOrigins: ['https://app.example/'],
  })
  httpServers.push(...(listen.mock.contexts as Server[]))
  listen.mockRestore()
  port = Number(new URL(gateway.url).port)
  const answer = await rawRequest(port, { body: text('initialize', HELLO) })
  session = answer.headers['mcp-session-id'] ?? ''
  await rawRequest(port, legacy('tools/list'))
})

afterAll(async () => {
  await gateway?.close()
  await backend?.close()
})

afterEach(async () => {
  const { status } = await rawRequest(port, modern('tools/call', { name: 'echo', arguments: { text: 'still here' } }))
  expect(status).toBe(200)
  expect(gateway.events.filter(({ name }) => name === 'internal.error')).toEqual([])
})

const HELLO = { protocolVersion: LEGACY[0]!, capabilities: {}, clientInfo: { name: 'wire', version: '1' } }
const ENVELOPE = { [META.version]: MODERN, [META.capabilities]: {} }
const NAMED: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' }

function text(method: string, params?: JsonValue, id: JsonValue = 1): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) })
}

type Headers = Record<string, string | undefined>

/** A request on the session of this file. */
function legacy(method: string, params?: JsonValue, headers: Headers = {}): RawRequest {
  return legacyText(text(method, params), headers)
}

function legacyText(body: string, headers: Headers = {}): RawRequest {
  return { body, headers: { 'mcp-session-id': session, 'mcp-protocol-version': LEGACY[0]!, ...headers } }
}

/** A request with its envelope and the headers that go with it; `headers` may contradict them. */
function modern(
  method: string,
  params: JsonObject = {},
  headers: Headers = {},
  envelope: JsonObject = ENVELOPE,
): RawRequest {
  const named = params[NAMED[method] ?? '']
  return {
    body: text(method, { ...params, _meta: envelope }),
    headers: {
      'mcp-protocol-version': MODERN,
      'mcp-method': method,
      ...(typeof named === 'string' && { 'mcp-name': named }),
      ...headers,
    },
  }
}

/** The whole body of an error answer, and nothing else. */
const fault = (id: JsonValue, code: number, data?: JsonValue): JsonObject => ({
  jsonrpc: '2.0',
  id,
  error: { code, message: expect.any(String) as unknown as string, ...(data === undefined ? {} : { data }) },
})

function expectFault(answer: RawResponse, status: number, code: number, id: JsonValue = 1, data?: JsonValue): void {
  expect({ status: answer.status, body: answer.body === '' ? '' : JSON.parse(answer.body) }).toEqual({
    status,
    body: fault(id, code, data),
  })
  expect(answer.headers['content-type']).toBe('application/json')
  expect(answer.body.length).toBeLessThan(1000)
}

describe('a body that is no JSON-RPC message', () => {
  const cases: [what: string, body: string | Buffer, code: number, id: JsonValue][] = [
    ['nothing', '', -32700, null],
    ['white space', ' \n', -32700, null],
    ['half an object', '{"jsonrpc":"2.0","id":1,', -32700, null],
    ['two objects', '{}{}', -32700, null],
    ['a single quote', "{'a':1}", -32700, null],
    ['NaN', '{"jsonrpc":"2.0","id":NaN,"method":"ping"}', -32700, null],
    ['bytes', Buffer.from([0, 255, 254, 1, 2, 3]), -32700, null],
    ['a NUL byte in a string', Buffer.from('{"jsonrpc":"2.0","id":1,"method":"pi\0ng"}'), -32700, null],
    ['UTF-16', Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'utf16le'), -32700, null],
    ['null', 'null', -32600, null],
    ['a number', '1', -32600, null],
    ['a long number', '123456789012345678901234567890', -32600, null],
    ['a string', '"ping"', -32600, null],
    ['an empty batch', '[]', -32600, null],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, null],
    ['an empty object', '{}', -32600, null],
    ['no version', '{"id":1,"method":"ping"}', -32600, 1],
    ['version 1.0', '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 1],
    ['a version that is a number', '{"jsonrpc":2.0,"id":"a","method":"ping"}', -32600, 'a'],
    ['neither method nor result', '{"jsonrpc":"2.0","id":1}', -32600, 1],
    ['a method that is a number', '{"jsonrpc":"2.0","id":1,"method":1}', -32600, 1],
    ['a method that is null', '{"jsonrpc":"2.0","id":1,"method":null}', -32600, 1],
    ['params that are an array', '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600, 1],
    ['params that are a string', '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', -32600, 1],
    ['params that are null', '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', -32600, 1],
    ['params that are a huge number', '{"jsonrpc":"2.0","id":1,"method":"ping","params":1e400}', -32600, 1],
    ['id null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, null],
    ['id true', '{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, null],
    ['id an object', '{"jsonrpc":"2.0","id":{"__proto__":null},"method":"ping"}', -32600, null],
    ['id an array', '{"jsonrpc":"2.0","id":[1],"method":"ping"}', -32600, null],
    ['an error without a code', '{"jsonrpc":"2.0","id":1,"error":{}}', -32600, 1],
    ['a result that is a number', '{"jsonrpc":"2.0","id":1,"result":1e400}', -32600, 1],
    ['100,000 brackets', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, -32600, null],
  ]
  const eras = { legacy: () => legacyText(''), modern: () => modern('ping') }
  for (const [era, base] of Object.entries(eras)) {
    test.each(cases)(`${era}: %s`, async (_what, body, code, id) => {
      const request = base()
      const headers = { ...request.headers, 'content-length': String(Buffer.byteLength(body)) }
      expectFault(await rawRequest(port, { ...request, headers, body }), 400, code, id)
    })
  }
})

describe('an id is echoed as it is', () => {
  const ids = [
    '0',
    '-1',
    '1.5',
    '1e+21',
    '12345678901234567890',
    '1e400',
    '0.1234567890123456789',
    '""',
    '"1"',
    '"ä 😀"',
  ]
  const odd = ['"\\u0000\\n\\""', '"\\ud800"', '"__proto__"', JSON.stringify('x'.repeat(100_000))]
  test.each([...ids, ...odd].map((id) => [id]))('%.40s', async (id) => {
    const body = `{"jsonrpc":"2.0","id":${id},"method":"ping"}`
    expect(await rawRequest(port, legacyText(body))).toMatchObject({
      status: 200,
      body: `{"jsonrpc":"2.0","id":${id},"result":{}}`,
    })
    const call = modern('tools/call', { name: 'echo', arguments: { text: 'hi' } })
    const answer = await rawRequest(port, { ...call, body: String(call.body).replace('"id":1,', `"id":${id},`) })
    expect(answer.status).toBe(200)
    expect(answer.body.startsWith(`{"jsonrpc":"2.0","id":${id},"result":{`)).toBe(true)
  })

  test('in the tag of a subscription', async () => {
    const listen = modern('subscriptions/listen', { notifications: {} })
    const id = '12345678901234567890'
    const answer = await rawRequest(port, { ...listen, body: String(listen.body).replace('"id":1,', `"id":${id},`) })
    const tag = `"io.modelcontextprotocol/subscriptionId":${id}`
    expect(answer.body.split(tag)).toHaveLength(3)
  })
})

describe('sessions', () => {
  test('a legacy request without one', async () => {
    expectFault(await rawRequest(port, legacy('ping', {}, { 'mcp-session-id': undefined })), 400, -32600)
  })
  test.each(['unknown', '', '__proto__', 'x'.repeat(5000)])('an unknown one: %.20s', async (id) => {
    const headers = { 'mcp-session-id': id }
    expectFault(await rawRequest(port, legacy('ping', {}, headers)), 404, -32001)
    expectFault(await rawRequest(port, { method: 'GET', headers }), 404, -32001, null)
    expectFault(await rawRequest(port, { method: 'DELETE', headers }), 404, -32001, null)
    const notice = '{"jsonrpc":"2.0","method":"notifications/initialized"}'
    expectFault(await rawRequest(port, legacyText(notice, headers)), 404, -32001, null)
  })
  test('GET and DELETE without one', async () => {
    expectFault(await rawRequest(port, { method: 'GET' }), 400, -32600, null)
    expectFault(await rawRequest(port, { method: 'DELETE' }), 400, -32600, null)
  })
  test('a revision that nobody speaks', async () => {
    expectFault(await rawRequest(port, legacy('ping', {}, { 'mcp-protocol-version': '1999-01-01' })), 400, -32600)
  })
  test('a refused handshake opens none', async () => {
    const answer = await rawRequest(port, { body: text('initialize', { protocolVersion: LEGACY[0]! }) })
    expectFault(answer, 200, -32602)
    expect(answer.headers['mcp-session-id']).toBeUndefined()
  })
  test('a modern request ignores the header and never echoes it', async () => {
    const answer = await rawRequest(port, modern('tools/list', {}, { 'mcp-session-id': 'whatever' }))
    expect(answer.status).toBe(200)
    expect(answer.headers['mcp-session-id']).toBeUndefined()
  })
  test('notifications and late responses get 202 without a body', async () => {
    for (const body of [
      '{"jsonrpc":"2.0","method":"notifications/initialized"}',
      '{"jsonrpc":"2.0","method":"notifications/whatever","params":{"a":1}}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{"a":[]},"reason":5}}',
      '{"jsonrpc":"2.0","id":7,"result":{}}',
      '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"no"}}',
    ]) {
      expect(await rawRequest(port, legacyText(body))).toMatchObject({ status: 202, body: '' })
    }
    const { headers = {} } = modern('ping')
    const notice = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { _meta: ENVELOPE } })
    expect(await rawRequest(port, { headers, body: notice })).toMatchObject({ status: 202, body: '' })
    expectFault(await rawRequest(port, { headers, body: '{"jsonrpc":"2.0","id":7,"result":{}}' }), 400, -32600, null)
  })
})

describe('methods that do not exist', () => {
  const nowhere = ['nope', '', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'TOOLS/LIST', 'tasks/nope']
  const longest = 'x'.repeat(1_000_000)
  test.each([...nowhere, longest, 'server/discover', 'subscriptions/listen'])('legacy: %.30s', async (method) => {
    expectFault(await rawRequest(port, legacy(method, { notifications: {} })), 200, -32601)
  })
  const removed = ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']
  test.each([...nowhere.filter((method) => method !== ''), ...removed])('modern: %s', async (method) => {
    expectFault(await rawRequest(port, modern(method, HELLO)), 404, -32601)
  })
})

describe('invalid params', () => {
  const lists = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']
  const cases: [method: string, params: JsonObject][] = [
    ['tools/call', {}],
    ['tools/call', { name: 1 }],
    ['tools/call', { name: null }],
    ['tools/call', { name: ['echo'] }],
    ['tools/call', { name: 'echo', arguments: [] }],
    ['tools/call', { name: 'echo', arguments: 'x' }],
    ['tools/call', { name: 'echo', arguments: null }],
    ['tools/call', { name: 'nope' }],
    ['tools/call', { name: '' }],
    ['tools/call', { name: '__proto__x' }],
    ['tools/call', { name: 'toString' }],
    ['tools/call', { name: 'echo\u0000' }],
    ['tools/call', { name: '\ud800' }],
    ['prompts/get', {}],
    ['prompts/get', { name: {} }],
    ['prompts/get', { name: 'greet', arguments: 'x' }],
    ['prompts/get', { name: 'constructor' }],
    ['resources/read', {}],
    ['resources/read', { uri: 5 }],
    ['completion/complete', {}],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' } }],
    ['completion/complete', { ref: { type: 'ref/prompt' }, argument: { name: 'a', value: 'b' } }],
    ['completion/complete', { ref: { type: 'ref/tool', name: 'x' }, argument: { name: 'a', value: 'b' } }],
    ['completion/complete', { ref: [], argument: { name: 'a', value: 'b' } }],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'x://y' }, argument: { name: 'a', value: 1 } }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'nope' }, argument: { name: 'a', value: 'b' } }],
    ...lists.flatMap((method) =>
      ['', 'abc', 'x'.repeat(20_000), 5, null, {}].map((cursor): [string, JsonObject] => [method, { cursor }]),
    ),
  ]
  /** Headers cannot carry what such a body names; the body is at fault first. */
  const encoded = (params: JsonObject): Headers =>
    typeof params['name'] === 'string'
      ? { 'mcp-name': `=?base64?${Buffer.from(params['name']).toString('base64')}?=` }
      : {}
  test.each(cases)('legacy: %s %j', async (method, params) => {
    expectFault(await rawRequest(port, legacy(method, params)), 200, -32602)
  })
  test.each(cases.filter(([, { name }]) => name !== '\ud800'))('modern: %s %j', async (method, params) => {
    expectFault(await rawRequest(port, modern(method, params, encoded(params))), 200, -32602)
  })
  test.each([
    [{ capabilities: {} }],
    [{ protocolVersion: LEGACY[0]! }],
    [{ protocolVersion: 5, capabilities: {} }],
    [{ protocolVersion: LEGACY[0]!, capabilities: [] }],
  ])('legacy: initialize %j', async (params) => {
    expectFault(await rawRequest(port, { body: text('initialize', params) }), 200, -32602)
  })
  test.each([[{}], [{ notifications: [] }], [{ notifications: null }]])(
    'modern: subscriptions/listen %j',
    async (params) => {
      expectFault(await rawRequest(port, modern('subscriptions/listen', params)), 200, -32602)
    },
  )
  test('arguments that are a number no double can hold', async () => {
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":1e400}}'
    expectFault(await rawRequest(port, legacyText(body)), 200, -32602)
  })
  test('a resource that is not there', async () => {
    const data = { uri: 'fixture://nope' }
    expectFault(await rawRequest(port, legacy('resources/read', data)), 200, -32002, 1, data)
    expectFault(await rawRequest(port, modern('resources/read', data)), 200, -32602, 1, data)
  })
  test('a revision that is asked for and unknown is answered with ours', async () => {
    for (const protocolVersion of ['1999-01-01', MODERN, '__proto__']) {
      const answer = await rawRequest(port, { body: text('initialize', { ...HELLO, protocolVersion }) })
      expect(messageOf(answer)['result']).toMatchObject({ protocolVersion: LEGACY[0] })
    }
  })
})

describe('the modern envelope and its headers', () => {
  const cases: [what: string, request: () => RawRequest, code: number, data?: JsonValue][] = [
    ['no capabilities', () => modern('tools/list', {}, {}, { [META.version]: MODERN }), -32602],
    ['no _meta', () => ({ ...modern('tools/list'), body: text('tools/list', {}) }), -32602],
    ['no params', () => ({ ...modern('tools/list'), body: text('tools/list') }), -32602],
    ['_meta is null', () => ({ ...modern('tools/list'), body: text('tools/list', { _meta: null }) }), -32602],
    ['version a number', () => modern('tools/list', {}, {}, { ...ENVELOPE, [META.version]: 2026 }), -32602],
    ['version null', () => modern('tools/list', {}, {}, { ...ENVELOPE, [META.version]: null }), -32602],
    ['capabilities an array', () => modern('tools/list', {}, {}, { ...ENVELOPE, [META.capabilities]: [] }), -32602],
    ['clientInfo a string', () => modern('tools/list', {}, {}, { ...ENVELOPE, [META.clientInfo]: 'me' }), -32602],
    ['initialize under a modern header', () => ({ ...modern('initialize'), body: text('initialize', HELLO) }), -32020],
    ...['2027-01-01', LEGACY[0]!, '', 'constructor'].map((version): (typeof cases)[number] => [
      `version ${version}`,
      () => modern('tools/list', {}, { 'mcp-protocol-version': version }, { ...ENVELOPE, [META.version]: version }),
      -32022,
      { supported: [MODERN], requested: version },
    ]),
    ['no version header', () => modern('tools/list', {}, { 'mcp-protocol-version': undefined }), -32020],
    ['another version header', () => modern('tools/list', {}, { 'mcp-protocol-version': LEGACY[0]! }), -32020],
    ['two version headers', () => modern('tools/list', {}, { 'mcp-protocol-version': `${MODERN}, ${MODERN}` }), -32020],
    ['no method header', () => modern('tools/list', {}, { 'mcp-method': undefined }), -32020],
    ['another method header', () => modern('tools/list', {}, { 'mcp-method': 'tools/call' }), -32020],
    ['method in other letters', () => modern('tools/list', {}, { 'mcp-method': 'Tools/List' }), -32020],
    ['no name header', () => modern('tools/call', { name: 'echo' }, { 'mcp-name': undefined }), -32020],
    ['another name header', () => modern('tools/call', { name: 'echo' }, { 'mcp-name': 'mirror' }), -32020],
    ['a name without header', () => modern('prompts/get', { name: 'greet' }, { 'mcp-name': undefined }), -32020],
    ['another uri', () => modern('resources/read', { uri: 'fixture://one' }, { 'mcp-name': 'fixture://two' }), -32020],
    ['broken base64', () => modern('tools/call', { name: 'echo' }, { 'mcp-name': '=?base64?ZWNobw?=' }), -32020],
    ['no base64', () => modern('tools/call', { name: 'echo' }, { 'mcp-name': '=?base64?@@@@?=' }), -32020],
    ['base64 of no text', () => modern('tools/call', { name: 'echo' }, { 'mcp-name': '=?base64?/w==?=' }), -32020],
    ['a huge name', () => modern('tools/call', { name: 'x'.repeat(1_000_000) }, { 'mcp-name': 'echo' }), -32020],
  ]
  test.each(cases)('%s', async (_what, request, code, data) => {
    expectFault(await rawRequest(port, request()), 400, code, 1, data)
  })
  test('a name in base64', async () => {
    const header = `=?base64?${Buffer.from('echo').toString('base64')}?=`
    const answer = await rawRequest(port, modern('tools/call', { name: 'echo' }, { 'mcp-name': header }))
    expect(answer.status).toBe(200)
  })
  test('a notification with a faulty envelope', async () => {
    const params = { _meta: { [META.version]: MODERN } }
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
    expectFault(await rawRequest(port, { ...modern('ping'), body }), 400, -32602, null)
  })
})

describe('media types', () => {
  const accepted: [accept: string | undefined, type: string][] = [
    [undefined, 'application/json'],
    ['application/json', 'application/json'],
    ['application/*', 'application/json'],
    ['APPLICATION/JSON', 'application/json'],
    ['*/*', 'application/json'],
    ['text/html, application/json;q=0.5', 'application/json'],
    ['text/event-stream', 'text/event-stream'],
    ['text/*', 'text/event-stream'],
    ['Text/Event-Stream', 'text/event-stream'],
    ['text/event-stream, application/json', 'application/json'],
  ]
  test.each(accepted)('Accept: %s', async (accept, type) => {
    for (const request of [legacy('tools/list', {}, { accept }), modern('tools/list', {}, { accept })]) {
      const answer = await rawRequest(port, request)
      expect(answer).toMatchObject({ status: 200, headers: { 'content-type': type } })
      expect(messageOf(answer)['result']).toHaveProperty('tools')
    }
  })
  test.each(['text/html', '', 'application/xml', 'application/jsonp', 'xapplication/json', 'text/event-streams'])(
    'Accept: %s is refused',
    async (accept) => {
      expectFault(await rawRequest(port, legacy('ping', {}, { accept })), 406, -32600, null)
      expectFault(await rawRequest(port, modern('tools/list', {}, { accept })), 406, -32600, null)
    },
  )
  test('GET needs an event stream', async () => {
    const headers = { accept: 'application/json', 'mcp-session-id': session }
    expectFault(await rawRequest(port, { method: 'GET', headers }), 406, -32600, null)
  })
  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json ;x=y'])(
    'Content-Type: %s',
    async (type) => {
      expect(await rawRequest(port, legacy('ping', {}, { 'content-type': type }))).toMatchObject({ status: 200 })
    },
  )
  test.each([
    undefined,
    '',
    'text/plain',
    'application/jsonp',
    'application/json-patch+json',
    'application/x-www-form-urlencoded',
    'text/plain; application/json',
    `application/json${' '.repeat(5000)}x`,
  ])('Content-Type: %.40s is refused', async (type) => {
    expectFault(await rawRequest(port, legacy('ping', {}, { 'content-type': type })), 415, -32600, null)
    expectFault(await rawRequest(port, modern('tools/list', {}, { 'content-type': type })), 415, -32600, null)
  })
})

describe('methods and paths of HTTP', () => {
  test.each(['PUT', 'PATCH', 'TRACE', 'PROPFIND'])('%s', async (method) => {
    const answer = await rawRequest(port, { method })
    expectFault(answer, 405, -32600, null)
    expect(answer.headers['allow']).toBe('GET, POST, DELETE, OPTIONS')
  })
  test.each(['GET', 'DELETE'])('%s of a modern client', async (method) => {
    const answer = await rawRequest(port, { method, headers: { 'mcp-protocol-version': MODERN } })
    expectFault(answer, 405, -32600, null)
    expect(answer.headers['allow']).toBe('POST, OPTIONS')
  })
  test('HEAD', async () => {
    const connection = await openRaw(port)
    connection.write(requestBytes({ method: 'HEAD' }))
    connection.write(requestBytes({ method: 'HEAD', path: '/health', headers: { connection: 'close' } }))
    let answers = ''
    connection.socket.on('data', (chunk: Buffer) => (answers += chunk.toString()))
    await connection.closed
    expect(answers.match(/^HTTP\/1.1 \d+/gm)).toEqual(['HTTP/1.1 405', 'HTTP/1.1 200'])
    expect(answers).not.toContain('jsonrpc')
  })
  test.each(['/', '/mcp/', '/MCP', '/mcp/x', '//mcp', '/%6dcp', '/__proto__', '/constructor', '/mcp%00', '/health/'])(
    '%s is not there',
    async (path) => {
      expectFault(await rawRequest(port, { ...legacy('ping'), path }), 404, -32600, null)
      expectFault(await rawRequest(port, { method: 'GET', path }), 404, -32600, null)
    },
  )
  test.each(['/mcp?', '/mcp?a=b&a[]=%', '/mcp#x'])('%s', async (path) => {
    expect(await rawRequest(port, { ...legacy('ping'), path })).toMatchObject({ status: 200 })
  })
  test('POST to a page', async () => {
    const answer = await rawRequest(port, { path: '/health', body: '{}' })
    expectFault(answer, 405, -32600, null)
    expect(answer.headers['allow']).toBe('GET, HEAD')
  })
})

describe('Host and Origin', () => {
  const hosts: [host: string, served: boolean][] = [
    ['127.0.0.1', true],
    ['127.0.0.1:1', true],
    ['127.255.255.254', true],
    ['localhost', true],
    ['LOCALHOST:4483', true],
    ['[::1]', true],
    ['[::1]:4483', true],
    ['gateway.example', true],
    ['GATEWAY.example:9999', true],
    ['exact.example:8443', true],
    ['exact.example:8444', false],
    ['exact.example', false],
    ['', false],
    ['evil.example', false],
    ['127.0.0.1.evil.com', false],
    ['localhost.evil', false],
    ['localhost.evil:4483', false],
    ['xlocalhost', false],
    ['127.0.0.1evil', false],
    ['127.0.0.256', false],
    ['128.0.0.1', false],
    ['0.0.0.0', false],
    ['[::1]evil.com', false],
    ['[::1].evil.com:80', false],
    ['[::2]', false],
    ['[::1', false],
    ['127.0.0.1:80:evil', false],
    ['localhost:evil', false],
    ['evil@localhost', false],
    ['localhost@evil.com', false],
    ['gateway.example.evil.com', false],
    ['__proto__', false],
  ]
  test.each(hosts)('Host: %s served: %s', async (host, served) => {
    const headers = { host }
    for (const request of [
      legacy('ping', {}, headers),
      { method: 'GET', path: '/health', headers },
      { method: 'OPTIONS', headers },
      { method: 'GET', path: '/status', headers },
    ]) {
      const answer = await rawRequest(port, request)
      if (served) expect([200, 204]).toContain(answer.status)
      else expectFault(answer, 403, -32600, null)
    }
  })

  const origins: [origin: string, served: boolean][] = [
    ['http://127.0.0.1', true],
    ['http://127.0.0.1:9', true],
    ['http://localhost:3000', true],
    ['https://localhost', true],
    ['http://[::1]:3000', true],
    ['https://app.example', true],
    ['HTTPS://APP.example', true],
    ['null', false],
    ['', false],
    ['http://evil.example', false],
    ['https://app.example:444', false],
    ['http://app.example', false],
    ['https://app.example.evil.com', false],
    ['http://127.0.0.1.evil.com', false],
    ['http://localhost.evil', false],
    ['http://localhost@evil.com', false],
    ['http://evil.com#localhost', false],
    ['http://evil.com/localhost', false],
    ['file://localhost', false],
    ['chrome-extension://localhost', false],
    ['localhost', false],
    ['http://localhost, http://evil.com', false],
    ['__proto__', false],
  ]
  test.each(origins)('Origin: %s served: %s', async (origin, served) => {
    for (const request of [legacy('ping', {}, { origin }), { method: 'OPTIONS', headers: { origin } }]) {
      const answer = await rawRequest(port, request)
      if (served) {
        expect([200, 204]).toContain(answer.status)
        expect(answer.headers).toMatchObject({
          'access-control-allow-origin': origin,
          'access-control-expose-headers': 'Mcp-Session-Id, WWW-Authenticate',
          vary: 'Origin',
        })
      } else {
        expectFault(answer, 403, -32600, null)
        expect(answer.headers['access-control-allow-origin']).toBeUndefined()
      }
    }
  })

  test('a preflight', async () => {
    const origin = 'http://localhost:3000'
    const asked = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-a, mcp-name' }
    const answer = await rawRequest(port, { method: 'OPTIONS', headers: asked })
    expect(answer).toMatchObject({ status: 204, body: '' })
    expect(answer.headers).toMatchObject({
      'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
      'access-control-allow-headers': 'x-a, mcp-name',
      'access-control-max-age': '600',
    })
    const plain = await rawRequest(port, { method: 'OPTIONS', headers: { origin } })
    expect(plain.headers['access-control-allow-headers']).toContain('Mcp-Session-Id')
    const hostile = { ...asked, 'access-control-request-headers': 'x-a: b; <script>' }
    const refused = await rawRequest(port, { method: 'OPTIONS', headers: hostile })
    expect(refused.headers['access-control-allow-headers']).not.toContain('script')
  })
  test('an error can be read by the page that caused it', async () => {
    const origin = 'http://localhost:3000'
    const answer = await rawRequest(port, legacy('nope', {}, { origin }))
    expect(answer.headers['access-control-allow-origin']).toBe(origin)
    expect((await rawRequest(port, { method: 'PUT', headers: { origin } })).headers).toMatchObject({
      'access-control-allow-origin': origin,
    })
  })
  test('no Host', async () => {
    const connection = await openRaw(port)
    connection.write('POST /mcp HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}')
    expectFault(await connection.next(), 403, -32600, null)
  })
})

describe('sizes', () => {
  const big = (bytes: number) => text('ping', { filler: 'x'.repeat(bytes) })

  test('a body at the limit is served', async () => {
    const room = LIMIT - Buffer.byteLength(big(0))
    expect(await rawRequest(port, legacyText(big(room)))).toMatchObject({ status: 200 })
    expectFault(await rawRequest(port, legacyText(big(room + 1))), 413, -32600, null)
  })
  test('an announced one is refused at once, and the connection goes on', async () => {
    const connection = await openRaw(port)
    const body = 'x'.repeat(LIMIT + 1)
    const bytes = requestBytes(legacyText(body))
    connection.write(bytes.subarray(0, 2000))
    expectFault(await connection.next(), 413, -32600, null)
    connection.write(bytes.subarray(2000))
    connection.write(requestBytes(legacy('ping')))
    expect(await connection.next()).toMatchObject({ status: 200 })
    connection.socket.destroy()
  })
  test('an unannounced one is refused when it gets there, and the connection goes on', async () => {
    const connection = await openRaw(port)
    const request = legacyText('', { 'content-length': undefined, 'transfer-encoding': 'chunked' })
    connection.write(requestBytes(request))
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    for (let sent = 0; sent <= LIMIT; sent += 0x10000) connection.write(chunk)
    expectFault(await connection.next(), 413, -32600, null)
    connection.write(`${chunk}0\r\n\r\n`)
    connection.write(requestBytes(legacy('ping')))
    expect(await connection.next()).toMatchObject({ status: 200 })
    connection.socket.destroy()
  })
  test.each(['5, 6', '-1', 'x', '99999999999999999999'])('Content-Length: %s', async (length) => {
    const { status } = await rawRequest(port, legacy('ping', {}, { 'content-length': length }))
    expect([400, 413]).toContain(status)
  })
  test('both lengths', async () => {
    expect(await rawRequest(port, legacy('ping', {}, { 'transfer-encoding': 'chunked' }))).toMatchObject({
      status: 400,
    })
  })
  test('too many headers', async () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, 'y']))
    expect(await rawRequest(port, legacy('ping', {}, many(90)))).toMatchObject({ status: 200 })
    expectFault(await rawRequest(port, legacy('ping', {}, many(101))), 431, -32600, null)
    expect(await rawRequest(port, legacy('ping', {}, many(2500)))).toMatchObject({ status: 431 })
  })
  test('oversized headers', async () => {
    const answer = await rawRequest(port, legacy('ping', {}, { 'x-long': 'y'.repeat(40_000) }))
    expect(answer.status).toBe(431)
  })
  test('names of a megabyte', async () => {
    const name = 'n'.repeat(1_000_000)
    expectFault(await rawRequest(port, legacy('tools/call', { name })), 200, -32602)
    expectFault(await rawRequest(port, legacy('prompts/get', { name })), 200, -32602)
    const answer = await rawRequest(port, legacy('resources/read', { uri: name }))
    expect(messageOf(answer)['error']).toMatchObject({ code: -32002 })
    expect(answer.body.length).toBeLessThan(1000)
    const version = { ...ENVELOPE, [META.version]: name }
    expectFault(await rawRequest(port, modern('tools/list', {}, {}, version)), 400, -32020)
    const legacyVersion = { 'mcp-protocol-version': undefined }
    expectFault(await rawRequest(port, modern('tools/list', {}, legacyVersion, version)), 400, -32022, 1, {
      supported: [MODERN],
      requested: expect.any(String) as unknown as string,
    })
  })
})

describe('values that bite', () => {
  const mirrored = async (args: string): Promise<{ status: number; body: string }> => {
    const { headers = {} } = modern('tools/call', { name: 'mirror' })
    const meta = JSON.stringify(ENVELOPE)
    const params = `{"name":"mirror","arguments":${args},"_meta":${meta}}`
    return rawRequest(port, { headers, body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}` })
  }

  test('arguments nested 100,000 deep', async () => {
    for (const [open, close] of [
      ['{"a":', '}'],
      ['[1,', ']'],
      ['[1e400,', ']'],
    ] as const) {
      const { status, body } = await mirrored(`{"a":${open.repeat(100_000)}1${close.repeat(100_000)}}`)
      expect({ status, body: JSON.parse(body) as JsonValue }).toMatchObject({
        status: 400,
        body: { error: { code: -32600 } },
      })
    }
    expect(backend.count('tools/call')).toBeGreaterThan(0)
  })
  test('arguments nested 900 deep arrive', async () => {
    const args = `{"a":${'{"a":'.repeat(900)}1${'}'.repeat(900)}}`
    const { status, body } = await mirrored(args)
    expect(status).toBe(200)
    expect(body).toContain(args)
  })
  test('keys of Object.prototype arrive as data and change nothing', async () => {
    const args = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1}'
    const { status } = await mirrored(args)
    expect(status).toBe(200)
    const params = backend.requests.at(-1)?.body?.['params'] as JsonObject
    expect(JSON.stringify(params['arguments'])).toBe(args)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
  test('tools that are called like members of Object.prototype', async () => {
    const built = await rawRequest(port, legacy('tools/call', { name: 'constructor' }))
    expect(messageOf(built)['result']).toMatchObject({ content: [{ text: '{"name":"constructor","arguments":{}}' }] })
    const proto = await rawRequest(port, legacy('tools/call', { name: '__proto__', arguments: { a: 1 } }))
    expect(messageOf(proto)['result']).toMatchObject({
      content: [{ text: '{"name":"__proto__","arguments":{"a":1}}' }],
    })
  })
  test('lone surrogates and NUL in strings arrive', async () => {
    const { body } = await mirrored('{"text":"a\\ud800b\\u0000c"}')
    expect(body).toContain('"a\\ud800b\\u0000c"')
  })
  test('invalid UTF-8 becomes U+FFFD, as the official servers read it', async () => {
    const body = Buffer.from(text('tools/call', { name: 'echo', arguments: { text: 'a*b' } }))
    body[body.indexOf('*')] = 0xff
    const answer = await rawRequest(port, {
      ...legacyText(''),
      headers: { ...legacyText('').headers, 'content-length': String(body.length) },
      body,
    })
    expect(messageOf(answer)['result']).toMatchObject({ content: [{ text: 'a\ufffdb' }] })
  })
  test('of duplicate keys the last one counts', async () => {
    const body =
      '{"jsonrpc":"2.0","id":1,"method":"nope","method":"tools/call","params":{"name":"nope","name":"echo","arguments":{"text":"a","text":"b"}}}'
    const answer = await rawRequest(port, legacyText(body))
    expect(messageOf(answer)['result']).toMatchObject({ content: [{ text: 'b' }] })
    expect(backend.requests.at(-1)?.body?.['params']).toMatchObject({ arguments: { text: 'b' } })
  })
  test('unknown and hidden tools answer alike', async () => {
    for (const make of [legacy, modern]) {
      const hidden = await rawRequest(port, make('tools/call', { name: 'hidden', arguments: {} }))
      const unknown = await rawRequest(port, make('tools/call', { name: 'hxdden', arguments: {} }))
      expect(hidden.body.replaceAll('hidden', '?')).toBe(unknown.body.replaceAll('hxdden', '?'))
      const { date: _hidden, ...headers } = hidden.headers
      const { date: _unknown, ...others } = unknown.headers
      expect({ ...headers, status: hidden.status }).toEqual({ ...others, status: unknown.status })
    }
    expect(backend.requests.filter(({ body }) => JSON.stringify(body)?.includes('hidden'))).toEqual([])
  })
})

describe('connections', () => {
  const answersOn = async (connection: RawConnection, count: number) => {
    const answers: RawResponse[] = []
    for (let i = 0; i < count; i++) answers.push(await connection.next())
    return answers
  }

  test('pipelined requests are answered in order', async () => {
    const connection = await openRaw(port)
    const requests = [
      legacy('tools/call', { name: 'echo', arguments: { text: 'first' } }),
      legacy('nope'),
      legacyText('{'),
    ]
    connection.write(Buffer.concat([...requests, legacy('ping')].map(requestBytes)))
    const answers = await answersOn(connection, 4)
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 200])
    expect(answers[0]?.body).toContain('first')
    connection.socket.destroy()
  })
  test('a request byte by byte', async () => {
    const connection = await openRaw(port)
    for (const byte of requestBytes(legacy('ping'))) connection.write(Buffer.from([byte]))
    expect(await connection.next()).toMatchObject({ status: 200 })
    connection.socket.destroy()
  })
  test.each(['GARBAGE\r\n\r\n', '\0\0\0\0\r\n\r\n', 'GET /mcp HTTP/9.9\r\n\r\n'])('%j', async (bytes) => {
    const connection = await openRaw(port)
    connection.write(bytes)
    expect(await connection.next()).toMatchObject({ status: 400 })
    await connection.closed
  })
  test('slow senders are cut within 75 s', async () => {
    const [server] = httpServers as unknown as (Server & { headersTimeout: number; requestTimeout: number })[]
    if (!server) throw new Error('the gateway has not listened')
    const symbol = Object.getOwnPropertySymbols(server).find((key) =>
      key.description?.endsWith('connectionsCheckingInterval'),
    )
    const interval = (server as unknown as Record<symbol, number>)[symbol!]!
    expect(server.headersTimeout + interval).toBeLessThan(75_000)
    expect(server.requestTimeout + interval).toBeLessThan(75_000)
    expect(server.headersTimeout).toBeGreaterThan(0)
    expect(server.requestTimeout).toBeGreaterThan(0)
    const { headersTimeout, requestTimeout } = server
    server.headersTimeout = 200
    server.requestTimeout = 200
    try {
      const slowHead = await openRaw(port)
      slowHead.write('POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n')
      const slowBody = await openRaw(port)
      slowBody.write(requestBytes(legacyText('{"jsonrpc"', { 'content-length': '1000' })))
      await Promise.all([slowHead.closed, slowBody.closed])
    } finally {
      server.headersTimeout = headersTimeout
      server.requestTimeout = requestTimeout
    }
  })
  test('a refused request is forgotten: nothing is written to it later', async () => {
    expectFault(await rawRequest(port, legacy('ping', {}, { 'mcp-session-id': undefined })), 400, -32600)
    expectFault(await rawRequest(port, modern('tools/list', {}, { 'mcp-method': undefined })), 400, -32020)
    expectFault(await rawRequest(port, modern('subscriptions/listen')), 200, -32602)
    expect(keepAlives).toHaveLength(2)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 })
    try {
      for (const keepAlive of keepAlives) expect(keepAlive).not.toThrow()
    } finally {
      vi.useRealTimers()
    }
  })
})
