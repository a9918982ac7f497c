import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import {
  ElicitationCompleteNotificationSchema,
  ListRootsRequestSchema,
  ListRootsResultSchema,
  LoggingMessageNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, test } from 'vitest'

import { httpConnector } from '../../src/backends/http/connector.ts'
import type { Leg } from '../../src/backends/leg.ts'
import { Cancellation } from '../../src/model/cancellation.ts'
import type { Ask } from '../../src/model/call.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { isObject } from '../../src/model/json.ts'
import { connectHttp } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { countingDeadline, legContext, rawServer, toolCall } from '../support/legs.ts'
import { waitFor } from '../support/processes.ts'
import { META, pause } from '../support/script.ts'
import { modernRequest, resultOf } from '../support/wire.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

describe('subscriptions to a modern server', () => {
  interface Watch {
    filter: JsonObject
    response: ServerResponse
    open: boolean
    say: (method: string, params?: JsonObject) => void
  }

  /** `onListen` answers the stream; without it every one is acknowledged. */
  async function legTo(onListen?: (watch: Watch, index: number) => void) {
    const watches: Watch[] = []
    const server = await rawServer((_request, body, response) => {
      const { id, method, params } = (body ?? {}) as { id?: JsonValue; method?: string; params?: JsonObject }
      if (method === 'subscriptions/listen') {
        const say = (method: string, params: JsonObject = {}): void => {
          const _meta = { [META.subscription]: id ?? null }
          const text = JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta } })
          response.write(`data: ${text}\n\n`)
        }
        const filter = isObject(params?.['notifications']) ? params['notifications'] : {}
        const watch: Watch = { filter, response, open: true, say }
        response.on('close', () => (watch.open = false))
        const index = watches.push(watch) - 1
        if (onListen) return onListen(watch, index)
        return acknowledge(watch)
      }
      const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } }
      const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities }
      return response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    })
    open.push(() => server.close())
    const connector = httpConnector({ kind: 'http', url: `${server.origin}/mcp`, headers: {} })
    open.push(() => connector.close())
    const { context, told } = legContext()
    const leg = await connector.open('modern', context, new Cancellation())
    open.push(() => leg.close())
    return { leg, told, watches }
  }

  function acknowledge({ filter, response, say }: Watch): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    say('notifications/subscriptions/acknowledged', { notifications: filter })
  }

  const listen = async (leg: Leg, ...resources: string[]): Promise<void> => leg.listen(resources)
  const states = (watches: Watch[]): boolean[] => watches.map(({ open }) => open)

  test('a new set is listened to before the old one is let go', async () => {
    const { leg, told, watches } = await legTo((watch, index) => {
      if (index === 1) setTimeout(() => acknowledge(watch), 150)
      else acknowledge(watch)
    })
    await listen(leg)
    const change = listen(leg, 'b://b', 'a://a')
    await waitFor(() => watches.length === 2)
    expect(states(watches)).toEqual([true, true])
    watches[0]?.say('notifications/tools/list_changed')
    await change
    await waitFor(() => !watches[0]?.open)
    watches[1]?.say('notifications/resources/updated', { uri: 'a://a' })
    await waitFor(() => told.updated.length === 1)
    await listen(leg, 'a://a', 'b://b')
    expect(watches.map(({ filter }) => filter)).toEqual([
      { toolsListChanged: true },
      { toolsListChanged: true, resourceSubscriptions: ['a://a', 'b://b'] },
    ])
    expect([told.lists, told.gaps, told.updated[0]?.['uri']]).toEqual([1, 0, 'a://a'])
    await listen(leg)
    await waitFor(() => states(watches).join() === 'false,false,true')
  })

  test('a set that the server refuses leaves the old one in its place', async () => {
    const { leg, watches } = await legTo((watch, index) => {
      if (index === 0) acknowledge(watch)
      else watch.response.writeHead(400).end('{}')
    })
    await listen(leg)
    await listen(leg, 'a://a')
    expect(states(watches)).toEqual([true, false])
  })

  test('a stream that breaks comes back with its set, and that is a gap', async () => {
    const { leg, told, watches } = await legTo()
    await listen(leg, 'a://a')
    watches[0]?.response.destroy()
    await waitFor(() => watches.length === 2)
    await waitFor(() => told.gaps > 0)
    expect(watches[1]?.filter).toEqual(watches[0]?.filter)
    expect(told.lists).toBeGreaterThan(0)
  })

  test('closing the leg ends every stream', async () => {
    const { leg, watches } = await legTo((watch, index) => (index === 0 ? acknowledge(watch) : undefined))
    await listen(leg)
    void leg.listen(['a://a'])
    await waitFor(() => watches.length === 2)
    await leg.close()
    await waitFor(() => states(watches).join() === 'false,false')
  })
})

/** Sessions of an SDK v1 server over streamable HTTP, newest last. */
async function sessionServer(): Promise<{ url: string; sessions: McpServer[]; streams: () => number }> {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  const sessions: McpServer[] = []
  let streams = 0
  const session = async (): Promise<StreamableHTTPServerTransport> => {
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void transports.set(id, transport),
    })
    const server = new McpServer({ name: 'sessions', version: '1' }, { capabilities: { logging: {} } })
    server.registerTool('hello', {}, () => ({ content: [{ type: 'text', text: 'hello' }] }))
    await server.connect(transport)
    sessions.push(server)
    return transport
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET') {
      streams++
      response.on('close', () => streams--)
    }
    const id = request.headers['mcp-session-id']
    if (request.headers['mcp-method'] === 'server/discover') return void response.writeHead(400).end()
    const known = typeof id === 'string' ? transports.get(id) : undefined
    await (known ?? (await session())).handleRequest(request, response)
  }
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    sessions,
    streams: () => streams,
  }
}

async function gatewayTo(url: string): Promise<TestGateway> {
  const gateway = await startGateway({ backends: [{ name: 'sessions', url }] })
  open.push(() => gateway.close())
  await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.size > 0)
  return gateway
}

test('what the session of a legacy client says on its own account reaches that client, and no other', async () => {
  const server = await sessionServer()
  const gateway = await gatewayTo(server.url)
  const connect = async (name: string) => {
    const client = new Client({ name, version: '1' }, { capabilities: { roots: {}, elicitation: { url: {} } } })
    const heard: unknown[] = []
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: `file:///${name}` }] }))
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.push(params.data))
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.push('tools'))
    client.setNotificationHandler(
      ElicitationCompleteNotificationSchema,
      ({ params }) => void heard.push(params.elicitationId),
    )
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)))
    open.push(() => client.close())
    await client.callTool({ name: 'hello' })
    return heard
  }
  const one = await connect('one')
  const first = server.sessions.at(-1)
  const two = await connect('two')
  const second = server.sessions.at(-1)
  // The gateway's own, and one for each client.
  await waitFor(() => server.streams() === 3)
  await pause(200, new AbortController().signal)
  expect(await first?.server.listRoots()).toEqual({ roots: [{ uri: 'file:///one' }] })
  expect(await second?.server.listRoots()).toEqual({ roots: [{ uri: 'file:///two' }] })
  await first?.server.sendLoggingMessage({ level: 'error', data: 'a line' })
  const method = 'notifications/elicitation/complete' as const
  await first?.server.notification({ method, params: { elicitationId: 'e1' } })
  first?.registerTool('late', {}, () => ({ content: [] }))
  await waitFor(() => one.length === 3)
  expect(one).toEqual(expect.arrayContaining(['a line', 'e1', 'tools']))
  expect(two.filter((entry) => entry !== 'tools')).toEqual([])
})

test('a session that serves modern callers is refused what it asks of nobody, and its changes are heard', async () => {
  const server = await sessionServer()
  const gateway = await gatewayTo(server.url)
  const peer = await connectHttp('SDK v2, modern', gateway.url)
  open.push(() => peer.close())
  await peer.call({ name: 'hello', arguments: {} })
  await waitFor(() => server.streams() === 2)
  const session = server.sessions.at(-1)
  await expect(session?.server.request({ method: 'roots/list' }, ListRootsResultSchema)).rejects.toMatchObject({
    code: -32601,
  })
  session?.registerTool('late', {}, () => ({ content: [] }))
  await waitFor(async () => {
    const { tools } = resultOf(await modernRequest(gateway.url, 1, 'tools/list'))
    return JSON.stringify(tools).includes('late')
  })
})

describe('what a legacy server says about a call on the stream of the session', () => {
  interface Stage {
    leg: Leg
    /** Starts a call, whose caller answers with its name. */
    call: (name: string) => Promise<Call>
    say: (message: JsonObject) => void
    /** Answers to the server's questions. */
    answers: JsonObject[]
    deadline: ReturnType<typeof countingDeadline>
  }
  interface Call {
    id: JsonValue
    heard: string[]
    end: () => Promise<void>
  }

  const stage = async (ask?: Ask): Promise<Stage> => {
    const answers: JsonObject[] = []
    const waiting = new Map<string, { id: JsonValue; response: ServerResponse }>()
    let events: ServerResponse | undefined
    const server = await rawServer((request, body, response) => {
      if (request.method === 'GET') {
        events = response.writeHead(200, { 'content-type': 'text/event-stream' })
        return response.flushHeaders()
      }
      const { id, method, params } = body as { id?: JsonValue; method?: string; params?: JsonObject }
      if (method === 'tools/call') return void waiting.set(params?.['name'] as string, { id: id ?? null, response })
      if (method === undefined && body) answers.push(body)
      if (method !== 'initialize') return void response.writeHead(202).end()
      const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'raw', version: '1' } }
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' })
      return void response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    })
    open.push(() => server.close())
    const connector = httpConnector({ kind: 'http', url: `${server.origin}/mcp`, headers: {} })
    open.push(() => connector.close())
    const leg = await connector.open('legacy', legContext(ask).context, new Cancellation())
    await leg.listen([])
    const deadline = countingDeadline()
    const call = async (name: string): Promise<Call> => {
      const heard: string[] = []
      const reply = leg.request(
        toolCall(name, {
          deadline,
          progress: true,
          ask: async () => ({ roots: [{ uri: `file:///${name}` }] }),
          onNotification: ({ method }) => heard.push(method),
        }),
      )
      const { id, response } = await waitFor(() => waiting.get(name))
      const end = async (): Promise<void> => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } }))
        await reply
      }
      return { id, heard, end }
    }
    const say = (message: JsonObject): void =>
      void events?.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
    return { leg, call, say, answers, deadline }
  }
  const roots = (name: string) => ({ result: { roots: [{ uri: `file:///${name}` }] } })
  const line: JsonObject = { method: 'notifications/message', params: { level: 'info', data: 'x' } }

  test('belongs to the only one that is under way', async () => {
    const { call, say, answers, deadline } = await stage()
    const only = await call('only')
    say(line)
    say({ method: 'notifications/progress', params: { progressToken: only.id, progress: 1 } })
    say({ id: 1, method: 'roots/list' })
    await waitFor(() => answers.length > 0)
    expect(answers).toMatchObject([{ id: 1, ...roots('only') }])
    expect(only.heard).toEqual(['notifications/message', 'notifications/progress'])
    await only.end()
    expect(deadline.held).toBe(0)
  })

  test('is refused when two may have asked; progress says whose it is', async () => {
    const { call, say, answers } = await stage()
    const [one, two] = [await call('one'), await call('two')]
    say(line)
    say({ method: 'notifications/progress', params: { progressToken: one.id, progress: 1 } })
    say({ id: 1, method: 'roots/list' })
    await waitFor(() => answers.length > 0)
    expect(answers).toMatchObject([{ id: 1, error: { code: -32601 } }])
    expect([one.heard, two.heard]).toEqual([['notifications/progress'], []])
    for (const { end } of [one, two]) await end()
  })

  test('goes to the client of the session, and no call of it counts as silent meanwhile', async () => {
    let answer: ((result: JsonObject) => void) | undefined
    const { call, say, answers, deadline } = await stage(() => new Promise((resolve) => (answer = resolve)))
    const calls = [await call('one'), await call('two')]
    say({ id: 1, method: 'roots/list' })
    await waitFor(() => answer !== undefined)
    expect(deadline.held).toBe(2)
    answer?.({ roots: [] })
    await waitFor(() => answers.length > 0)
    expect(answers).toMatchObject([{ id: 1, result: { roots: [] } }])
    expect(deadline.held).toBe(0)
    for (const { end } of calls) await end()
  })
})
