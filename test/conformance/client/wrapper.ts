import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

import type { JsonObject } from '../../../src/model/json.ts'
import { startGateway } from '../../support/gateway.ts'
import { DRIVES } from './scenarios.ts'

// The command for `conformance client --command`: the suite appends the URL of its server and names the scenario in the
// environment. A gateway stands before that server, and an SDK client of the era in VMCP_CLIENT_ERA talks to it.

/** The suite ends only the shell it started, so this process has to end by itself. */
setTimeout(() => {
  console.error('the scenario took too long')
  process.exit(1)
}, 25_000).unref()

const { MCP_CONFORMANCE_SCENARIO: scenario = '', MCP_CONFORMANCE_PROTOCOL_VERSION: revision } = process.env
const drive = DRIVES[scenario]?.find((each) => each.revision === revision)
const url = process.argv.at(-1)
if (!drive || !url) throw new Error(`no client for ${scenario} of ${revision}`)
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as JsonObject

const gateway = await startGateway({ name: 'conformance', backends: [{ name: 'suite', url }] })
const client = new Client(
  { name: 'conformance-client', version: '1.0.0' },
  {
    capabilities: drive.capabilities ?? {},
    ...(process.env['VMCP_CLIENT_ERA'] === 'modern' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {}),
  },
)
const { answer } = drive
if (answer) client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: answer as never }))

await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)))
await drive.run(client, context)
await client.close()
await gateway.close()
// The suite's servers keep connections open; nothing here is worth waiting for.
process.exit(0)
