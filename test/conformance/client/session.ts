import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

import type { JsonObject } from '../../../src/model/json.ts'
import { startGateway, type Place } from '../../support/gateway.ts'
import { waitFor } from '../../support/processes.ts'
import type { Revision } from '../requirements.ts'

/** A scenario of the suite that waits for its client. */
export interface Order {
  /** Name of the scenario, or of another way through it. */
  plan: string
  revision: Revision
  /** Of the client before the gateway. */
  era: 'legacy' | 'modern'
  /** The suite's server. */
  url: string
  /** What the suite hands to the client. */
  context: JsonObject
}

export interface Capabilities {
  elicitation?: { form?: { applyDefaults: boolean }; url?: Record<string, never> }
  sampling?: Record<string, never>
  roots?: Record<string, never>
}

export interface Session {
  /** Of the gateway, beside the suite's server as its only backend. */
  config?: JsonObject
  /** Where the gateway believes to be reached; users are. Absent: where it listens. */
  publicOrigin?: string
  place?: Place
  capabilities?: Capabilities
  /** What the client shows to the gateway. */
  token?: string
  /** Before it connects. */
  prepare?: (client: Client, gateway: URL) => void
}

const FIRST_ANSWER_MS = 10_000

/** Name of the suite's server in the gateway. */
export const BACKEND = 'suite'

/** A gateway before the suite's server, and an SDK client before the gateway. */
export async function withClient(
  { url, era }: Order,
  { config = {}, place = {}, capabilities = {}, token, prepare }: Session,
  use: (client: Client) => Promise<unknown>,
): Promise<void> {
  const gateway = await startGateway({ name: 'conformance', backends: [{ name: BACKEND, url }], ...config }, place)
  const client = new Client(
    { name: 'conformance-client', version: '1.0.0' },
    { capabilities, ...(era === 'modern' && { versionNegotiation: { mode: { pin: '2026-07-28' } } }) },
  )
  const requestInit = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }
  try {
    // The list of a backend that has not answered yet is empty.
    await waitFor(
      () => gateway.gateway.current.backends.every(({ state }) => state.kind !== 'connecting'),
      FIRST_ANSWER_MS,
    )
    prepare?.(client, new URL(gateway.url))
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url), { requestInit }))
    await use(client)
  } finally {
    await client.close()
    await gateway.close()
  }
}
