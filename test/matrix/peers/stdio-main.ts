/** A backend of the matrix as a process: `node test/matrix/peers/stdio-main.ts NAME legacy|modern`. */
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { serveStdio } from '@modelcontextprotocol/server/stdio'

import { createLegacyServer } from './legacy-server.ts'
import { createModernServer } from './modern-server.ts'
import { createWorld } from './world.ts'

const [name = '', era] = process.argv.slice(2)
const world = createWorld(name)

if (era === 'modern') {
  const serve = () => {
    const server = createModernServer(world)
    world.watchers.add({
      updated: (uri) => void server.sendResourceUpdated({ uri }).catch(() => undefined),
      toolsChanged: () => void server.sendToolListChanged().catch(() => undefined),
    })
    return server
  }
  serveStdio(serve, { legacy: 'reject' })
} else {
  await createLegacyServer(world).connect(new StdioServerTransport())
  // The server of SDK v1 outlives its client.
  process.stdin.on('end', () => process.exit(0))
}
