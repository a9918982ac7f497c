import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { afterEach, describe, expect, test } from 'vitest'

import { httpConnector } from '../../src/backends/http/connector.ts'
import type { Leg } from '../../src/backends/leg.ts'
import type { Ask } from '../../src/model/call.ts'
import { Cancellation } from '../../src/model/cancellation.ts'
import { GatewayError } from '../../src/model/errors.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { connectHttp, textOf } from '../support/clients.ts'
import { streamClient } from '../support/events.ts'
import { startGateway } from '../support/gateway.ts'
import { legContext, rawServer, toolCall } from '../support/legs.ts'
import { waitFor } from '../support/processes.ts'
import { pause } from '../support/script.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const event = (message: JsonObject, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`

interface Scene {
  leg: Leg
  told: ReturnType<typeof legContext>['told']
  /** `Last-Event-ID` of each GET; `undefined` for one without. */
  positions: (string | undefined)[]
  /** Names of the tools that were called. */
  calls: string[]
  /** When each POST or GET of a call arrived, milliseconds. */
  times: number[]
  cancelled: JsonValue[]
  answered: JsonObject[]
}

interface Play {
  onCall: (id: JsonValue, response: ServerResponse) => void
  onGet: (position: string | undefined, id: JsonValue, response: ServerResponse) => void
}

/** A leg to a legacy server that plays so. The id is that of the latest call. */
async function legTo({ onCall, onGet }: Play, ask?: Ask): Promise<Scene> {
  const scene: Pick<Scene, 'positions' | 'calls' | 'times' | 'cancelled' | 'answered'> = {
    positions: [],
    calls: [],
    times: [],
    cancelled: [],
    answered: [],
  }
  let latest: JsonValue = null
  const server = await rawServer((request, body, response) => {
    if (request.method === 'GET') {
      const position = request.headers['last-event-id'] as string | undefined
      scene.positions.push(position)
      scene.times.push(Date.now())
      return onGet(position, latest, response)
    }
    const { id, method, params } = (body ?? {}) as { id?: JsonValue; method?: string; params?: JsonObject }
    if (method === 'tools/call') {
      scene.calls.push(params?.['name'] as string)
      scene.times.push(Date.now())
      latest = id ?? null
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      return onCall(latest, response)
    }
    if (method === 'notifications/cancelled') scene.cancelled.push(params?.['requestId'] ?? null)
    if (body && method === undefined) scene.answered.push(body)
    if (method !== 'initialize') return response.writeHead(202).end()
    const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'raw', version: '1' } }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' })
    return response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
  open.push(() => server.close())
  const connector = httpConnector({ kind: 'http', url: `${server.origin}/mcp`, headers: {} })
  open.push(() => connector.close())
  const { context, told } = legContext(ask)
  const leg = await connector.open('legacy', context, new Cancellation())
  return { leg, told, ...scene }
}

const DONE: JsonObject = { content: [{ type: 'text', text: 'done' }] }
const stream = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream' })

test('a stream that the server closes before the response goes on where it ended, after the time it names', async () => {
  const progress: unknown[] = []
  const scene = await legTo({
    onCall: (_id, response) => response.end('id: p\nretry: 300\ndata: \n\n'),
    onGet: (position, id, response) => {
      stream(response)
      if (position === 'p') {
        const params = { progressToken: id, progress: 1 }
        response.end(event({ method: 'notifications/progress', params }, 'q'))
      } else response.end(event({ id, result: DONE }, 'r'))
    },
  })
  const onNotification = ({ params }: { params: JsonObject }): void => void progress.push(params['progress'])
  const reply = await scene.leg.request(toolCall('slow', { progress: true, onNotification }))
  expect(reply).toMatchObject({ kind: 'result', value: DONE })
  expect([scene.positions, scene.calls, progress]).toEqual([['p', 'q'], ['slow'], [1]])
  const [posted = 0, first = 0, second = 0] = scene.times
  expect(first - posted).toBeGreaterThanOrEqual(290)
  expect(second - first).toBeGreaterThanOrEqual(290)
})

test('a cut connection is taken up again, and half an event is read once', async () => {
  let whole = ''
  const scene = await legTo({
    onCall: (id, response) => {
      whole = event({ id, result: DONE }, 'b')
      response.write(`retry: 10\n\n${event({ method: 'notifications/message', params: {} }, 'a')}`)
      response.write(whole.slice(0, 30), () => setTimeout(() => response.destroy(), 20))
    },
    onGet: (_position, _id, response) => stream(response).end(whole),
  })
  expect(await scene.leg.request(toolCall('cut'))).toMatchObject({ value: DONE })
  expect([scene.positions, scene.calls]).toEqual([['a'], ['cut']])
})

test('without ids the call fails and is not repeated', async () => {
  const scene = await legTo({ onCall: (_id, response) => response.end(': hello\n\n'), onGet: () => {} })
  await expect(scene.leg.request(toolCall('once'))).rejects.toThrow(/closed its event stream before it answered/)
  expect([scene.positions, scene.calls]).toEqual([[], ['once']])
})

test('a server that has forgotten the stream ends the call', async () => {
  const scene = await legTo({
    onCall: (_id, response) => response.end('id: 1\nretry: 10\ndata:\n\n'),
    onGet: (_position, _id, response) => response.writeHead(404).end(),
  })
  await expect(scene.leg.request(toolCall('gone'))).rejects.toThrow(/does not let it be resumed \(HTTP 404\)/)
  expect([scene.positions, scene.calls]).toEqual([['1'], ['gone']])
})

test('attempts that bring nothing new are counted, whatever the reason', async () => {
  const scene = await legTo({
    onCall: (_id, response) => response.end('id: 1\nretry: 5\ndata:\n\n'),
    onGet: (_position, _id, response) => {
      const attempt = scene.positions.length
      if (attempt === 1) response.writeHead(503).end()
      else if (attempt === 2) response.destroy()
      else if (attempt === 3) response.writeHead(409).write('still open')
      else stream(response).end(': nothing\n\n')
    },
  })
  await expect(scene.leg.request(toolCall('vain'))).rejects.toThrow(/closed its event stream before it answered/)
  expect([scene.positions.length, scene.calls]).toEqual([5, ['vain']])
})

test('a caller who leaves while the gateway waits is gone at once, and the server is told', async () => {
  const scene = await legTo({
    onCall: (_id, response) => response.end('id: 1\nretry: 60000\ndata:\n\n'),
    onGet: () => {},
  })
  const signal = new Cancellation()
  const reply = scene.leg.request(toolCall('left', { signal }))
  await pause(100, new AbortController().signal)
  signal.cancel(new GatewayError('CANCELLED', 'gone'))
  await expect(reply).rejects.toThrow('gone')
  await waitFor(() => scene.cancelled.length === 1)
  expect(scene.positions).toEqual([])
})

test('a question that comes twice, before and after the gap, is asked once', async () => {
  let asked = 0
  const ask: Ask = async () => {
    asked++
    await pause(150, new AbortController().signal)
    return { roots: [] }
  }
  const question = event({ id: 'q', method: 'roots/list' }, 'a')
  const scene: Scene = await legTo(
    {
      onCall: (_id, response) => response.end(`retry: 10\n\n${question}`),
      onGet: (_position, id, response) => {
        stream(response).write(question)
        waitFor(() => scene.answered.length > 0).then(
          () => response.end(event({ id, result: DONE }, 'z')),
          () => {},
        )
      },
    },
    ask,
  )
  await scene.leg.request(toolCall('asks', { ask }))
  expect([asked, scene.answered.length]).toEqual([1, 1])
})

test('batches of a server are taken apart, in an answer and in an event', async () => {
  const changed = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
  const scene = await legTo({
    onCall: (id, response) => {
      const answer = { jsonrpc: '2.0', id, result: DONE }
      if (scene.calls.length === 1) return response.end(`data: ${JSON.stringify([changed, 7, answer])}\n\n`)
      return response.end('data: []\n\ndata: [[]]\n\n')
    },
    onGet: () => {},
  })
  expect(await scene.leg.request(toolCall('batch'))).toMatchObject({ value: DONE })
  expect(scene.told.lists).toBe(1)
  await expect(scene.leg.request(toolCall('nonsense'))).rejects.toThrow(/closed its event stream/)
})

test('the GET stream is resumed after the time that the server names; what was kept is heard, and nothing is a gap', async () => {
  const scene = await legTo({
    onCall: () => {},
    onGet: (position, _id, response) => {
      stream(response)
      if (position === undefined) response.end('id: 1\nretry: 200\ndata:\n\n')
      else response.write(event({ method: 'notifications/resources/updated', params: { uri: 'a://b' } }, '2'))
    },
  })
  await scene.leg.listen([])
  await waitFor(() => scene.told.updated.length > 0)
  expect([scene.positions, scene.told.lists, scene.told.gaps]).toEqual([[undefined, '1'], 0, 0])
  const [first = 0, second = 0] = scene.times
  expect(second - first).toBeGreaterThanOrEqual(190)
})

test('a GET stream whose position is forgotten is opened anew, which is a gap', async () => {
  const scene = await legTo({
    onCall: () => {},
    onGet: (position, _id, response) => {
      if (position !== undefined) response.writeHead(400).end()
      else if (scene.positions.length === 1) stream(response).end('id: 1\nretry: 100\ndata:\n\n')
      else stream(response).flushHeaders()
    },
  })
  await scene.leg.listen([])
  await waitFor(() => scene.told.gaps > 0)
  expect([scene.positions, scene.told.lists, scene.told.gaps]).toEqual([[undefined, '1', undefined], 1, 1])
})

/** A server of the SDK v1 that keeps events and closes the stream of a call while it runs. */
async function sdkServer(): Promise<{ url: string; gets: () => number }> {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  let gets = 0
  const session = async (): Promise<StreamableHTTPServerTransport> => {
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new InMemoryEventStore(),
      retryInterval: 100,
      onsessioninitialized: (id) => void transports.set(id, transport),
    })
    const server = new McpServer({ name: 'polled', version: '1' })
    server.registerTool('reconnect', {}, async (extra) => {
      extra.closeSSEStream?.()
      await pause(300, new AbortController().signal)
      return { content: [{ type: 'text', text: 'after the gap' }] }
    })
    await server.connect(transport)
    return transport
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET') gets++
    const id = request.headers['mcp-session-id']
    const known = typeof id === 'string' ? transports.get(id) : undefined
    await (known ?? (await session())).handleRequest(request, response)
  }
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, gets: () => gets }
}

test('an SDK server with an event store that closes the stream of a call is polled for the answer', async () => {
  const { url, gets } = await sdkServer()
  const connector = httpConnector({ kind: 'http', url, headers: {} })
  open.push(() => connector.close())
  const leg = await connector.open('auto', legContext().context, new Cancellation())
  const reply = await leg.request(toolCall('reconnect'))
  expect(reply).toMatchObject({ value: { content: [{ text: 'after the gap' }] } })
  expect([leg.era, gets()]).toEqual(['legacy', 1])
})

describe('through the gateway', () => {
  const polled = async (): Promise<{ url: string; gets: () => number }> => {
    const { url, gets } = await sdkServer()
    const gateway = await startGateway({ backends: [{ name: 'polled', url }] })
    open.push(() => gateway.close())
    await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.size > 0)
    return { url: gateway.url, gets }
  }
  const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'reconnect', arguments: {} } }

  test('a client is let go as the gateway was, and comes back for the answer', async () => {
    const { url } = await polled()
    const client = await streamClient(url)
    const post = await client.post(call)
    expect(await post.ended).toBe(true)
    expect(post.messages()).toEqual([])
    expect(post.events.map(({ retry }) => retry)).toEqual([1000, 100])
    const back = await client.get(post.lastId())
    expect(await back.ended).toBe(true)
    expect(back.messages()).toMatchObject([{ id: 7, result: { content: [{ text: 'after the gap' }] } }])
  })

  test('a client that could not come back is not let go', async () => {
    const { url } = await polled()
    const older = await streamClient(url, '2025-06-18')
    const post = await older.post(call)
    expect([post.type, await post.ended]).toEqual(['application/json', true])
  })

  test.each(['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern'] as const)('%s has its answer', async (kind) => {
    const { url } = await polled()
    const peer = await connectHttp(kind, url)
    open.push(() => peer.close())
    expect(textOf(await peer.call({ name: 'reconnect', arguments: {} }))).toBe('after the gap')
  })
})
