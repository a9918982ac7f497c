import { afterEach, expect, test } from 'vitest'

import { startGateway } from '../support/gateway.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { ECHO_TOOL, META, MODERN } from '../support/script.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

test.each(['legacy', 'modern'] as const)(
  'named headers reach a %s backend, credentials and others do not',
  async (era) => {
    const backend = await startHttpBackend({ era, tools: [ECHO_TOOL] })
    open.push(() => backend.close())
    const gateway = await startGateway({
      backends: [{ name: 'one', url: backend.url, headers: { 'X-Team': 'platform' } }],
      passthroughHeaders: ['X-Request-Id', 'X-Team'],
    })
    open.push(() => gateway.close())
    const _meta = { [META.version]: MODERN, [META.capabilities]: {} }
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'tools/call',
        'mcp-name': 'echo',
        'x-request-id': 'r-1',
        'x-team': 'forged',
        'x-other': 'no',
        authorization: 'Bearer no',
        cookie: 'no=1',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'x' }, _meta },
      }),
    })
    expect(response.status).toBe(200)
    const { headers } = backend.requests.findLast(({ method }) => method === 'tools/call')!
    expect(headers).toMatchObject({ 'x-request-id': 'r-1', 'x-team': 'platform' })
    for (const name of ['x-other', 'authorization', 'cookie']) expect(headers).not.toHaveProperty(name)
  },
)
