import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { LegContext, UpstreamRequest } from '../../src/backends/leg.ts'
import { ownRequest } from '../../src/backends/leg.ts'
import type { Ask, ClientPort, Deadline } from '../../src/model/call.ts'
import { Cancellation } from '../../src/model/cancellation.ts'
import type { BackendId } from '../../src/model/ids.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { ANONYMOUS } from '../../src/model/principal.ts'
import { profileOf } from '../../src/protocol/capabilities.ts'
import { Telemetry } from '../../src/telemetry/events.ts'

/** What a leg has told its owner. */
interface Told {
  lists: number
  gaps: number
  updated: JsonObject[]
  lost: string[]
  /** Notifications to the client that the leg belongs to. */
  heard: JsonObject[]
}

/**
 * The context of a leg that belongs to a client which answers with `ask`; without one it belongs to nobody. The server
 * may ask for roots, forms and samples.
 */
export function legContext(ask?: Ask): { context: LegContext; told: Told } {
  const told: Told = { lists: 0, gaps: 0, updated: [], lost: [], heard: [] }
  const profile = profileOf({ roots: {}, elicitation: {}, sampling: {} }, '2025-11-25')
  const client: ClientPort | undefined = ask && {
    principal: ANONYMOUS,
    revision: '2025-11-25',
    profile,
    logLevel: undefined,
    ask,
    notify: ({ method, params }) => told.heard.push({ method, params }),
  }
  const context: LegContext = {
    backend: 'peer' as BackendId,
    identity: { name: 'vmcp', version: '0' },
    telemetry: new Telemetry(),
    maxMessageBytes: 1_000_000,
    onListChanged: () => told.lists++,
    onGap: () => told.gaps++,
    onUpdated: (params) => told.updated.push(params),
    onLost: (error) => told.lost.push(error.message),
    tasks: { shown: () => undefined, native: () => undefined, asker: () => undefined, progressToken: () => undefined },
    profile,
    client: () => client,
    principal: () => ANONYMOUS,
    oneClient: () => client !== undefined,
  }
  return { context, told }
}

/** A call of a tool as a leg gets it. */
export function toolCall(name: string, given: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return { ...ownRequest('tools/call', { name, arguments: {} }, new Cancellation()), ...given }
}

/** A deadline that counts how it is used. */
export function countingDeadline(): Deadline & { held: number } {
  const deadline = {
    held: 0,
    touch: () => {},
    hold: () => {
      deadline.held++
      return () => deadline.held--
    },
  }
  return deadline
}

export interface RawServer {
  origin: string
  close(): Promise<void>
}

/** An HTTP server of the test's own; the body is parsed when it is JSON. */
export async function rawServer(
  handle: (request: IncomingMessage, body: JsonObject | undefined, response: ServerResponse) => void,
): Promise<RawServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      handle(request, text === '' ? undefined : (JSON.parse(text) as JsonObject), response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
