/**
 * `mcp-proxy` from npm. Its command bridges stdio only; this uses its library door as the package's own command does
 * (one upstream client for all, defaults everywhere), with an HTTP upstream so that all rows have the same backend.
 * `node bench/baselines/mcp-proxy.ts http://127.0.0.1:PORT/mcp legacy|modern`
 */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { argv, stdout } from 'node:process'

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Server } from '@modelcontextprotocol/server'
import { proxyServer, startHTTPServer } from 'mcp-proxy'

const upstream = new URL(argv[2] ?? '')
const modern = argv[3] === 'modern'

const client = new Client(
  { name: 'mcp-proxy', version: '1.0.0' },
  modern ? { versionNegotiation: { mode: 'auto' } } : {},
)
await client.connect(new StreamableHTTPClientTransport(upstream))
const capabilities = client.getServerCapabilities() ?? {}
const port = await freePort()

await startHTTPServer({
  host: '127.0.0.1',
  port,
  async createServer() {
    const server = new Server({ name: 'mcp-proxy', version: '1.0.0' }, { capabilities })
    await proxyServer({ client, server, serverCapabilities: capabilities })
    return server
  },
})
stdout.write(`http://127.0.0.1:${port}/mcp\n`)

/** The package cannot tell which port it got. */
async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
