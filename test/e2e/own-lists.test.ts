import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { afterEach, describe, expect, test } from 'vitest'
import type { Peer } from '../support/clients.ts'
import { connectHttp } from '../support/clients.ts'
import { startGateway } from '../support/gateway.ts'
import { waitFor } from '../support/processes.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const names = async (peer: Peer) => (await peer.client.listTools()).tools.map(({ name }) => name)

describe.each(['legacy', 'modern'] as const)('a %s process that adds a tool for one session', (era) => {
  async function start() {
    const gateway = await startGateway({
      backends: [{ name: 'fixture', command: process.execPath, args: [STDIO_BACKEND, JSON.stringify({ era })] }],
    })
    open.push(() => gateway.close())
    const connect = async () => {
      const peer = await connectHttp('SDK v1, legacy', gateway.url)
      open.push(() => peer.close())
      return peer
    }
    return { gateway, one: await connect(), other: await connect() }
  }

  test('shows it to that session, callable, and to nobody else', async () => {
    const { one, other } = await start()
    expect(await names(one)).not.toContain('late')
    await one.call({ name: 'change' })
    await waitFor(async () => (await names(one)).includes('late'))
    expect(await one.call({ name: 'late' })).toMatchObject({ content: [{ type: 'text' }] })
    expect(await names(other)).not.toContain('late')
    await expect(other.call({ name: 'late' })).rejects.toThrow(/Unknown tool/)
  })

  test('tells that session and nobody else', async () => {
    const { one, other } = await start()
    await one.call({ name: 'change' })
    const told = (peer: Peer) => peer.received.filter(({ method }) => method === 'notifications/tools/list_changed')
    await waitFor(() => told(one).length > 0)
    expect(told(other)).toEqual([])
  })

  test('forgets it with the session', async () => {
    const { gateway, one } = await start()
    await one.call({ name: 'change' })
    await waitFor(async () => (await names(one)).includes('late'))
    await one.terminate()
    const { backends } = gateway.gateway.current
    await waitFor(() => backends.every((backend) => backend.apart.length === 0))
  })
})

/** A server of the SDK's over HTTP, with one `McpServer` for each session, which the tool `change` changes. */
async function sessionServer(): Promise<string> {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  const opened = async (): Promise<StreamableHTTPServerTransport> => {
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void transports.set(id, transport),
    })
    const server = new McpServer({ name: 'sessions', version: '1' })
    server.registerTool('change', {}, () => {
      server.registerTool('late', {}, () => ({ content: [{ type: 'text', text: 'late' }] }))
      return { content: [] }
    })
    await server.connect(transport)
    return transport
  }
  const http = createServer((request, response) => {
    if (request.headers['mcp-method'] === 'server/discover') return void response.writeHead(400).end()
    const known = transports.get(String(request.headers['mcp-session-id']))
    void Promise.resolve(known ?? opened()).then((transport) => transport.handleRequest(request, response))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`
}

test('an HTTP server that adds a tool for one session: that session sees it, nobody else does', async () => {
  const gateway = await startGateway({ backends: [{ name: 'sessions', url: await sessionServer() }] })
  open.push(() => gateway.close())
  const [one, other] = [
    await connectHttp('SDK v1, legacy', gateway.url),
    await connectHttp('SDK v1, legacy', gateway.url),
  ]
  open.push(
    () => one.close(),
    () => other.close(),
  )
  await waitFor(async () => (await names(one)).includes('change'))
  await one.call({ name: 'change' })
  await waitFor(async () => (await names(one)).includes('late'))
  expect(await one.call({ name: 'late' })).toMatchObject({ content: [{ text: 'late' }] })
  expect(await names(other)).toEqual(['change'])
  await one.terminate()
  await waitFor(() => gateway.gateway.current.backends.every((backend) => backend.apart.length === 0))
})
