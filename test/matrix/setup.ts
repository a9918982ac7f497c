import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'

import type { Transport as Transport2 } from '@modelcontextprotocol/client'
import { StdioServerTransport as Sdk1Pipes } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StdioServerTransport as Sdk2Pipes } from '@modelcontextprotocol/server/stdio'

import type { Era } from '../../src/model/backend.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { StdioDoor } from '../../src/gateway/face/stdio.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { connect, overHttp, overSse, type MatrixClient, type Sdk } from './peers/clients.ts'
import { startLegacyHttp, startLegacySse, startModernHttp, type HttpPeer } from './peers/http.ts'
import { vendorMethodOf } from './peers/offer.ts'
import type { LegKind } from './requirements/features.ts'

const STDIO_MAIN = fileURLToPath(new URL('peers/stdio-main.ts', import.meta.url))

/** Of every client there is a process for each backend: half of their time is compilation. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/matrix', import.meta.url))

/** What a backend is called in the configuration; its tools are `NAME_tool`. */
export const backendName = ({ era, wire }: LegKind) => `${era}-${wire}`

/** Every backend that a revision knows, and gateways before all of them. */
export interface Setup {
  /** Worlds of the backends that live in this process, by name. */
  peers: ReadonlyMap<string, HttpPeer>
  /** The gateway behind an HTTP door. */
  gateway: TestGateway
  connect(sdk: Sdk, leg: LegKind, capabilities?: JsonObject): Promise<MatrixClient>
  close(): Promise<void>
}

export async function startSetup(): Promise<Setup> {
  const peers = new Map([
    ['legacy-http', await startLegacyHttp('legacy-http')],
    ['legacy-sse', await startLegacySse('legacy-sse')],
    ['modern-http', await startModernHttp('modern-http')],
  ])
  const urls = [...peers].map(([name, { url }]) => ({ name, url, methods: [vendorMethodOf(name)] }))
  const config = { backends: [...urls, stdioBackend('legacy'), stdioBackend('modern')] }
  const gateway = await startGateway(config)
  const clients: MatrixClient[] = []
  const closing: (() => Promise<void>)[] = []
  return {
    peers,
    gateway,
    async connect(sdk, leg, capabilities) {
      const sse = gateway.url.replace(/\/mcp$/, '/sse')
      let way
      if (leg.wire === 'stdio') {
        const door = await openStdioDoor(config)
        closing.push(() => door.close())
        way = door.transports
      } else way = leg.wire === 'http' ? overHttp(gateway.url) : overSse(sse)
      const client = await connect(sdk, leg, way, capabilities)
      clients.push(client)
      return client
    },
    async close() {
      await Promise.all(clients.map((client) => client.close().catch(() => {})))
      await Promise.all(closing.map((close) => close()))
      await gateway.close()
      await Promise.all([...peers.values()].map((peer) => peer.close()))
    },
  }
}

function stdioBackend(era: Era): JsonObject {
  const name = backendName({ era, wire: 'stdio' })
  return {
    name,
    command: process.execPath,
    args: [STDIO_MAIN, name, era],
    env: { NODE_COMPILE_CACHE: COMPILED },
    methods: [vendorMethodOf(name)],
  }
}

/** A gateway of its own behind the stdio door: it has one client only. The pipes speak the same lines on both ends. */
async function openStdioDoor(config: JsonObject) {
  const started = await startGateway(config)
  const input = new PassThrough()
  const output = new PassThrough()
  const served = new StdioDoor(started.gateway, input, output).serve(8 * 1024 * 1024)
  return {
    transports: {
      v1: () => new Sdk1Pipes(output, input),
      v2: () => new Sdk2Pipes(output, input) as Transport2,
    },
    async close() {
      input.end()
      await served
      await started.close()
    },
  }
}
