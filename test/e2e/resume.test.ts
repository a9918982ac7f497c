import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterEach, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { connectHttp, textOf } from '../support/clients.ts'
import { streamClient, type StreamClient } from '../support/events.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { ECHO_TOOL } from '../support/script.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function start(options: HttpBackendOptions = {}): Promise<{ backend: HttpBackend; gateway: TestGateway }> {
  const backend = await startHttpBackend({ tools: [ECHO_TOOL], ...options })
  open.push(() => backend.close())
  const gateway = await startGateway({ backends: [{ name: 'one', url: backend.url }] })
  open.push(() => gateway.close())
  return { backend, gateway }
}

const call = (id: number, text = 'hi'): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text }, _meta: { progressToken: id } },
})

const steps = (messages: JsonObject[]) =>
  messages.map(({ method, params, result }) =>
    method === 'notifications/progress' ? (params as JsonObject)['progress'] : result && textOf(result),
  )

/** A call whose connection the client loses after its first event. */
async function cutCall(client: StreamClient): Promise<string> {
  const post = await client.post(call(1))
  await waitFor(() => post.messages().length > 0)
  const id = post.lastId()
  post.close()
  return id
}

describe('an answer whose connection is lost', () => {
  test('goes on over the one that the client opens next, every message once, the call made once', async () => {
    const { backend, gateway } = await start({ progress: { steps: 6, delayMs: 50 } })
    const client = await streamClient(gateway.url)
    const id = await cutCall(client)
    await sleep(70)
    const resumed = await client.get(id)
    expect(resumed.type).toBe('text/event-stream')
    expect(await resumed.ended).toBe(true)
    expect(steps(resumed.messages())).toEqual([2, 3, 4, 5, 6, 'hi'])
    expect(backend.count('tools/call')).toBe(1)
    expect(backend.cancelled).toEqual([])
  })

  test('can be had after its end, more than once, until there is nothing left', async () => {
    const { gateway } = await start({ progress: { steps: 3, delayMs: 30 } })
    const client = await streamClient(gateway.url)
    const id = await cutCall(client)
    await sleep(400)
    for (let turn = 0; turn < 2; turn++) {
      const resumed = await client.get(id)
      expect(await resumed.ended).toBe(true)
      expect(steps(resumed.messages())).toEqual([2, 3, 'hi'])
      expect((await client.get(resumed.lastId())).status).toBe(204)
    }
  })

  test('belongs to its session', async () => {
    const { backend, gateway } = await start({ progress: { steps: 3, delayMs: 30 } })
    const id = await cutCall(await streamClient(gateway.url))
    const stranger = await streamClient(gateway.url)
    const fresh = await stranger.get(id)
    await waitFor(() => fresh.events.length > 0)
    backend.change('tools', [ECHO_TOOL, { ...ECHO_TOOL, name: 'late' }])
    await waitFor(() => fresh.messages().length > 0)
    expect(fresh.messages()).toEqual([{ jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: {} }])
    fresh.close()
  })

  test('becomes a stream, with the means to come back, when it takes long', async () => {
    const { gateway } = await start({ delayMs: 2500 })
    const client = await streamClient(gateway.url)
    const post = await client.post(call(1))
    expect(post.type).toBe('text/event-stream')
    await waitFor(() => post.events.length > 0)
    expect(post.events).toEqual([{ id: expect.any(String) as string, event: undefined, retry: 1000, data: '' }])
    post.close()
    const resumed = await client.get(post.lastId())
    expect(await resumed.ended).toBe(true)
    expect(steps(resumed.messages())).toEqual(['hi'])
    // Older clients would take the event without data for a broken message.
    const older = await streamClient(gateway.url, '2025-06-18')
    const answer = await older.post(call(2))
    expect(answer.type).toBe('application/json')
  })

  test('asks its question when the client is back', async () => {
    const question = {
      method: 'elicitation/create',
      params: { mode: 'form', message: 'who?', requestedSchema: { type: 'object', properties: {} } },
    }
    const { gateway } = await start({
      era: 'modern',
      progress: { steps: 2, delayMs: 150 },
      call: (_name, _args, { params }) => {
        const answers = params['inputResponses'] as { q?: { content?: { who?: string } } } | undefined
        if (!answers) return { resultType: 'input_required', inputRequests: { q: question } }
        return { content: [{ type: 'text', text: answers.q?.content?.who ?? '' }] }
      },
    })
    const client = await streamClient(gateway.url, '2025-11-25', { elicitation: {} })
    const id = await cutCall(client)
    await sleep(500)
    const resumed = await client.get(id)
    const asked = await waitFor(() => resumed.messages().find(({ method }) => method === 'elicitation/create'))
    await client.post({ jsonrpc: '2.0', id: asked['id']!, result: { action: 'accept', content: { who: 'me' } } })
    expect(await resumed.ended).toBe(true)
    expect(steps(resumed.messages()).at(-1)).toBe('me')
  })

  test('says so when it was too large to be kept', async () => {
    const text = 'x'.repeat(300_000)
    const { gateway } = await start({ delayMs: 1500, call: () => ({ content: [{ type: 'text', text }] }) })
    const client = await streamClient(gateway.url)
    const whole = await client.post(call(1))
    expect(await whole.ended).toBe(true)
    expect(steps(whole.messages())).toEqual([text])
    // Whoever lost the last bytes of it hears the same.
    for (const cut of [false, true]) {
      const post = await client.post(call(2))
      await waitFor(() => post.events.length > 0)
      if (cut) post.close()
      await sleep(1500)
      const resumed = await client.get(post.lastId())
      expect(await resumed.ended).toBe(true)
      expect(resumed.messages()).toMatchObject([{ id: 2, error: { code: -32603 } }])
    }
  })
})

/** Every connection between a client and the gateway, to be cut at will. */
async function wire(target: string): Promise<{ url: string; cut: () => void; requests: string[] }> {
  const sockets = new Set<Socket>()
  const requests: string[] = []
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(target).port), '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => requests.push(...(chunk.toString('latin1').match(/^(?:GET|POST) /gm) ?? [])))
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  open.push(() => {
    cut()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, cut, requests }
}

describe.each(['SDK v1, legacy', 'SDK v2, legacy'] as const)('%s', (kind) => {
  test('comes back by itself when its connections are cut in the middle of a call', async () => {
    const { backend, gateway } = await start({ progress: { steps: 20, delayMs: 100 } })
    const line = await wire(gateway.url)
    const peer = await connectHttp(kind, line.url)
    open.push(() => peer.close())
    const seen: number[] = []
    const result = peer.call(
      { name: 'echo', arguments: { text: 'hi' } },
      { onprogress: ({ progress }) => seen.push(progress) },
    )
    await waitFor(() => seen.length > 2)
    line.cut()
    expect(textOf(await result)).toBe('hi')
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(backend.count('tools/call')).toBe(1)
  })

  test('does not come back again and again for a stream that ended with an error', async () => {
    const { backend, gateway } = await start({ progress: { steps: 1, delayMs: 500 } })
    const line = await wire(gateway.url)
    const peer = await connectHttp(kind, line.url)
    open.push(() => peer.close())
    await peer.client.listTools()
    // The stream has begun when the backend finds that it has no such tool.
    backend.script.tools = []
    const failed = peer.call({ name: 'echo', arguments: {} }, { onprogress: () => {} })
    await expect(failed).rejects.toThrow()
    const gets = () => line.requests.filter((method) => method === 'GET ').length
    await sleep(2500)
    expect(gets()).toBeLessThanOrEqual(3)
  })
})

describe('GET streams', () => {
  test('the newest that is open hears of changes; what no stream is open for is told on the next one, once', async () => {
    const { backend, gateway } = await start()
    const client = await streamClient(gateway.url)
    await waitFor(() => backend.streams() > 0)
    const change = (name: string) => backend.change('tools', [ECHO_TOOL, { ...ECHO_TOOL, name }])
    const [older, newer] = [await client.get(), await client.get()]
    change('a')
    await waitFor(() => newer.messages().length === 1)
    newer.close()
    await sleep(100)
    change('b')
    await waitFor(() => older.messages().length === 1)
    older.close()
    await sleep(100)
    for (const name of ['c', 'd']) {
      change(name)
      await sleep(400)
    }
    const last = await client.get()
    await waitFor(() => last.messages().length > 0)
    await sleep(100)
    expect([older, newer, last].map((stream) => stream.messages().length)).toEqual([1, 1, 1])
    last.close()
  })

  test('a client that loses its stream without our noticing is never locked out', async () => {
    const { gateway } = await start()
    const client = await streamClient(gateway.url)
    const streams = []
    for (let turn = 0; turn < 6; turn++) streams.push(await client.get())
    expect(await Promise.all(streams.slice(0, 2).map(({ ended }) => ended))).toEqual([true, true])
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    for (const stream of streams) stream.close()
  })
})
