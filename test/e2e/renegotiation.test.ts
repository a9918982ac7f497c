import { afterEach, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { legacyClient, modernClient } from '../support/raw-client.ts'
import { ECHO_TOOL, echoTool, type Exchange } from '../support/script.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** A gateway before a modern backend, which has been reached. */
async function start(): Promise<{ backend: HttpBackend; gateway: TestGateway }> {
  const backend = await startHttpBackend({ era: 'modern', tools: [ECHO_TOOL] })
  open.push(() => backend.close())
  const gateway = await startGateway({ backends: [{ name: 'one', url: backend.url }] })
  open.push(() => gateway.close())
  await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.size > 0)
  return { backend, gateway }
}

/** From now on a server of another revision stands there, which says so in the modern way. */
function replace({ script }: HttpBackend): void {
  const answer = ({ era, params }: Exchange): JsonObject => {
    if (era === 'modern') throw { code: -32022, message: 'Unsupported protocol version', data: { supported: [] } }
    executed.push(params)
    return echoTool('echo', params['arguments'] as JsonObject)
  }
  script.era = 'both'
  script.methods = { 'server/discover': answer, 'tools/call': answer }
}

const executed: JsonObject[] = []
const CLIENTS = { legacy: legacyClient, modern: modernClient }

test.each(['legacy', 'modern'] as const)(
  'a backend that comes back with another revision is called once more, in that one (%s client)',
  async (era) => {
    const { backend, gateway } = await start()
    const client = await CLIENTS[era](gateway.url)
    open.push(() => client.close())
    expect((await client.tool('echo', { text: 'before' })).text).toBe('before')
    replace(backend)
    executed.length = 0
    expect((await client.tool('echo', { text: 'after' })).text).toBe('after')
    expect(executed).toHaveLength(1)
  },
)

test('a further round of a call is not given to another server', async () => {
  const { backend, gateway } = await start()
  const client = await modernClient(gateway.url)
  open.push(() => client.close())
  await client.tool('echo', { text: 'before' })
  replace(backend)
  executed.length = 0
  const params = { name: 'echo', arguments: { text: 'after' }, requestState: 'of the old one' }
  const { result } = await client.request('tools/call', params)
  expect(JSON.stringify(result)).toContain('no longer speaks the modern protocol')
  expect(executed).toEqual([])
})
