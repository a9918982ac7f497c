import { connect, type Socket } from 'node:net'
import { PassThrough, type Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { StdioDoor } from '../../src/gateway/face/stdio.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { streamClient } from '../support/events.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { rawRequest, requestBytes } from '../support/raw-http.ts'
import { ECHO_TOOL, META, MODERN, type Exchange } from '../support/script.ts'

/** 80 MB: far more than kernel buffers and the gateway's bound together. */
const MESSAGES = 8000
const MESSAGE = 'x'.repeat(10_000)
/** What the gateway may hold meanwhile. What the backend could send passes through this process too. */
const BOUND = 20 * 2 ** 20
/** A silence of the backend that the gateway does not accept. Its own does not count. */
const SILENCE_MS = 1000

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
function held(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

let backend: HttpBackend
let gateway: TestGateway
let port: number
/** How far the backend has come, and whether it is through. */
let sent = 0
let flooded = false
let gone = false
const open: (() => unknown)[] = []

async function start(timeouts: JsonObject): Promise<void> {
  const backends = [{ name: 'one', url: backend.url }]
  gateway = await startGateway({ operational: { timeouts }, backends })
  port = Number(new URL(gateway.url).port)
}

beforeEach(async () => {
  sent = 0
  flooded = false
  gone = false
  backend = await startHttpBackend({
    era: 'legacy',
    tools: [ECHO_TOOL, { ...ECHO_TOOL, name: 'flood' }],
    call: async (name, { log }, exchange) => {
      if (name === 'flood') await flood(exchange, log === true)
      return { content: [{ type: 'text', text: 'done' }] }
    },
  })
  await start({ default: `${SILENCE_MS}ms` })
})
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
  await gateway.close()
  await backend.close()
})

/** Sends as fast as it is read. */
async function flood(exchange: Exchange, log: boolean): Promise<void> {
  const { params, signal } = exchange
  const { progressToken } = params['_meta'] as { progressToken: number }
  for (let progress = 1; progress <= MESSAGES; progress++) {
    if (log) exchange.notify('notifications/message', { level: 'error', logger: String(progress), data: MESSAGE })
    else exchange.notify('notifications/progress', { progressToken, progress, message: MESSAGE })
    sent = progress
    while (exchange.full?.() && !signal.aborted) await sleep(1)
    // A cancellation must be able to come in.
    if (progress % 100 === 0) await sleep(1)
    if (signal.aborted) {
      gone = true
      return
    }
  }
  flooded = true
}

const CALL: JsonObject = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'flood', arguments: {}, _meta: { progressToken: 1 } },
}

function modernCall(capabilities: JsonObject, log = false): JsonObject {
  const level = { 'io.modelcontextprotocol/logLevel': 'debug' }
  const _meta = { progressToken: 1, [META.version]: MODERN, [META.capabilities]: capabilities, ...level }
  return { ...CALL, params: { name: 'flood', arguments: { log }, _meta } }
}

const MODERN_HEADERS = { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': 'flood' }

/** A connection whose answer is not read. */
function deaf(bytes: Buffer): Socket {
  const socket = connect(port, '127.0.0.1')
  open.push(() => socket.destroy())
  socket.pause()
  socket.write(bytes)
  return socket
}

/** Somebody else calls the same backend. */
async function callOfAnother(): Promise<unknown> {
  const client = await streamClient(gateway.url)
  const answer = await client.post({ ...CALL, params: { name: 'echo', arguments: {} } })
  const { status } = answer
  await answer.ended
  return status
}

/** The backend waits until somebody reads, for longer than it may be silent. */
async function expectSlowed(run: () => unknown): Promise<void> {
  const before = held()
  await run()
  let last = -1
  await waitFor(
    async () => {
      const still = sent > 0 && sent === last
      last = sent
      await sleep(300)
      return still && sent === last
    },
    50_000,
    'the backend to stop',
  )
  await sleep(SILENCE_MS * 1.5)
  expect(sent).toBe(last)
  expect(sent).toBeLessThan(MESSAGES / 2)
  expect(held() - before).toBeLessThan(BOUND)
  expect(await callOfAnother()).toBe(200)
}

/** Reads to the result and answers with the numbers of what came before it. */
async function numbersFrom(stream: Readable, number = /"(?:progress|logger)":"?(?:one\/)?(\d+)/): Promise<number[]> {
  const numbers: number[] = []
  let rest = ''
  let text = ''
  stream.setEncoding('utf8').on('data', (more: string) => {
    const lines = `${rest}${more}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const found = number.exec(line)?.[1]
      if (found !== undefined) numbers.push(Number(found))
      else text += line
    }
  })
  stream.resume()
  await waitFor(() => /"result".*done/.test(text + rest), 30_000, 'the result')
  return numbers
}

async function textFrom(socket: Socket, until: string): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (more: string) => (text += more))
  socket.resume()
  await waitFor(() => text.includes(until), 20_000, until)
  return text
}

const ALL = Array.from({ length: MESSAGES }, (_, index) => index + 1)

test.each(['legacy', 'modern'] as const)('the answer to a legacy client, %s backend', async (era) => {
  backend.script.era = era
  const { headers } = await streamClient(gateway.url)
  let socket: Socket | undefined
  await expectSlowed(() => {
    socket = deaf(requestBytes({ headers, body: JSON.stringify(CALL) }))
  })
  expect(await numbersFrom(socket!)).toEqual(ALL)
})

test.each([
  ['legacy', {}, false],
  ['legacy', { elicitation: {} }, true],
  ['modern', {}, true],
] as const)('the answer to a modern client, %s backend, capabilities %o, log lines: %s', async (era, can, log) => {
  backend.script.era = era
  let socket: Socket | undefined
  await expectSlowed(() => {
    socket = deaf(requestBytes({ headers: MODERN_HEADERS, body: JSON.stringify(modernCall(can, log)) }))
  })
  expect(await numbersFrom(socket!)).toEqual(ALL)
})

test('a legacy client that leaves: the backend goes on, and what waits for the client is bounded', async () => {
  const client = await streamClient(gateway.url)
  const before = held()
  let socket: Socket | undefined
  await expectSlowed(() => {
    socket = deaf(requestBytes({ headers: client.headers, body: JSON.stringify(CALL) }))
  })
  const id = /^id: (\S+)$/m.exec(await textFrom(socket!, 'notifications/progress'))?.[1]
  socket!.destroy()
  await waitFor(() => flooded, 50_000, 'the flood')
  expect(held() - before).toBeLessThan(BOUND)
  const resumed = await client.get(id)
  expect(await resumed.ended).toBe(true)
  expect(resumed.messages().at(-1)).toMatchObject({ id: 1, result: { content: [{ text: 'done' }] } })
})

test.each(['legacy', 'modern'] as const)('a modern client that leaves cancels the call, %s backend', async (era) => {
  backend.script.era = era
  const before = held()
  let socket: Socket | undefined
  await expectSlowed(() => {
    socket = deaf(requestBytes({ headers: MODERN_HEADERS, body: JSON.stringify(modernCall({})) }))
  })
  socket!.destroy()
  await waitFor(() => gone)
  expect(backend.cancelled).toHaveLength(1)
  expect(backend.abandoned).toMatchObject([{ method: 'tools/call' }])
  expect(held() - before).toBeLessThan(BOUND)
})

test('a call ends when it has taken too long, read or not', async () => {
  await gateway.close()
  await start({ default: '1s', max: '3s' })
  const socket = deaf(requestBytes({ headers: MODERN_HEADERS, body: JSON.stringify(modernCall({})) }))
  await waitFor(() => gone, 10_000)
  expect(await textFrom(socket, '"id":1')).toContain('operational.timeouts.max')
})

test('a client that does not read a large result is no silence of the backend', async () => {
  const large = 'y'.repeat(40 * 2 ** 20)
  backend.script.results = { flood: { content: [{ type: 'text', text: large }] } }
  const { headers } = await streamClient(gateway.url)
  const body = JSON.stringify({ ...CALL, params: { name: 'flood', arguments: {} } })
  const socket = deaf(requestBytes({ headers, body }))
  await sleep(SILENCE_MS * 2.5)
  expect(await textFrom(socket, 'y"}')).toMatch(/^HTTP\/1.1 200/)
})

test('the stream of HTTP+SSE', async () => {
  const socket = deaf(requestBytes({ method: 'GET', path: '/sse', headers: { accept: 'text/event-stream' } }))
  const [, path = ''] = /data: (\S+)/.exec(await textFrom(socket, 'sessionId')) ?? []
  const post = (message: JsonObject) => rawRequest(port, { path, body: JSON.stringify(message) })
  // Older revisions have no `message` in progress.
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'deaf', version: '1' } }
  await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
  await textFrom(socket, '"result"')
  socket.pause()
  await expectSlowed(() => post(CALL))
  expect(await numbersFrom(socket)).toEqual(ALL)
})

test.each(['legacy', 'modern'])('standard output, %s', async (era) => {
  const input = new PassThrough()
  const output = new PassThrough({ readableHighWaterMark: 1, writableHighWaterMark: 1 })
  const door = new StdioDoor(gateway.gateway, input, output)
  const served = door.serve(2 ** 20)
  const send = (message: JsonObject) => input.write(`${JSON.stringify(message)}\n`)
  if (era === 'legacy') {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'deaf', version: '1' } }
    send({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
    // A client that does not read is not read either.
    await waitFor(() => output.readableLength > 0)
    output.read()
    send(CALL)
  } else send(modernCall({}))
  await expectSlowed(() => {})
  expect(await numbersFrom(output)).toEqual(ALL)
  input.end()
  await served
})

/** Answers at once, and sends as much as it can on the only way it has. */
const PROCESS = `
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
require('node:readline').createInterface(process.stdin).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  if (method === 'initialize') {
    const { protocolVersion } = params
    return send({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'p', version: '1' } } })
  }
  if (method === 'tools/list') {
    return send({ id, result: { tools: ['flood', 'echo'].map((name) => ({ name, inputSchema: { type: 'object' } })) } })
  }
  if (method !== 'tools/call') return send({ id, error: { code: -32601, message: 'Method not found' } })
  const { progressToken } = params._meta ?? {}
  for (let progress = 1; progressToken !== undefined && progress <= 3000; progress++) {
    send({ method: 'notifications/progress', params: { progressToken, progress, message: '${MESSAGE}' } })
  }
  send({ id, result: { content: [{ type: 'text', text: 'done' }] } })
})`

test('where calls share one way, a client that does not read loses progress and stops nobody', async () => {
  await gateway.close()
  gateway = await startGateway({ backends: [{ name: 'one', command: process.execPath, args: ['-e', PROCESS] }] })
  port = Number(new URL(gateway.url).port)
  const client = await streamClient(gateway.url)
  const socket = deaf(requestBytes({ headers: client.headers, body: JSON.stringify(CALL) }))
  await textFrom(socket, 'notifications/progress')
  socket.pause()
  // The process comes to it when it has written everything.
  const other = await client.post({ ...CALL, id: 2, params: { name: 'echo', arguments: {} } })
  expect(await other.ended).toBe(true)
  const numbers = await numbersFrom(socket)
  expect(numbers.length).toBeLessThan(3000)
  expect(numbers).toEqual(numbers.toSorted((one, two) => one - two))
})
