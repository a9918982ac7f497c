import { connect, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
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

/** 60 MB of progress: far more than kernel buffers and the gateway's bound together. */
const MESSAGES = 30_000
const MESSAGE = 'x'.repeat(2000)
/** What the gateway may hold meanwhile. The flood itself passes through this process too. */
const BOUND = 20 * 2 ** 20

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
let flooded = false
const open: (() => unknown)[] = []

beforeEach(async () => {
  flooded = false
  backend = await startHttpBackend({
    tools: [ECHO_TOOL, { ...ECHO_TOOL, name: 'flood' }],
    call: async (name, _args, exchange) => {
      if (name === 'flood') await flood(exchange)
      return { content: [{ type: 'text', text: 'done' }] }
    },
  })
  gateway = await startGateway({ backends: [{ name: 'one', url: backend.url }] })
  port = Number(new URL(gateway.url).port)
})
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
  await gateway.close()
  await backend.close()
})

async function flood(exchange: Exchange): Promise<void> {
  const { progressToken } = exchange.params['_meta'] as { progressToken: number }
  for (let progress = 1; progress <= MESSAGES; progress++) {
    exchange.notify('notifications/progress', { progressToken, progress, message: MESSAGE })
    // The backend itself must not pile up what the gateway has not read yet.
    if (progress % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  flooded = true
}

const CALL: JsonObject = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'flood', arguments: {}, _meta: { progressToken: 1 } },
}

/** A connection whose answer is not read. */
function deaf(bytes: Buffer): Socket {
  const socket = connect(port, '127.0.0.1')
  open.push(() => socket.destroy())
  socket.pause()
  socket.write(bytes)
  return socket
}

async function expectBounded(run: () => unknown): Promise<void> {
  const before = held()
  await run()
  await waitFor(() => flooded, 50_000, 'the flood')
  expect(held() - before).toBeLessThan(BOUND)
}

async function textFrom(socket: Socket, until: string): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (more: string) => (text += more))
  socket.resume()
  await waitFor(() => text.includes(until), 20_000, until)
  return text
}

test('the answer of a legacy session: notifications are dropped, the result is not', async () => {
  const { headers } = await streamClient(gateway.url)
  let socket: Socket | undefined
  await expectBounded(() => {
    socket = deaf(requestBytes({ headers, body: JSON.stringify(CALL) }))
  })
  const text = await textFrom(socket!, '"result"')
  expect(text.split('notifications/progress').length).toBeLessThan(MESSAGES)
})

test('the answer to a modern client', async () => {
  const _meta = { progressToken: 1, [META.version]: MODERN, [META.capabilities]: {} }
  const params = { name: 'flood', arguments: {}, _meta }
  const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': 'flood' }
  let socket: Socket | undefined
  await expectBounded(() => {
    socket = deaf(requestBytes({ headers, body: JSON.stringify({ ...CALL, params }) }))
  })
  await textFrom(socket!, '"result"')
})

test('a legacy client that has left: what waits for it is bounded, and ends with the result', async () => {
  const client = await streamClient(gateway.url)
  let id = ''
  await expectBounded(async () => {
    const post = await client.post(CALL)
    await waitFor(() => post.messages().length > 0)
    id = post.lastId()
    post.close()
  })
  await waitFor(() => backend.count('tools/call') === 1)
  const resumed = await client.get(id)
  expect(await resumed.ended).toBe(true)
  expect(resumed.messages().at(-1)).toMatchObject({ id: 1, result: { content: [{ text: 'done' }] } })
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
  await expectBounded(() => post(CALL))
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
    send(CALL)
  } else {
    const _meta = { progressToken: 1, [META.version]: MODERN, [META.capabilities]: {} }
    send({ ...CALL, params: { name: 'flood', arguments: {}, _meta } })
  }
  await expectBounded(() => {})
  let text = ''
  output.setEncoding('utf8').on('data', (more: string) => (text += more))
  await waitFor(() => text.includes('"id":1,'), 10_000)
  input.end()
  await served
})
