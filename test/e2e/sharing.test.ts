import { fileURLToPath } from 'node:url'

import { afterEach, describe, expect, test } from 'vitest'

import type { Era } from '../../src/model/backend.ts'
import { isObject, type JsonObject } from '../../src/model/json.ts'
import { connectHttp, textOf, type Peer } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { descendants, isAlive, waitFor } from '../support/processes.ts'
import { ECHO_TOOL, MODERN, pause, type Exchange } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'
import { legacyWire, modernRequest, paramsOf, type Reply } from '../support/wire.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function gatewayOf(backend: JsonObject, operational: JsonObject = {}): Promise<TestGateway> {
  const gateway = await startGateway({ backends: [{ name: 'fixture', ...backend }], operational })
  open.push(() => gateway.close())
  await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.size > 0)
  return gateway
}

const stdioOf = (options: StdioOptions, more: JsonObject = {}): JsonObject => ({
  command: process.execPath,
  args: [STDIO_BACKEND, JSON.stringify(options)],
  ...more,
})

async function httpOf(options: HttpBackendOptions): Promise<HttpBackend> {
  const backend = await startHttpBackend({ tools: [ECHO_TOOL], ...options })
  open.push(() => backend.close())
  return backend
}

async function connected(kind: Parameters<typeof connectHttp>[0], { url }: TestGateway): Promise<Peer> {
  const peer = await connectHttp(kind, url)
  open.push(() => peer.close())
  return peer
}

const legacy = (gateway: TestGateway) => connected('SDK v1, legacy', gateway)
const modern = (gateway: TestGateway) => connected('SDK v2, modern', gateway)
const ask = async (peer: Peer, name: string, args: JsonObject = {}) =>
  textOf(await peer.call({ name, arguments: args }))
const count = async (peer: Peer) => Number(await ask(peer, 'counter'))
const pid = async (peer: Peer) => Number(await ask(peer, 'pid'))

describe.each(['legacy', 'modern'] as const)('a %s stdio backend', (era) => {
  test('legacy sessions never share a process', async () => {
    const gateway = await gatewayOf(stdioOf({ era }))
    const [one, two] = [await legacy(gateway), await legacy(gateway)]
    expect([await count(one), await count(one), await count(two), await count(one)]).toEqual([1, 2, 1, 3])
    expect(await pid(one)).not.toBe(await pid(two))
  })

  test('sessions that call at the same moment get a process each', async () => {
    const gateway = await gatewayOf(stdioOf({ era }))
    const peers = await Promise.all([legacy(gateway), legacy(gateway), legacy(gateway)])
    const counts = await Promise.all(peers.flatMap((peer) => [count(peer), count(peer)]))
    expect(counts.sort((a, b) => a - b)).toEqual([1, 1, 1, 2, 2, 2])
    expect(new Set(await Promise.all(peers.map(pid))).size).toBe(3)
  })

  test('modern callers who are the same principal share one, apart from legacy sessions', async () => {
    const gateway = await gatewayOf(stdioOf({ era }))
    const [one, two, session] = [await modern(gateway), await modern(gateway), await legacy(gateway)]
    expect([await count(one), await count(two), await count(session), await count(one)]).toEqual([1, 2, 1, 3])
  })

  test('shared: one process for all', async () => {
    const gateway = await gatewayOf(stdioOf({ era }, { sharing: 'shared' }))
    const peers = [await modern(gateway), await legacy(gateway), await legacy(gateway)]
    const counts: number[] = []
    for (const peer of [...peers, ...peers]) counts.push(await count(peer))
    expect(counts).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('the end of a session ends its process and no other', async () => {
    const gateway = await gatewayOf(stdioOf({ era, grandchild: true }))
    const [one, two] = [await legacy(gateway), await legacy(gateway)]
    const [first, second] = [await pid(one), await pid(two)]
    const grandchild = Number(await ask(one, 'grandchild'))
    await one.terminate()
    await waitFor(() => !isAlive(first) && !isAlive(grandchild))
    expect(isAlive(second)).toBe(true)
    expect(await count(two)).toBe(1)
  })

  test('idle processes end, the session lives and gets a new one', async () => {
    const gateway = await gatewayOf(stdioOf({ era }), {
      sessions: { idleTimeout: '200ms' },
      failureHandling: { healthCheckInterval: '50ms', healthCheckTimeout: '25ms' },
    })
    const peer = await legacy(gateway)
    expect([await count(peer), await count(peer)]).toEqual([1, 2])
    const first = await pid(peer)
    await waitFor(() => !isAlive(first))
    expect(await count(peer)).toBe(1)
    expect(await pid(peer)).not.toBe(first)
  })

  test('a running call is not idle', async () => {
    const gateway = await gatewayOf(stdioOf({ era }), {
      sessions: { idleTimeout: '50ms' },
      failureHandling: { healthCheckInterval: '20ms', healthCheckTimeout: '10ms' },
    })
    const peer = await legacy(gateway)
    expect(await ask(peer, 'slow', { steps: 1, delayMs: 400 })).toBe('slept 1 times')
  })

  test('the limit of connections: the idle one goes, a busy one is not taken away', async () => {
    const gateway = await gatewayOf(stdioOf({ era }), { sessions: { maxPerBackend: 1 } })
    const [one, two] = [await legacy(gateway), await legacy(gateway)]
    const first = await pid(one)
    const running = ask(one, 'slow', { steps: 1, delayMs: 500 })
    const refused = await two.call({ name: 'pid' })
    expect(refused).toMatchObject({ isError: true })
    expect(textOf(refused)).toMatch(/backend "fixture" is busy.*operational\.sessions\.maxPerBackend/)
    expect(await running).toBe('slept 1 times')
    expect(await pid(two)).not.toBe(first)
    await waitFor(() => !isAlive(first))
    expect(await count(two)).toBe(1)
  })
})

test('every process ends with the gateway', async () => {
  const before = new Set(descendants(process.pid))
  const gateway = await startGateway({ backends: [{ name: 'fixture', ...stdioOf({ grandchild: true }) }] })
  try {
    const peers = [await legacy(gateway), await legacy(gateway), await modern(gateway)]
    await Promise.all(peers.map(count))
    expect(descendants(process.pid).filter((child) => !before.has(child)).length).toBeGreaterThanOrEqual(6)
  } finally {
    await gateway.close()
  }
  // Those of sessions, too, which the door ended by itself.
  expect(descendants(process.pid).filter((child) => !before.has(child) && isAlive(child))).toEqual([])
})

describe('an HTTP backend that keeps sessions', () => {
  /** The upstream sessions that carried calls, in order of the calls. */
  const callers = ({ requests }: HttpBackend) =>
    requests.filter(({ method }) => method === 'tools/call').map(({ headers }) => headers['mcp-session-id'])

  test('gets one session per client session, opened at the first call, without capabilities', async () => {
    const backend = await httpOf({ era: 'legacy' })
    const gateway = await gatewayOf({ url: backend.url })
    const [one, two] = [await legacy(gateway), await legacy(gateway)]
    await one.client.listTools()
    expect(backend.sessions()).toBe(1)
    for (const peer of [one, one, two, one]) await ask(peer, 'echo', { text: 'x' })
    const [first, again, second, last] = callers(backend)
    expect([again, last]).toEqual([first, first])
    expect(second).not.toBe(first)
    expect(backend.sessions()).toBe(3)
    const opened = backend.requests.filter(({ method }) => method === 'initialize')
    expect(opened.map(({ body }) => paramsOf(body)['capabilities'])).toEqual([{}, {}, {}])
  })

  test('concurrent first calls of one session open one', async () => {
    const backend = await httpOf({ era: 'legacy' })
    const gateway = await gatewayOf({ url: backend.url })
    const peer = await legacy(gateway)
    await Promise.all(Array.from({ length: 8 }, () => ask(peer, 'echo', { text: 'x' })))
    expect(new Set(callers(backend)).size).toBe(1)
    expect(backend.sessions()).toBe(2)
  })

  test('modern callers share one session per principal', async () => {
    const backend = await httpOf({ era: 'legacy' })
    const gateway = await gatewayOf({ url: backend.url })
    for (const peer of [await modern(gateway), await modern(gateway)]) await ask(peer, 'echo', { text: 'x' })
    expect(new Set(callers(backend)).size).toBe(1)
    const session = await legacy(gateway)
    await ask(session, 'echo', { text: 'x' })
    expect(new Set(callers(backend)).size).toBe(2)
  })

  test('shared: one session for all', async () => {
    const backend = await httpOf({ era: 'legacy' })
    const gateway = await gatewayOf({ url: backend.url, sharing: 'shared' })
    for (const peer of [await legacy(gateway), await legacy(gateway), await modern(gateway)]) {
      await ask(peer, 'echo', { text: 'x' })
    }
    expect(new Set(callers(backend)).size).toBe(1)
    expect(backend.sessions()).toBe(1)
  })

  test('DELETE of the client ends the upstream session, and the call that runs on it', async () => {
    const backend = await httpOf({ era: 'legacy' })
    const gateway = await gatewayOf({ url: backend.url })
    const [one, two] = [await legacyWire(gateway.url), await legacy(gateway)]
    await one.request(1, 'tools/call', { name: 'echo', arguments: {} })
    await ask(two, 'echo', { text: 'x' })
    const [first, second] = callers(backend)
    backend.script.hang = ['tools/call']
    const running = one.request(2, 'tools/call', { name: 'echo', arguments: {} })
    await waitFor(() => callers(backend).length === 3)
    expect(await one.end()).toBe(200)
    expect((await running).response).toMatchObject({ id: 2, error: { code: -32603 } })
    await waitFor(() => backend.sessions() === 2)
    const deleted = backend.requests.filter(({ http }) => http === 'DELETE')
    expect(deleted.map(({ headers }) => headers['mcp-session-id'])).toEqual([first])
    expect((await one.request(3, 'tools/list')).status).toBe(404)
    backend.script.hang = []
    await ask(two, 'echo', { text: 'x' })
    expect(callers(backend).at(-1)).toBe(second)
  })

  test('idle sessions are ended upstream, the next call opens a new one', async () => {
    const backend = await httpOf({ era: 'legacy' })
    const gateway = await gatewayOf(
      { url: backend.url },
      {
        sessions: { idleTimeout: '100ms' },
        failureHandling: { healthCheckInterval: '40ms', healthCheckTimeout: '20ms' },
      },
    )
    const peer = await legacy(gateway)
    await ask(peer, 'echo', { text: 'x' })
    const [first] = callers(backend)
    await waitFor(() => backend.requests.some(({ http }) => http === 'DELETE'))
    expect(backend.sessions()).toBe(1)
    expect(await ask(peer, 'echo', { text: 'again' })).toBe('again')
    expect(callers(backend).at(-1)).not.toBe(first)
  })

  test('the limit of connections applies to sessions', async () => {
    const backend = await httpOf({ era: 'legacy' })
    const gateway = await gatewayOf({ url: backend.url }, { sessions: { maxPerBackend: 2 } })
    for (let n = 0; n < 5; n++) await ask(await legacy(gateway), 'echo', { text: 'x' })
    await waitFor(() => backend.sessions() === 3)
    expect(new Set(callers(backend)).size).toBe(5)
  })
})

test('an HTTP backend without sessions is shared', async () => {
  const backend = await httpOf({ era: 'legacy', sessions: false })
  const gateway = await gatewayOf({ url: backend.url })
  for (let n = 0; n < 3; n++) await ask(await legacy(gateway), 'echo', { text: 'x' })
  expect(backend.count('initialize')).toBe(1)
})

/** Tells the progress of its own caller only: every message names the caller. */
async function personal(_name: string, args: JsonObject, exchange: Exchange): Promise<JsonObject> {
  const text = args['text'] as string
  const meta = exchange.params['_meta']
  const token = isObject(meta) ? meta['progressToken'] : undefined
  for (let progress = 1; progress <= 3; progress++) {
    await pause(Math.random() * 10, exchange.signal)
    if (token !== undefined) {
      exchange.notify('notifications/progress', { progressToken: token, progress, message: text })
    }
  }
  return { content: [{ type: 'text', text }] }
}

type Caller = (params: JsonObject) => Promise<Reply>
const CALLERS: Record<Era, (url: string) => Promise<Caller>> = {
  legacy: async (url) => {
    const wire = await legacyWire(url)
    return (params) => wire.request(7, 'tools/call', params)
  },
  modern: async (url) => (params) => modernRequest(url, 7, 'tools/call', params),
}
const CLIENTS_AT_ONCE = 50
const PAIRS = (['legacy', 'modern'] as const).flatMap((client) =>
  (['legacy', 'modern'] as const).flatMap((era) =>
    (['perSession', 'shared'] as const).map((sharing) => ({ client, era, sharing })),
  ),
)

describe.each(PAIRS)(
  '50 $client clients with equal ids and tokens, $era backend, $sharing',
  ({ client, era, sharing }) => {
    test('over HTTP: each sees its own answer and progress', async () => {
      const backend = await httpOf({ era, call: personal })
      const { url } = await gatewayOf({ url: backend.url, sharing })
      const callers = await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, () => CALLERS[client](url)))
      const replies = await Promise.all(
        callers.map((call, n) =>
          call({ name: 'echo', arguments: { text: `client ${n}` }, _meta: { progressToken: 'same' } }),
        ),
      )
      for (const [n, { response, notifications }] of replies.entries()) {
        const text = `client ${n}`
        expect(response).toMatchObject({ id: 7, result: { content: [{ text }] } })
        expect(notifications.map(({ params }) => params)).toEqual(
          [1, 2, 3].map((progress) => ({ progressToken: 'same', progress, message: text })),
        )
      }
    })
  },
)

test.each([
  { client: 'legacy', era: 'legacy' },
  { client: 'legacy', era: 'modern' },
  { client: 'modern', era: 'legacy' },
  { client: 'modern', era: 'modern' },
] as const)('50 $client clients with equal ids and tokens on one $era process', async ({ client, era }) => {
  const { url } = await gatewayOf(stdioOf({ era }, { sharing: 'shared' }))
  const callers = await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, () => CALLERS[client](url)))
  const replies = await Promise.all(
    callers.map((call, n) =>
      call({ name: 'slow', arguments: { steps: n + 1, delayMs: 1 }, _meta: { progressToken: 0 } }),
    ),
  )
  for (const [n, { response, notifications }] of replies.entries()) {
    expect(response).toMatchObject({ id: 7, result: { content: [{ text: `slept ${n + 1} times` }] } })
    const steps = Array.from({ length: n + 1 }, (_, step) => step + 1)
    expect(notifications.map(({ params }) => params)).toEqual(
      steps.map((progress) => ({ progressToken: 0, progress, total: n + 1 })),
    )
  }
})

describe.each(['legacy', 'modern'] as const)('overlapping cancellation, %s backend', (era) => {
  const callIds = (backend: HttpBackend) =>
    backend.requests
      .filter(({ method }) => method === 'tools/call')
      .map(({ id, body }) => {
        const params = body?.['params'] as JsonObject
        return { id, text: (params['arguments'] as JsonObject)['text'] }
      })

  test('two sessions, one id: only the call of the session that cancels', async () => {
    const backend = await httpOf({ era })
    const { url } = await gatewayOf({ url: backend.url })
    backend.script.delayMs = 150
    const [one, two] = [await legacyWire(url), await legacyWire(url)]
    const first = one.request(0, 'tools/call', { name: 'echo', arguments: { text: 'one' } })
    const second = two.request(0, 'tools/call', { name: 'echo', arguments: { text: 'two' } })
    await waitFor(() => callIds(backend).length === 2)
    expect(await one.notify('notifications/cancelled', { requestId: 0 })).toBe(202)
    expect((await second).response).toMatchObject({ result: { content: [{ text: 'two' }] } })
    expect((await first).response ?? {}).not.toHaveProperty('result')
    expect(backend.cancelled).toEqual(
      callIds(backend)
        .filter(({ text }) => text === 'one')
        .map(({ id }) => id),
    )
  })

  test('one session, ids 1 and "1" and "": only the one that is named', async () => {
    const backend = await httpOf({ era })
    const { url } = await gatewayOf({ url: backend.url })
    backend.script.delayMs = 150
    const wire = await legacyWire(url)
    const ids = [1, '1', '']
    const calls = ids.map((id) =>
      wire.request(id, 'tools/call', { name: 'echo', arguments: { text: JSON.stringify(id) } }),
    )
    await waitFor(() => callIds(backend).length === 3)
    await wire.notify('notifications/cancelled', { requestId: '' })
    await wire.notify('notifications/cancelled', { requestId: '1' })
    await wire.notify('notifications/cancelled', { requestId: 'nobody' })
    await wire.notify('notifications/cancelled', {})
    expect((await calls[0])?.response).toMatchObject({ id: 1, result: { content: [{ text: '1' }] } })
    await Promise.all(calls)
    expect(backend.cancelled).toHaveLength(2)
    const kept = callIds(backend).find(({ text }) => text === '1')
    expect(backend.cancelled).not.toContain(kept?.id)
  })

  test('two modern calls with one id: closing a stream cancels that call', async () => {
    const backend = await httpOf({ era })
    const { url } = await gatewayOf({ url: backend.url })
    backend.script.delayMs = 150
    const abort = new AbortController()
    const first = modernRequest(url, 0, 'tools/call', { name: 'echo', arguments: { text: 'one' } }, abort.signal)
    const second = modernRequest(url, 0, 'tools/call', { name: 'echo', arguments: { text: 'two' } })
    await waitFor(() => callIds(backend).length === 2)
    abort.abort()
    await expect(first).rejects.toThrow()
    expect((await second).response).toMatchObject({ result: { content: [{ text: 'two' }] } })
    expect(backend.cancelled).toEqual(
      callIds(backend)
        .filter(({ text }) => text === 'one')
        .map(({ id }) => id),
    )
    expect(backend.count('notifications/cancelled')).toBe(era === 'legacy' ? 1 : 0)
  })

  test('a legacy client that disconnects has not cancelled', async () => {
    const backend = await httpOf({ era })
    const { url } = await gatewayOf({ url: backend.url })
    const { session } = await legacyWire(url)
    backend.script.delayMs = 100
    const abort = new AbortController()
    const call = fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': session,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'x' } },
      }),
      signal: abort.signal,
    })
    await waitFor(() => callIds(backend).length === 1)
    abort.abort()
    await expect(call).rejects.toThrow()
    await pause(200, new AbortController().signal)
    expect(backend.cancelled).toEqual([])
    expect(backend.abandoned).toEqual([])
  })
})

test('a backend of both eras: each caller is served in its own era, modern ones without a session', async () => {
  const backend = await httpOf({ era: 'both' })
  const gateway = await gatewayOf({ url: backend.url })
  const session = await legacy(gateway)
  const versions = () =>
    backend.requests
      .filter(({ method }) => method === 'tools/call')
      .map(({ headers }) => headers['mcp-protocol-version'])
  await ask(session, 'echo', { text: 'x' })
  // The first call goes where the server is known to listen; meanwhile the gateway learns of the other era.
  await waitFor(async () => {
    await ask(session, 'echo', { text: 'x' })
    return versions().at(-1) === '2025-11-25'
  })
  await ask(await modern(gateway), 'echo', { text: 'x' })
  expect(versions().at(-1)).toBe(MODERN)
})
