import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { streamClient, type StreamClient } from '../support/events.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { rawRequest } from '../support/raw-http.ts'
import { ECHO_TOOL } from '../support/script.ts'

let backend: HttpBackend
let gateway: TestGateway
let client: StreamClient
beforeAll(async () => {
  backend = await startHttpBackend({ tools: [ECHO_TOOL], progress: { steps: 2, delayMs: 5 } })
  gateway = await startGateway({ backends: [{ name: 'one', url: backend.url }] })
  client = await streamClient(gateway.url, '2025-03-26')
})
afterAll(async () => {
  await gateway?.close()
  await backend?.close()
})

const call = (id: number | string, meta: JsonObject = {}): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text: `for ${id}` }, _meta: meta },
})
const NOTICE = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'nobody' } }

async function raw(members: unknown, by = client) {
  const port = Number(new URL(gateway.url).port)
  const answer = await rawRequest(port, { headers: by.headers, body: JSON.stringify(members) })
  return { status: answer.status, body: answer.body === '' ? undefined : (JSON.parse(answer.body) as JsonObject[]) }
}

describe('a batch of a client of 2025-03-26', () => {
  test('every request is answered, in one array when nothing else has to be carried', async () => {
    const { status, body = [] } = await raw([
      call(1),
      NOTICE,
      { jsonrpc: '2.0', id: 2, method: 'nope' },
      { jsonrpc: '2.0', id: 3 },
      [call(4)],
      call('1'),
    ])
    expect(status).toBe(200)
    expect(body).toMatchObject([
      { id: 1, result: { content: [{ text: 'for 1' }] } },
      { id: 2, error: { code: -32601 } },
      { id: 3, error: { code: -32600 } },
      { id: null, error: { code: -32600 } },
      { id: '1', result: { content: [{ text: 'for 1' }] } },
    ])
  })

  test('progress makes it a stream, with each response on its own', async () => {
    const stream = await client.post([call(1, { progressToken: 'a' }), call(2)])
    expect(stream.type).toBe('text/event-stream')
    expect(await stream.ended).toBe(true)
    const [first, second, ...responses] = stream.messages()
    expect([first, second]).toMatchObject([
      { params: { progressToken: 'a', progress: 1 } },
      { params: { progressToken: 'a', progress: 2 } },
    ])
    expect(responses).toMatchObject([{ id: 1 }, { id: 2 }])
    expect(stream.events.every(({ id }) => id !== undefined)).toBe(true)
  })

  test('without requests there is nothing to answer', async () => {
    expect(await raw([NOTICE, { jsonrpc: '2.0', id: 9, result: {} }])).toEqual({ status: 202, body: undefined })
  })

  test('initialize, nothing and too much are refused', async () => {
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} }
    for (const members of [[], [initialize], [call(1), initialize], Array.from({ length: 101 }, () => NOTICE)]) {
      expect(await raw(members)).toMatchObject({ status: 400, body: { error: { code: -32600 } } })
    }
  })
})

test.each(['2024-11-05', '2025-06-18', '2025-11-25'])('%s has no batches', async (revision) => {
  const other = await streamClient(gateway.url, revision)
  expect(await raw([call(1)], other)).toMatchObject({ status: 400, body: { error: { code: -32600 } } })
})
