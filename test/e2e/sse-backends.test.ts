import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { afterEach, describe, expect, test } from 'vitest'

import { httpConnector } from '../../src/backends/http/connector.ts'
import type { Leg } from '../../src/backends/leg.ts'
import { ownRequest } from '../../src/backends/leg.ts'
import { sseConnector } from '../../src/backends/sse/connector.ts'
import { Cancellation } from '../../src/model/cancellation.ts'
import { GatewayError } from '../../src/model/errors.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { Secret } from '../../src/model/secret.ts'
import { connectHttp, textOf } from '../support/clients.ts'
import { startGateway } from '../support/gateway.ts'
import { countingDeadline, legContext, rawServer, toolCall } from '../support/legs.ts'
import { waitFor } from '../support/processes.ts'
import { pause } from '../support/script.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

interface SdkServer {
  url: string
  /** Requests that arrived, as `POST /messages`. */
  requests: string[]
  servers: McpServer[]
  /** Ends every stream. */
  drop(): void
  /** Ends the stream that was opened last. */
  dropLatest(): void
  /** Ends the listener and every stream, and starts over on the same port. */
  restart(): Promise<void>
}

/** HTTP+SSE of the SDK v1, with credentials. */
async function sdkServer(): Promise<SdkServer> {
  const transports = new Map<string, SSEServerTransport>()
  const servers: McpServer[] = []
  const requests: string[] = []
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x')
    requests.push(`${request.method} ${pathname}`)
    if (request.headers['x-key'] !== 'k') return void response.writeHead(401).end()
    if (request.method === 'GET' && pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', response)
      transports.set(transport.sessionId, transport)
      const server = makeServer()
      servers.push(server)
      await server.connect(transport)
    } else if (request.method === 'POST' && pathname === '/messages') {
      const transport = transports.get(searchParams.get('sessionId') ?? '')
      if (!transport) return void response.writeHead(400).end('No transport found for sessionId')
      await transport.handlePostMessage(request, response)
    } else response.writeHead(pathname === '/sse' ? 405 : 404).end()
  }
  let server = createServer()
  const listen = async (port: number): Promise<void> => {
    server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  const drop = (): void => {
    transports.clear()
    server.closeAllConnections()
  }
  open.push(() => {
    server.close()
    drop()
  })
  return {
    url: `http://127.0.0.1:${port}/sse`,
    requests,
    servers,
    drop,
    dropLatest: () => void servers.at(-1)?.close(),
    restart: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      drop()
      await closed
      await listen(port)
    },
  }
}

function makeServer(): McpServer {
  const server = new McpServer({ name: 'old', version: '1' })
  let count = 0
  const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })
  server.registerTool('count', {}, () => text(String(++count)))
  server.registerTool('hang', {}, async () => pause(60_000, new AbortController().signal).then(() => text('late')))
  server.registerTool('roots', {}, async () => text(JSON.stringify(await server.server.listRoots())))
  server.registerTool('progress', {}, async (extra) => {
    const progressToken = extra._meta?.progressToken ?? 0
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1 } })
    return text('done')
  })
  return server
}

const HEADERS = { 'X-Key': 'k' }

describe.each([
  ['transport: sse', { transport: 'sse' }],
  ['a url alone', {}],
  ['a url and an era', { era: 'legacy' }],
])('a server of the SDK v1 behind the gateway, configured with %s', (_, options) => {
  test('clients of both eras call it, each with a session of its own', async () => {
    const server = await sdkServer()
    const gateway = await startGateway({ backends: [{ name: 'old', url: server.url, headers: HEADERS, ...options }] })
    open.push(() => gateway.close())
    await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.size > 0)
    const [one, two] = [
      await connectHttp('SDK v1, legacy', gateway.url),
      await connectHttp('SDK v2, legacy', gateway.url),
    ]
    const modern = await connectHttp('SDK v2, modern', gateway.url)
    open.push(
      () => one.close(),
      () => two.close(),
      () => modern.close(),
    )
    const counts = []
    for (const peer of [one, one, two, modern, one]) {
      counts.push(textOf(await peer.call({ name: 'count', arguments: {} })))
    }
    expect(counts).toEqual(['1', '2', '1', '1', '3'])
    // A server that comes back is found again.
    await server.restart()
    await waitFor(async () => textOf(await one.call({ name: 'count', arguments: {} })) === '1')
  })
})

test.each([{ transport: 'sse' }, {}])(
  "the end of one client's stream is its own: the backend stays up (%j)",
  async (options) => {
    const server = await sdkServer()
    const gateway = await startGateway({ backends: [{ name: 'old', url: server.url, headers: HEADERS, ...options }] })
    open.push(() => gateway.close())
    await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.size > 0)
    const clients = [await connectHttp('SDK v1, legacy', gateway.url), await connectHttp('SDK v2, legacy', gateway.url)]
    open.push(...clients.map((client) => () => client.close()))
    const count = async (client = clients[0]): Promise<string> =>
      textOf(await client!.call({ name: 'count', arguments: {} }))
    expect([await count(clients[0]), await count(clients[1])]).toEqual(['1', '1'])
    server.dropLatest()
    await pause(300, new AbortController().signal)
    expect(gateway.events.filter(({ name }) => name === 'backend.failing')).toEqual([])
    expect([await count(clients[0]), await count(clients[1])]).toEqual(['2', '1'])
  },
)

interface Played {
  leg: Leg
  told: ReturnType<typeof legContext>['told']
  server: SdkServer
}

async function legTo(ask?: Parameters<typeof legContext>[0]): Promise<Played> {
  const server = await sdkServer()
  const connector = sseConnector({ url: server.url, headers: { 'x-key': new Secret('k') } })
  open.push(() => connector.close())
  const { context, told } = legContext(ask)
  const leg = await connector.open('auto', context, new Cancellation())
  return { leg, told, server }
}

test('progress, questions and list changes come over the stream', async () => {
  const { leg, told, server } = await legTo(async () => ({ roots: [{ uri: 'file:///home' }] }))
  const progress: unknown[] = []
  const deadline = countingDeadline()
  const params = { name: 'progress', arguments: {}, _meta: { progressToken: 'mine' } }
  const onNotification = ({ params }: { params: JsonObject }): void => void progress.push(params['progress'])
  await leg.request(toolCall('progress', { params, progress: true, onNotification }))
  const asked = toolCall('roots', { ask: async () => ({ roots: [{ uri: 'file:///call' }] }), deadline })
  const reply = await leg.request(asked)
  expect(progress).toEqual([1])
  expect(JSON.stringify(reply)).toContain('file:///call')
  expect(deadline.held).toBe(0)
  // On its own account the server asks the client of the session.
  expect(await server.servers[0]?.server.listRoots()).toEqual({ roots: [{ uri: 'file:///home' }] })
  server.servers[0]?.sendToolListChanged()
  await waitFor(() => told.lists === 1)
  await leg.close()
  expect(told.lost).toEqual([])
})

test('with the stream its calls end, once, and the leg is lost', async () => {
  const { leg, told, server } = await legTo()
  const reply = leg.request(toolCall('hang'))
  await waitFor(() => server.requests.filter((line) => line.startsWith('POST')).length >= 3)
  server.drop()
  await expect(reply).rejects.toMatchObject({ code: 'BACKEND_UNREACHABLE' })
  expect([leg.closed, told.lost.length]).toEqual([true, 1])
  await expect(leg.request(toolCall('count'))).rejects.toMatchObject({ code: 'BACKEND_UNREACHABLE' })
  expect(server.requests.filter((line) => line.startsWith('POST'))).toHaveLength(3)
})

test('a caller who leaves is gone at once, and the server is told', async () => {
  const { leg, server } = await legTo()
  const signal = new Cancellation()
  const reply = leg.request(toolCall('hang', { signal }))
  await waitFor(() => server.requests.length === 4)
  signal.cancel(new GatewayError('CANCELLED', 'gone'))
  await expect(reply).rejects.toThrow('gone')
  await waitFor(() => server.requests.length === 5)
})

test('wrong credentials are named as such', async () => {
  const server = await sdkServer()
  const connector = sseConnector({ url: server.url, headers: {} })
  open.push(() => connector.close())
  await expect(connector.open('auto', legContext().context, new Cancellation())).rejects.toMatchObject({ status: 401 })
})

test('a modern era is refused with the keys that are at odds', async () => {
  const connector = sseConnector({ url: 'http://127.0.0.1:9/sse', headers: {} })
  open.push(() => connector.close())
  await expect(connector.open('modern', legContext().context, new Cancellation())).rejects.toThrow(/transport, era/)
})

/** A raw server whose GET streams begin so; it answers messages on the stream, and POSTs with the status. */
async function raw(first: string, status = 202, answer = (message: JsonObject): unknown => message) {
  const paths: string[] = []
  let stream: ServerResponse | undefined
  const server = await rawServer((request, body, response) => {
    paths.push(`${request.method} ${request.url}`)
    if (request.method === 'GET') {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' })
      return stream.write(first)
    }
    if (request.url === '/sse') return response.writeHead(405).end()
    response.writeHead(status).end()
    const { id, method } = body ?? {}
    if (status !== 202 || id === undefined || method === undefined) return undefined
    const welcome = { protocolVersion: '2024-11-05', capabilities: {}, serverInfo: { name: 'raw', version: '1' } }
    const result = method === 'initialize' ? welcome : {}
    return stream?.write(`event: message\ndata: ${JSON.stringify(answer({ jsonrpc: '2.0', id, result }))}\n\n`)
  })
  open.push(() => server.close())
  const openWith = async (kind: 'sse' | 'http', era: 'auto' | 'legacy' = 'auto'): Promise<Leg> => {
    const url = `${server.origin}/sse`
    const connector = kind === 'sse' ? sseConnector({ url, headers: {} }) : httpConnector({ kind, url, headers: {} })
    open.push(() => connector.close())
    return connector.open(era, legContext().context, new Cancellation())
  }
  return { paths, openWith, end: () => stream?.end() }
}

test.each([
  ['an absolute path', '/messages?session=1', 'POST /messages?session=1'],
  ['a relative path', 'inbox', 'POST /inbox'],
  ['a query alone', '?s=1', 'POST /sse?s=1'],
])('the endpoint as %s', async (_, endpoint, expected) => {
  const { paths, openWith } = await raw(`event: endpoint\ndata: ${endpoint}\n\n`)
  expect(await openWith('sse')).toMatchObject({ era: 'legacy', revision: '2024-11-05', keepsState: true })
  expect(paths).toContain(expected)
})

test.each(['https://elsewhere.example/messages', '//elsewhere.example/messages', 'file:///etc/passwd', 'http://'])(
  'the endpoint %s is refused, and nothing goes there',
  async (endpoint) => {
    const { paths, openWith } = await raw(`event: endpoint\ndata: ${endpoint}\n\n`)
    await expect(openWith('sse')).rejects.toThrow(/names an endpoint elsewhere/)
    expect(paths).toEqual(['GET /sse'])
  },
)

test('a batch on the stream is taken apart', async () => {
  const { openWith } = await raw('event: endpoint\ndata: /m\n\n', 202, (message) => [
    { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
    message,
  ])
  const leg = await openWith('sse')
  expect(await leg.request(ownRequest('ping', {}, new Cancellation()))).toMatchObject({ value: {} })
})

test('a POST that is refused fails its request at once', async () => {
  const { openWith } = await raw('event: endpoint\ndata: /m\n\n', 500)
  await expect(openWith('sse')).rejects.toMatchObject({ status: 500 })
  const forgetful = await raw('event: endpoint\ndata: /m\n\n', 404)
  await expect(forgetful.openWith('sse')).rejects.toThrow(/forgets every session/)
})

test('a stream that ends before its endpoint is an outage, not a crash', async () => {
  const { openWith, end, paths } = await raw(': hello\n\n')
  const opening = openWith('sse')
  await Promise.all([
    expect(opening).rejects.toThrow(/closed its event stream/),
    waitFor(() => paths.length > 0).then(() => end()),
  ])
})

test('a server that refuses POST and names no endpoint fails with what it said to the POST', async () => {
  const { openWith, paths } = await raw(': hello\n\n')
  await expect(openWith('http')).rejects.toMatchObject({ status: 405 })
  expect(paths).toEqual(['POST /sse', 'POST /sse', 'GET /sse'])
}, 10_000)

test('once found, the older transport is tried first', async () => {
  const server = await sdkServer()
  const connector = httpConnector({ kind: 'http', url: server.url, headers: { 'x-key': new Secret('k') } })
  open.push(() => connector.close())
  const opened = async (): Promise<string[]> => {
    const before = server.requests.length
    const leg = await connector.open('legacy', legContext().context, new Cancellation())
    open.push(() => leg.close())
    return server.requests.slice(before, before + 2)
  }
  expect(await opened()).toEqual(['POST /sse', 'GET /sse'])
  expect(await opened()).toEqual(['GET /sse', 'POST /messages'])
})
