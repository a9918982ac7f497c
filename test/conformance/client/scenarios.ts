import type { Client } from '@modelcontextprotocol/client'

import type { JsonObject } from '../../../src/model/json.ts'
import type { Revision } from '../requirements.ts'
import { type Capabilities, type Order, withClient } from './session.ts'

/** What the client under test does in one scenario of the suite. */
interface Drive {
  revision: Revision
  /** Capabilities that the client declares. */
  capabilities?: Capabilities
  /** What the user answers when a server asks. */
  answer?: JsonObject
  /** @param context what the suite hands to the client, such as the calls to make. */
  run: (client: Client, context: JsonObject) => Promise<unknown>
}

interface Call {
  name: string
  arguments: JsonObject
}

async function callEach(client: Client, calls: readonly Call[]): Promise<void> {
  for (const call of calls) await client.callTool(call)
}

const FORM = { form: { applyDefaults: true } }

/** The scenarios of the client suite that are not about authorization. */
export const DRIVES: Record<string, Drive[]> = {
  initialize: [{ revision: '2025-11-25', run: (client) => client.listTools() }],
  tools_call: [
    { revision: '2025-11-25', run: addNumbers },
    { revision: '2026-07-28', run: addNumbers },
  ],
  'elicitation-sep1034-client-defaults': [
    {
      revision: '2025-11-25',
      capabilities: { elicitation: FORM },
      answer: {},
      run: (client) => callEach(client, [{ name: 'test_client_elicitation_defaults', arguments: {} }]),
    },
  ],
  'sse-retry': [
    {
      revision: '2025-11-25',
      run: (client) => callEach(client, [{ name: 'test_reconnection', arguments: {} }]),
    },
  ],
  'request-metadata': [
    {
      revision: '2026-07-28',
      capabilities: { elicitation: FORM, sampling: {}, roots: {} },
      run: (client) => client.listTools(),
    },
  ],
  'sep-2322-client-request-state': [
    {
      revision: '2026-07-28',
      capabilities: { elicitation: FORM },
      answer: { confirmed: true },
      run: (client) =>
        callEach(
          client,
          ['echo_state', 'no_state', 'unrelated', 'no_result_type'].map((name) => ({
            name: `test_mrtr_${name}`,
            arguments: {},
          })),
        ),
    },
  ],
  'http-standard-headers': [
    {
      revision: '2026-07-28',
      async run(client) {
        const { tools } = await client.listTools()
        await callEach(
          client,
          tools.map(({ name }) => ({ name, arguments: {} })),
        )
        const { resources } = await client.listResources()
        for (const { uri } of resources) await client.readResource({ uri })
        const { prompts } = await client.listPrompts()
        for (const { name } of prompts) await client.getPrompt({ name })
      },
    },
  ],
  'http-custom-headers': [
    {
      revision: '2026-07-28',
      async run(client, { toolCalls }) {
        await client.listTools()
        await callEach(client, toolCalls as unknown as Call[])
      },
    },
  ],
  'http-invalid-tool-headers': [
    {
      revision: '2026-07-28',
      async run(client) {
        const { tools } = await client.listTools()
        await callEach(
          client,
          tools.map(({ name }) => ({ name, arguments: { region: 'us-west1' } })),
        )
      },
    },
  ],
  'json-schema-ref-no-deref': [{ revision: '2026-07-28', run: (client) => client.listTools() }],
  'json-schema-2020-12-preservation': [
    { revision: '2025-11-25', run: echoSchema },
    { revision: '2026-07-28', run: echoSchema },
  ],
}

/** Hands the schema back as it arrived. */
async function echoSchema(client: Client): Promise<void> {
  const { tools } = await client.listTools()
  const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema
  await callEach(client, [{ name: 'json_schema_echo', arguments: { schema: schema as unknown as JsonObject } }])
}

async function addNumbers(client: Client): Promise<void> {
  await client.listTools()
  await client.callTool({ name: 'add_numbers', arguments: { a: 5, b: 3 } })
}

export function runPlain({ capabilities = {}, answer, run }: Drive, order: Order): Promise<void> {
  const prepare = (client: Client): void => {
    if (answer) client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: answer as never }))
  }
  return withClient(order, { capabilities, prepare }, (client) => run(client, order.context))
}
