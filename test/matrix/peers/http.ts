import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as readText } from 'node:stream/consumers'

import { toNodeHandler, type NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler } from '@modelcontextprotocol/server'

import { MODERN } from '../../support/script.ts'
import { createLegacyServer } from './legacy-server.ts'
import { createModernServer } from './modern-server.ts'
import { createWorld, type World } from './world.ts'

export interface HttpPeer {
  url: string
  world: World
  /** Cuts every connection. The port stays open, sessions are kept. */
  cut(): void
  close(): Promise<void>
}

type Serve = (request: IncomingMessage, response: ServerResponse, body: unknown) => Promise<void>

/** Streamable HTTP with sessions, SDK v1. */
export function startLegacyHttp(name: string): Promise<HttpPeer> {
  const world = createWorld(name)
  return listen('/mcp', world, legacyHttp(world))
}

function legacyHttp(world: World): Serve {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  return async (request, response, body) => {
    const id = request.headers['mcp-session-id']
    const known = typeof id === 'string' ? sessions.get(id) : undefined
    if (known) return known.handleRequest(request, response, body)
    if (typeof id === 'string') return refuse(response, 404, 'Session not found')
    if ((body as { method?: string } | undefined)?.method !== 'initialize') return refuse(response, 400, 'No session')
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => void sessions.set(session, transport),
      onsessionclosed: (session) => void sessions.delete(session),
    })
    await createLegacyServer(world).connect(transport)
    return transport.handleRequest(request, response, body)
  }
}

/** HTTP+SSE of 2024-11-05, SDK v1. */
export function startLegacySse(name: string): Promise<HttpPeer> {
  const world = createWorld(name)
  const sessions = new Map<string, SSEServerTransport>()
  return listen('/sse', world, async (request, response, body) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://peer')
    if (pathname === '/sse' && request.method === 'GET') {
      const transport = new SSEServerTransport('/messages', response)
      sessions.set(transport.sessionId, transport)
      response.on('close', () => sessions.delete(transport.sessionId))
      return createLegacyServer(world).connect(transport)
    }
    if (pathname !== '/messages') return refuse(response, 405, 'Method not allowed')
    const transport = sessions.get(searchParams.get('sessionId') ?? '')
    if (!transport) return refuse(response, 404, 'Session not found')
    return transport.handlePostMessage(request, response, body)
  })
}

/** Streamable HTTP of 2026-07-28, SDK v2: one server per request, legacy clients are refused. */
export async function startModernHttp(name: string): Promise<HttpPeer> {
  const world = createWorld(name)
  const { serve, close } = modernHttp(world)
  return closing(await listen('/mcp', world, serve), close)
}

/** Each era by its own SDK, on one address and before one world. */
export async function startDualHttp(name: string): Promise<HttpPeer> {
  const world = createWorld(name)
  const legacy = legacyHttp(world)
  const modern = modernHttp(world)
  const peer = await listen('/mcp', world, (request, response, body) => {
    const serve = request.headers['mcp-protocol-version'] === MODERN ? modern.serve : legacy
    return serve(request, response, body)
  })
  return closing(peer, modern.close)
}

function modernHttp(world: World): { serve: Serve; close: () => Promise<void> } {
  const handler = createMcpHandler(() => createModernServer(world), { legacy: 'reject' })
  world.watchers.add({
    updated: (uri) => handler.notify.resourceUpdated(uri),
    toolsChanged: () => handler.notify.toolsChanged(),
  })
  const serve = toNodeHandler(handler)
  return {
    serve: (request, response, body) => serve(request as NodeIncomingMessageLike, response, body),
    close: () => handler.close(),
  }
}

function closing(peer: HttpPeer, before: () => Promise<void>): HttpPeer {
  return {
    ...peer,
    async close() {
      await before()
      await peer.close()
    },
  }
}

async function listen(path: string, world: World, serve: Serve): Promise<HttpPeer> {
  const server = createServer((request, response) => {
    const body = request.method === 'POST' ? readText(request).then((text) => JSON.parse(text) as unknown) : undefined
    Promise.resolve(body)
      .then((parsed) => serve(request, response, parsed))
      .catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${path}`,
    world,
    cut: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function refuse(response: ServerResponse, status: number, message: string): Promise<void> {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32000, message } }))
}
