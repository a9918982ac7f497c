/**
 * What one writes with the official SDK v1: a server transport and a client per session, requests relayed as they
 * are. Its answers are JSON, which is the cheaper form. `node bench/baselines/sdk-relay.ts http://127.0.0.1:PORT/mcp`
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { argv, stdout } from 'node:process'

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import {
  CallToolRequestSchema,
  CallToolResultSchema,
  ListToolsRequestSchema,
  ListToolsResultSchema,
} from '@modelcontextprotocol/sdk/types.js'

const upstream = new URL(argv[2] ?? '')
const sessions = new Map<string, StreamableHTTPServerTransport>()

const http = createServer((request, response) => {
  void serve(request, response).catch((error: unknown) => response.destroy(error as Error))
})
http.keepAliveTimeout = 120_000
http.listen(0, '127.0.0.1', () => {
  stdout.write(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp\n`)
})

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const id = request.headers['mcp-session-id']
  const transport = typeof id === 'string' ? sessions.get(id) : await openSession()
  if (transport) await transport.handleRequest(request, response)
  else response.writeHead(404).end()
}

async function openSession(): Promise<StreamableHTTPServerTransport> {
  const client = new Client({ name: 'relay', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(upstream))
  const server = new Server({ name: 'relay', version: '1.0.0' }, { capabilities: { tools: {} } })
  server.setRequestHandler(ListToolsRequestSchema, ({ method, params }) =>
    client.request({ method, params }, ListToolsResultSchema),
  )
  server.setRequestHandler(CallToolRequestSchema, ({ method, params }) =>
    client.request({ method, params }, CallToolResultSchema),
  )
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: true,
    onsessioninitialized: (id) => void sessions.set(id, transport),
  })
  await server.connect(transport)
  return transport
}
