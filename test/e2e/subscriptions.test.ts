import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterEach, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { connectHttp, connectStdio, textOf, type ClientKind, type Peer } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { isAlive, waitFor } from '../support/processes.ts'
import { ECHO_TOOL, META, UPDATED, pause } from '../support/script.ts'
import { legacyWire, modernListen, modernRequest, paramsOf } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const ONE = 'fixture://one'
const TWO = 'fixture://two'
const OFFER = {
  tools: [ECHO_TOOL],
  resources: [ONE, TWO].map((uri) => ({ uri, name: uri.slice(-3) })),
  templates: [{ uriTemplate: 'fixture://many/{id}', name: 'many' }],
  subscribable: true,
} satisfies HttpBackendOptions

const KINDS: ClientKind[] = ['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern']
const ERAS = ['legacy', 'modern'] as const

/** Long enough for a notification that should not come. */
const quiet = () => pause(150, new AbortController().signal)

/** Subscribes by the means of the client's era; the returned function ends it. */
async function subscribe(
  { era, client }: Peer,
  ...uris: string[]
): Promise<{ end: () => Promise<void>; got: string[] }> {
  if (era === 'modern') {
    const subscription = await client.listen({ resourceSubscriptions: uris })
    return { end: () => subscription.close(), got: subscription.honoredFilter.resourceSubscriptions ?? [] }
  }
  for (const uri of uris) await client.subscribeResource({ uri })
  const end = async () => {
    for (const uri of uris) await client.unsubscribeResource({ uri })
  }
  return { end, got: uris }
}

/** What the client was told of, oldest first. */
const told = ({ received }: Peer) =>
  received.filter(({ method }) => method === UPDATED).map((message) => paramsOf(message)['uri'])

async function backendOf(options: HttpBackendOptions): Promise<HttpBackend> {
  const backend = await startHttpBackend({ ...OFFER, ...options })
  open.push(() => backend.close())
  return backend
}

async function gatewayOf(config: JsonObject): Promise<TestGateway> {
  const gateway = await startGateway(config)
  open.push(() => gateway.close())
  return gateway
}

async function peerOf({ url }: TestGateway, kind: ClientKind = 'SDK v1, legacy'): Promise<Peer> {
  const peer = await connectHttp(kind, url)
  open.push(() => peer.close())
  return peer
}

/** A client behind a door of its own, standard input and output or HTTP. */
async function behind(door: 'http' | 'stdio', kind: ClientKind, config: JsonObject): Promise<Peer> {
  if (door === 'http') return peerOf(await gatewayOf(config), kind)
  const folder = await mkdtemp(join(tmpdir(), 'vmcp-subscriptions-'))
  open.push(() => rm(folder, { recursive: true }))
  const file = join(folder, 'vmcp.yaml')
  await writeFile(file, JSON.stringify(config))
  const peer = await connectStdio(kind, [MAIN, 'serve', file, '--transport', 'stdio'])
  open.push(() => peer.close())
  return peer
}

/** A scripted server and how a test has it announce something. */
interface Source {
  config: JsonObject
  update: (peer: Peer, uri: string) => Promise<unknown>
  followed: (peer: Peer, uri: string) => Promise<boolean>
}

async function httpSource(era: (typeof ERAS)[number]): Promise<Source> {
  const backend = await backendOf({ era })
  return {
    config: { backends: [{ name: 'fixture', url: backend.url }] },
    update: async (_peer, uri) => backend.update(uri),
    followed: async (_peer, uri) => backend.followers(uri) > 0,
  }
}

async function stdioSource(era: (typeof ERAS)[number]): Promise<Source> {
  const { resources, subscribable } = OFFER
  const args = [STDIO_BACKEND, JSON.stringify({ era, resources, subscribable })]
  return {
    config: { backends: [{ name: 'fixture', command: process.execPath, args }] },
    update: (peer, uri) => peer.call({ name: 'update', arguments: { uri } }),
    followed: async (peer, uri) => textOf(await peer.call({ name: 'followed', arguments: { uri } })) === 'true',
  }
}

describe.each(KINDS)('%s', (kind) => {
  describe.each(['http', 'stdio'] as const)('over %s', (door) => {
    test.each([
      ['legacy', 'HTTP', httpSource],
      ['modern', 'HTTP', httpSource],
      ['legacy', 'stdio', stdioSource],
      ['modern', 'stdio', stdioSource],
    ] as const)('a %s backend over %s: changes of what was subscribed to, until it ends', async (era, _over, make) => {
      const { config, update, followed } = await make(era)
      const peer = await behind(door, kind, config)
      expect(peer.client.getServerCapabilities()?.resources).toMatchObject({ subscribe: true })
      const { end, got } = await subscribe(peer, ONE)
      expect(got).toEqual([ONE])
      await update(peer, TWO)
      await update(peer, ONE)
      await waitFor(() => told(peer).length > 0)
      await quiet()
      expect(told(peer)).toEqual([ONE])
      await end()
      await waitFor(async () => !(await followed(peer, ONE)))
      await update(peer, ONE)
      await quiet()
      expect(told(peer)).toEqual([ONE])
    })
  })
})

describe.each(ERAS)('a %s backend', (era) => {
  test('several clients of one connection share a subscription, which ends with the last', async () => {
    const backend = await backendOf({ era })
    const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url, sharing: 'shared' }] })
    const [one, two, three] = [await peerOf(gateway), await peerOf(gateway), await peerOf(gateway, 'SDK v2, modern')]
    await subscribe(one, ONE)
    await subscribe(two, ONE)
    await subscribe(two, ONE)
    const { end } = await subscribe(three, ONE)
    expect(backend.followers(ONE)).toBe(1)
    if (era === 'legacy') expect(backend.count('resources/subscribe')).toBe(1)
    backend.update(ONE)
    for (const peer of [one, two, three]) await waitFor(() => told(peer).length > 0)
    await one.terminate()
    await end()
    backend.update(ONE)
    await waitFor(() => told(two).length === 2)
    expect([one, two, three].map((peer) => told(peer).length)).toEqual([1, 2, 1])
    expect(backend.followers(ONE)).toBe(1)
    await two.terminate()
    await waitFor(() => backend.followers(ONE) === 0)
  })

  test('each client hears of what it subscribed to, and of what lies below', async () => {
    const backend = await backendOf({ era })
    const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
    const [one, two, three] = [await peerOf(gateway), await peerOf(gateway), await peerOf(gateway, 'SDK v2, modern')]
    await subscribe(one, ONE, 'fixture://many/7')
    await subscribe(two, TWO)
    await subscribe(three, TWO)
    backend.update(ONE)
    backend.update(`${TWO}/below`, TWO)
    backend.update('fixture://many/7')
    await waitFor(() => told(one).length === 2 && told(two).length > 0 && told(three).length > 0)
    await quiet()
    expect(new Set(told(one))).toEqual(new Set(['fixture://many/7', ONE]))
    expect(told(two)).toEqual([`${TWO}/below`])
    expect(told(three)).toEqual([`${TWO}/below`])
  })

  test.each(['SDK v1, legacy', 'SDK v2, modern'] as const)(
    'after a restart every subscription of %s stands anew, and is announced',
    async (kind) => {
      const backend = await backendOf({ era })
      const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
      const peer = await peerOf(gateway, kind)
      await subscribe(peer, ONE, TWO)
      await backend.stop()
      await quiet()
      expect(told(peer)).toEqual([])
      await backend.start()
      await waitFor(() => new Set(told(peer)).size === 2, 15_000)
      expect(backend.followers(ONE)).toBe(1)
      const before = told(peer).length
      backend.update(TWO)
      await waitFor(() => told(peer).length > before)
      expect(told(peer).at(-1)).toBe(TWO)
    },
  )

  test('a stream that breaks off is announced', async () => {
    const backend = await backendOf({ era })
    const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
    const peer = await peerOf(gateway)
    await subscribe(peer, ONE)
    backend.killConnections()
    await waitFor(() => told(peer).includes(ONE))
    backend.update(ONE)
    await waitFor(() => told(peer).length > 1)
  })

  test('a process that dies is replaced, with its subscriptions', async () => {
    const { config, update } = await stdioSource(era)
    const peer = await peerOf(await gatewayOf(config))
    await subscribe(peer, ONE)
    const pid = Number(textOf(await peer.call({ name: 'pid' })))
    process.kill(pid, 'SIGKILL')
    await waitFor(() => !isAlive(pid) && told(peer).length > 0)
    expect(told(peer)).toEqual([ONE])
    expect(Number(textOf(await peer.call({ name: 'pid' })))).not.toBe(pid)
    await update(peer, ONE)
    await waitFor(() => told(peer).length === 2)
  })

  test('unknown resources, and servers that take no subscriptions', async () => {
    const backend = await backendOf({ era })
    const mute = await backendOf({ era, subscribable: false, resources: [{ uri: 'mute://one', name: 'one' }] })
    const gateway = await gatewayOf({
      backends: [
        { name: 'fixture', url: backend.url },
        { name: 'mute', url: mute.url },
      ],
    })
    const legacy = await peerOf(gateway)
    await expect(legacy.client.subscribeResource({ uri: 'nowhere://1' })).rejects.toMatchObject({ code: -32002 })
    await expect(legacy.client.subscribeResource({ uri: 'mute://one' })).rejects.toMatchObject({ code: -32601 })
    await legacy.client.unsubscribeResource({ uri: 'nowhere://1' })
    await legacy.client.subscribeResource({ uri: ONE })

    const modern = await peerOf(gateway, 'SDK v2, modern')
    const { got } = await subscribe(modern, 'nowhere://1', ONE, 'mute://one', ONE)
    expect(got).toEqual([ONE])
    expect(mute.count('resources/subscribe')).toBe(0)
  })

  test('a reload leaves what is unchanged alone, and announces what has moved', async () => {
    const [first, second] = [await backendOf({ era }), await backendOf({ era })]
    const gateway = await gatewayOf({ backends: [{ name: 'first', url: first.url }] })
    const peers = [await peerOf(gateway), await peerOf(gateway, 'SDK v2, modern')]
    for (const peer of peers) await subscribe(peer, ONE)
    const before = first.count('resources/subscribe') + first.count('subscriptions/listen')

    await gateway.reload({ backends: [{ name: 'first', url: first.url }], aggregation: { onlyOnConflict: true } })
    await quiet()
    expect(peers.flatMap(told)).toEqual([])
    expect(first.count('resources/subscribe') + first.count('subscriptions/listen')).toBe(before)
    first.update(ONE)
    for (const peer of peers) await waitFor(() => told(peer).length === 1)

    await gateway.reload({ backends: [{ name: 'second', url: second.url }] })
    for (const peer of peers) await waitFor(() => told(peer).length === 2)
    await waitFor(() => first.followers(ONE) === 0)
    second.update(ONE)
    for (const peer of peers) await waitFor(() => told(peer).length === 3)
    expect(peers.flatMap(told).every((uri) => uri === ONE)).toBe(true)
  })

  test('what a reload takes away is followed again when it comes back', async () => {
    const [backend, other] = [await backendOf({ era }), await backendOf({ era, resources: [] })]
    const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
    const peer = await peerOf(gateway)
    await subscribe(peer, ONE)
    await gateway.reload({ backends: [{ name: 'other', url: other.url }] })
    await waitFor(() => backend.followers(ONE) === 0)
    await gateway.reload({ backends: [{ name: 'fixture', url: backend.url }] })
    await waitFor(() => told(peer).length > 0)
    backend.update(ONE)
    await waitFor(() => told(peer).length > 1)
    await peer.client.unsubscribeResource({ uri: ONE })
    await waitFor(() => backend.followers(ONE) === 0)
  })
})

test('a connection over which something is followed makes no room for another client', async () => {
  const { config } = await stdioSource('legacy')
  const gateway = await gatewayOf({ ...config, operational: { sessions: { maxPerBackend: 1 } } })
  const [one, two] = [await peerOf(gateway), await peerOf(gateway)]
  const { end } = await subscribe(one, ONE)
  expect(textOf(await two.call({ name: 'pid' }))).toMatch(/maxPerBackend/)
  await end()
  await waitFor(async () => /^\d+$/.test(textOf(await two.call({ name: 'pid' }))))
})

test('messages of a listen stream carry its id, and nothing of the hop behind', async () => {
  const backend = await backendOf({ era: 'modern' })
  const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
  const { messages, close } = await modernListen(gateway.url, 'mine', { resourceSubscriptions: [ONE, TWO] })
  open.push(close)
  await waitFor(() => messages.length > 0)
  expect(paramsOf(messages[0])).toMatchObject({
    notifications: { resourceSubscriptions: [ONE, TWO] },
    _meta: { [META.subscription]: 'mine' },
  })
  backend.update(TWO)
  await waitFor(() => messages.length > 1)
  expect(messages[1]).toMatchObject({ method: UPDATED, params: { uri: TWO, _meta: { [META.subscription]: 'mine' } } })
  close()
  await waitFor(() => backend.followers(ONE) + backend.followers(TWO) === 0)
})

test('a client without a stream is told once it opens one, once for each resource', async () => {
  const backend = await backendOf({ era: 'legacy' })
  const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
  const wire = await legacyWire(gateway.url)
  open.push(() => wire.end())
  expect((await wire.request(1, 'resources/subscribe', { uri: ONE })).response).toMatchObject({ result: {} })
  for (let each = 0; each < 100; each++) backend.update(ONE)
  await quiet()
  const { messages, close } = await wire.listen()
  open.push(close)
  const updates = () => messages.filter(({ method }) => method === UPDATED)
  await waitFor(() => updates().length > 0)
  await quiet()
  expect(updates()).toMatchObject([{ params: { uri: ONE } }])
  expect((await wire.request(2, 'resources/subscribe', { uri: 7 })).response).toMatchObject({ error: { code: -32602 } })
})

test('hostile filters of a listen stream', async () => {
  const backend = await backendOf({})
  const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
  for (const resourceSubscriptions of ['fixture://one', [7], { 0: ONE }, null]) {
    const params = { notifications: { resourceSubscriptions } as JsonObject }
    const { response } = await modernRequest(gateway.url, 1, 'subscriptions/listen', params)
    expect(response).toMatchObject({ error: { code: -32602 } })
  }
  const many = Array.from({ length: 1200 }, (_, each) => `fixture://many/${each}`)
  const { messages, close } = await modernListen(gateway.url, 1, { resourceSubscriptions: many })
  open.push(close)
  await waitFor(() => messages.length > 0)
  const accepted = paramsOf(messages[0])['notifications'] as JsonObject
  expect(accepted['resourceSubscriptions']).toHaveLength(1000)
})

test.each(KINDS)('server-everything behind the gateway, %s', async (kind) => {
  const main = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js')
  const gateway = await gatewayOf({
    backends: [{ name: 'everything', command: process.execPath, args: [main, 'stdio'] }],
  })
  const peer = await peerOf(gateway, kind)
  const uri = 'demo://resource/dynamic/text/1'
  const { got } = await subscribe(peer, uri)
  expect(got).toEqual([uri])
  await peer.call({ name: 'toggle-subscriber-updates' })
  await waitFor(() => told(peer).includes(uri))
})
