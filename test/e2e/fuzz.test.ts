import { PassThrough } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { StdioDoor } from '../../src/gateway/face/stdio.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { openRaw, rawRequest, requestBytes } from '../support/raw-http.ts'
import { ECHO_TOOL, LEGACY, META, MIRROR_TOOL, MODERN } from '../support/script.ts'

const SECONDS = 10
const SEED = 4483
/** Live memory may grow by so much over a whole run; keeping every body would be many times as much. */
const GROWTH = 20 * 2 ** 20

let backend: HttpBackend
let gateway: TestGateway
let port: number
let session: string
const escaped: unknown[] = []
const escape = (error: unknown): void => void escaped.push(error)

beforeAll(async () => {
  process.on('uncaughtException', escape)
  process.on('unhandledRejection', escape)
  backend = await startHttpBackend({
    tools: [ECHO_TOOL, MIRROR_TOOL],
    prompts: [{ name: 'greet' }],
    resources: [{ uri: 'fixture://one', name: 'one' }],
    templates: [{ uriTemplate: 'fixture://items/{id}', name: 'items' }],
    completions: ['alpha'],
  })
  gateway = await startGateway({ backends: [{ name: 'one', url: backend.url }], maxRequestBytes: 2 ** 20 })
  port = Number(new URL(gateway.url).port)
  const params = { protocolVersion: LEGACY[0]!, capabilities: {}, clientInfo: { name: 'fuzz', version: '1' } }
  const answer = await rawRequest(port, {
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  })
  session = answer.headers['mcp-session-id'] ?? ''
})

afterAll(async () => {
  process.off('uncaughtException', escape)
  process.off('unhandledRejection', escape)
  await gateway?.close()
  await backend?.close()
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use after a collection. What the test itself was told is let go first. */
function memory(): number {
  expect(gateway.events.filter(({ name }) => name === 'internal.error')).toEqual([])
  gateway.events.length = 0
  backend.requests.length = 0
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Fails when anything got out of the gateway that must not. */
function expectUnharmed(before: number): void {
  expect(escaped).toEqual([])
  expect(memory() - before).toBeLessThan(GROWTH)
}

const METHODS = [
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/read',
  'resources/templates/list',
  'completion/complete',
  'notifications/cancelled',
  'notifications/initialized',
  '__proto__',
]

const word = fc.constantFrom(
  'echo',
  'mirror',
  'greet',
  'fixture://one',
  'fixture://items/7',
  'ref/prompt',
  '',
  '__proto__',
  '\ud800',
  'x'.repeat(9000),
)
const anything = fc.oneof(
  word,
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>,
  fc.constantFrom<JsonValue>(null, -1, 0, [], {}),
)
const members = [
  'name',
  'uri',
  'cursor',
  'ref',
  'argument',
  'arguments',
  'notifications',
  'requestId',
  'protocolVersion',
  'capabilities',
  '_meta',
  '__proto__',
]
const meta = fc.dictionary(
  fc.constantFrom(...Object.values(META), 'progressToken', 'traceparent', '__proto__'),
  fc.oneof(fc.constantFrom<JsonValue>(MODERN, LEGACY[0]!, {}, 1), anything),
)
const params = fc.oneof(
  fc.constant<JsonObject>({ name: 'echo', arguments: { text: 'hi' } }),
  fc.tuple(fc.dictionary(fc.constantFrom(...members), anything), fc.option(meta)).map(([params, meta]): JsonValue => {
    return meta ? { ...params, _meta: meta } : params
  }),
  anything,
)
const message = fc
  .record(
    {
      jsonrpc: fc.constantFrom<JsonValue>('2.0', '2.0', '2.0', '1.0', 2),
      id: fc.oneof(fc.integer(), anything),
      method: fc.oneof(fc.constantFrom<JsonValue>(...METHODS), anything),
      params,
      result: anything,
      error: anything,
    },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value))

/** Requests that are served, from which mutations start. */
const SOUND: readonly [method: string, params: JsonObject][] = [
  ['tools/list', {}],
  ['tools/call', { name: 'echo', arguments: { text: 'hi' } }],
  ['tools/call', { name: 'mirror', arguments: { n: 1, list: [1, { a: 'b' }] } }],
  ['prompts/get', { name: 'greet', arguments: {} }],
  ['resources/read', { uri: 'fixture://one' }],
  ['resources/read', { uri: 'fixture://items/7' }],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'who', value: 'a' } }],
]
const ENVELOPE = { [META.version]: MODERN, [META.capabilities]: {} }
const sound = fc
  .tuple(fc.constantFrom(...SOUND), fc.boolean(), fc.oneof(fc.integer(), fc.string()))
  .map(([[method, params], modern, id]) => {
    const all = modern ? { ...params, _meta: ENVELOPE } : params
    const name = [params['name'], params['uri']].find((value) => typeof value === 'string') ?? ''
    const headers: Record<string, string> = modern
      ? { 'mcp-protocol-version': MODERN, 'mcp-method': method, 'mcp-name': name }
      : { 'mcp-session-id': session }
    return { headers, body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params: all })) }
  })

const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.nat(2)), { maxLength: 4 })

/** Some bytes changed, doubled or left out. */
function mutate(bytes: Buffer, changes: readonly (readonly [where: number, byte: number, how: number])[]): Buffer {
  let result = bytes
  for (const [where, byte, how] of changes) {
    const at = result.length === 0 ? 0 : where % result.length
    const rest = result.subarray(how === 0 ? at + 1 : how === 1 ? at : at + 20)
    result = Buffer.concat([result.subarray(0, at), ...(how === 2 ? [] : [Buffer.from([byte])]), rest])
  }
  return result
}
const body = fc.oneof(
  { weight: 6, arbitrary: message.map((text) => Buffer.from(text)) },
  { weight: 3, arbitrary: sound.map(({ body }) => body) },
  { weight: 3, arbitrary: fc.tuple(sound, changes).map(([{ body }, changes]) => mutate(body, changes)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('[', '{"a":', '"', ' ', '9'), fc.integer({ min: 1, max: 60_000 }))
      .map(([unit, times]) => Buffer.from(unit.repeat(times))),
  },
)

const headerName = fc.constantFrom(
  'host',
  'origin',
  'accept',
  'content-type',
  'content-length',
  'transfer-encoding',
  'content-encoding',
  'expect',
  'connection',
  'upgrade',
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'last-event-id',
  'access-control-request-headers',
  'x-other',
)
const headerValue = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '5',
    'chunked',
    'null',
    '*/*',
    MODERN,
    LEGACY[0]!,
    'tools/call',
    'echo',
    'application/json',
    'text/event-stream',
  ),
  fc.constantFrom(
    '127.0.0.1',
    'http://localhost:1',
    '100-continue',
    'close',
    'websocket',
    '=?base64?ZWNobw==?=',
    '=?base64?Z?=',
    'gzip',
  ),
  fc.string({ maxLength: 40 }).map((text) => text.replaceAll(/[\r\n]/g, ' ')),
  fc.string({ minLength: 1, maxLength: 5 }).map((text) => text.repeat(4000)),
)
const headers = fc.dictionary(headerName, headerValue, { maxKeys: 4 })

const soundRequest = fc
  .tuple(sound, changes, fc.constantFrom('none', 'body', 'head', 'headers'), headers)
  .map(([{ headers, body }, changes, what, more]) => {
    const sent = what === 'body' ? mutate(body, changes) : body
    const length = String(sent.length)
    const head = requestBytes({
      headers: { 'content-length': length, ...headers, ...(what === 'headers' ? more : {}) },
    })
    return Buffer.concat([what === 'head' ? mutate(head, changes) : head, sent])
  })

const wildRequest = fc
  .record({
    method: fc.constantFrom('POST', 'POST', 'POST', 'POST', 'POST', 'GET', 'DELETE', 'OPTIONS', 'HEAD', 'PUT'),
    path: fc.constantFrom('/mcp', '/mcp', '/mcp', '/mcp', '/mcp?x', '/health', '/readyz', '/status', '/', '/__proto__'),
    era: fc.constantFrom('legacy', 'modern', 'none'),
    headers,
    body,
  })
  .map(({ method, path, era, headers, body }) => {
    // A session that is deleted or a stream that stays open would starve the rest of the run.
    const known = method !== 'DELETE' && method !== 'GET'
    const usual: Record<string, string> =
      era === 'legacy' && known
        ? { 'mcp-session-id': session }
        : era === 'modern'
          ? { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': 'echo' }
          : {}
    return requestBytes({
      method,
      path,
      headers: { 'content-length': String(body.length), ...usual, ...headers },
      body,
    })
  })

const request = fc.oneof(soundRequest, wildRequest)

const stream = fc.record({
  bytes: fc.oneof(
    { weight: 8, arbitrary: request },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 2, arbitrary: fc.tuple(request, request).map((both) => Buffer.concat(both)) },
  ),
  /** Share of the bytes that is sent before the connection is cut; 1: it is left open for an answer. */
  share: fc.oneof(fc.constant(1), fc.constant(1), fc.double({ min: 0, max: 0.999, noNaN: true })),
  reset: fc.boolean(),
})

/** Draws from a seeded arbitrary until the time is up. */
async function fuzz<T>(arbitrary: fc.Arbitrary<T>, seconds: number, run: (value: T) => Promise<void>): Promise<number> {
  const end = Date.now() + seconds * 1000
  let runs = 0
  for (let round = 0; Date.now() < end; round++) {
    const values = fc.sample(arbitrary, { numRuns: 64, seed: SEED + round })
    await Promise.all(values.map(run))
    runs += values.length
  }
  return runs
}

describe('fuzzing', () => {
  test('the HTTP door', { timeout: SECONDS * 1000 + 60_000 }, async () => {
    const send = async ({ bytes, share, reset }: { bytes: Buffer; share: number; reset: boolean }): Promise<void> => {
      const connection = await openRaw(port)
      connection.write(bytes.subarray(0, Math.ceil(bytes.length * share)))
      // An answer, an end, or silence because the bytes announce more than there is.
      const answered =
        share === 1
          ? connection.next().then(
              () => {},
              () => {},
            )
          : undefined
      await Promise.race([connection.closed, answered ?? pause(2), pause(100)])
      if (reset) connection.socket.resetAndDestroy()
      else connection.socket.destroy()
    }
    await fuzz(stream, 1, send)
    const before = memory()
    const runs = await fuzz(stream, SECONDS, send)
    expect(runs).toBeGreaterThan(500)
    await pause(200)
    expect(backend.count('tools/call')).toBeGreaterThan(10)
    expectUnharmed(before)
    const arguments_ = { text: 'still here' }
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: arguments_ } }
    const answer = await rawRequest(port, { headers: { 'mcp-session-id': session }, body: JSON.stringify(call) })
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('still here') as unknown })
  })

  test('the stdio door', { timeout: SECONDS * 1000 + 60_000 }, async () => {
    const session = () => {
      const input = new PassThrough()
      const output = new PassThrough()
      let text = ''
      output.on('data', (chunk: Buffer) => (text += chunk.toString()))
      const served = new StdioDoor(gateway.gateway, input, output).serve(2 ** 20)
      return { input, served, lines: () => text.split('\n').filter((line) => line !== '') }
    }
    const line = fc.oneof(
      { weight: 9, arbitrary: body.map((bytes) => Buffer.concat([bytes, Buffer.from('\n')])) },
      { weight: 1, arbitrary: fc.constantFrom(Buffer.from('\n'), Buffer.from('\r\n'), Buffer.from([0xff, 0x0a])) },
    )
    const script = fc.array(line, { minLength: 1, maxLength: 60 })
    const before = memory()
    const hello = { protocolVersion: LEGACY[0]!, capabilities: {}, clientInfo: { name: 'fuzz', version: '1' } }
    let answers = 0
    const runs = await fuzz(
      fc.tuple(script, fc.integer({ min: 1, max: 5000 })),
      SECONDS / 2,
      async ([script, size]) => {
        const { input, served, lines } = session()
        input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 'hello', method: 'initialize', params: hello })}\n`)
        const bytes = Buffer.concat([...script, Buffer.from('\n{"jsonrpc":"2.0","id":"last","method":"ping"}\n')])
        for (let at = 0; at < bytes.length; at += size) input.write(bytes.subarray(at, at + size))
        input.end()
        await served
        const messages = lines().map((line) => JSON.parse(line) as JsonObject)
        expect(messages.every(({ jsonrpc }) => jsonrpc === '2.0')).toBe(true)
        expect(messages.filter(({ id, result }) => id === 'last' && result !== undefined)).toHaveLength(1)
        answers += messages.length
      },
    )
    expect(runs).toBeGreaterThan(20)
    expect(answers).toBeGreaterThan(runs * 2)
    expectUnharmed(before)
  })

  test('a stdio client with an oversized line is told', async () => {
    const input = new PassThrough()
    const output = new PassThrough()
    const served = new StdioDoor(gateway.gateway, input, output).serve(1000)
    const listen = {
      notifications: { toolsListChanged: true },
      _meta: { [META.version]: MODERN, [META.capabilities]: {} },
    }
    input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: listen })}\n`)
    input.end('x'.repeat(5000))
    await served
    expect(String(output.read())).toContain('"code":-32600')
    expectUnharmed(memory())
  })

  test('a subscription in the last line does not keep the door open', async () => {
    const input = new PassThrough()
    const served = new StdioDoor(gateway.gateway, input, new PassThrough()).serve(1000)
    const listen = {
      notifications: { toolsListChanged: true },
      _meta: { [META.version]: MODERN, [META.capabilities]: {} },
    }
    input.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: listen }))
    await served
  })
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
