import { fileURLToPath } from 'node:url'

import { afterEach, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { connectHttp, onListChanged, textOf, type ClientKind } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { isAlive, waitFor } from '../support/processes.ts'
import { ECHO_TOOL, META, pause, type ChangeKind } from '../support/script.ts'
import { legacyWire, modernListen, modernRequest, paramsOf, resultOf, type LegacyWire } from '../support/wire.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const tool = (name: string): JsonObject => ({ ...ECHO_TOOL, name })
const OFFER = {
  tools: [tool('first')],
  prompts: [{ name: 'first' }],
  resources: [{ uri: 'fixture://first', name: 'first' }],
} satisfies HttpBackendOptions

/** What each kind of list becomes, and how a client sees it. */
const CHANGED: { kind: ChangeKind; entries: JsonObject[]; notice: string; filter: string }[] = [
  {
    kind: 'tools',
    entries: [tool('first'), tool('second')],
    notice: 'notifications/tools/list_changed',
    filter: 'toolsListChanged',
  },
  {
    kind: 'prompts',
    entries: [{ name: 'second' }],
    notice: 'notifications/prompts/list_changed',
    filter: 'promptsListChanged',
  },
  {
    kind: 'resources',
    entries: [],
    notice: 'notifications/resources/list_changed',
    filter: 'resourcesListChanged',
  },
]

async function backendOf(options: HttpBackendOptions): Promise<HttpBackend> {
  const backend = await startHttpBackend({ ...OFFER, ...options })
  open.push(() => backend.close())
  return backend
}

/** A gateway that has listed the backend and listens to it. */
async function gatewayOf(backend: HttpBackend, operational: JsonObject = {}): Promise<TestGateway> {
  const gateway = await startGateway({ backends: [{ name: 'fixture', url: backend.url }], operational })
  open.push(() => gateway.close())
  await listed(gateway, ['first'])
  await waitFor(() => backend.streams() > 0)
  return gateway
}

/** Waits until the gateway's catalogue shows exactly these tools. */
async function listed({ gateway }: TestGateway, names: string[]): Promise<void> {
  const now = () =>
    [...gateway.current.keeper.catalogue.tools.values()]
      .filter(({ visibility }) => visibility === 'listed')
      .map(({ shown }) => shown)
  await waitFor(() => JSON.stringify(now()) === JSON.stringify(names), 10_000, `the list ${names.join()}`)
}

async function wireOf({ url }: TestGateway): Promise<LegacyWire> {
  const wire = await legacyWire(url)
  open.push(() => wire.end())
  return wire
}

async function streamOf(wire: LegacyWire): Promise<JsonObject[]> {
  const { messages, close } = await wire.listen()
  open.push(close)
  return messages
}

async function listenOf({ url }: TestGateway, id: string | number, filter: JsonObject): Promise<JsonObject[]> {
  const { messages, close } = await modernListen(url, id, filter)
  open.push(close)
  await waitFor(() => messages.length > 0)
  return messages
}

const methods = (messages: readonly JsonObject[]) => messages.map(({ method }) => method)
/** Long enough for a notification that should not come. */
const quiet = () => pause(150, new AbortController().signal)

async function entriesFor(wire: LegacyWire, kind: ChangeKind): Promise<unknown> {
  return resultOf(await wire.request('list', `${kind}/list`))[kind]
}

describe.each(['legacy', 'modern', 'both'] as const)('a %s backend changes a list', (era) => {
  test.each(CHANGED)('$kind: everybody who listens hears of it once, and sees the new list', async (change) => {
    const { kind, entries, notice, filter } = change
    const backend = await backendOf({ era })
    const gateway = await gatewayOf(backend)
    const wire = await wireOf(gateway)
    const [stream, wanted, unwanted] = [
      await streamOf(wire),
      await listenOf(gateway, 'sub-1', { [filter]: true }),
      await listenOf(
        gateway,
        0,
        Object.fromEntries(CHANGED.map((other) => [other.filter, other.filter !== filter])) as JsonObject,
      ),
    ]
    backend.change(kind, entries)
    await waitFor(() => stream.length > 0 && wanted.length > 1)
    // The list is new by the time that its change is announced.
    expect(await entriesFor(wire, kind)).toEqual(entries)
    expect(resultOf(await modernRequest(gateway.url, 1, `${kind}/list`))[kind]).toEqual(entries)
    await quiet()
    expect(methods(stream)).toEqual([notice])
    expect(methods(wanted)).toEqual(['notifications/subscriptions/acknowledged', notice])
    expect(methods(unwanted)).toEqual(['notifications/subscriptions/acknowledged'])
    expect(wanted.map((message) => (paramsOf(message)['_meta'] as JsonObject)[META.subscription])).toEqual([
      'sub-1',
      'sub-1',
    ])
    expect(paramsOf(wanted[0])['notifications']).toEqual({ [filter]: true })
  })

  test('an announcement that changes nothing is not passed on', async () => {
    const backend = await backendOf({ era })
    const gateway = await gatewayOf(backend)
    const stream = await streamOf(await wireOf(gateway))
    const before = backend.count('tools/list')
    backend.change('tools', OFFER.tools)
    await waitFor(() => backend.count('tools/list') > before)
    await quiet()
    expect(stream).toEqual([])
  })

  test('every session hears of it, one without a stream when it opens one', async () => {
    const backend = await backendOf({ era })
    const gateway = await gatewayOf(backend)
    const [one, two, late] = [await wireOf(gateway), await wireOf(gateway), await wireOf(gateway)]
    const streams = [await streamOf(one), await streamOf(two)]
    backend.change('tools', [tool('first'), tool('second')])
    await waitFor(() => streams.every((stream) => stream.length === 1))
    backend.change('prompts', [])
    await waitFor(() => streams.every((stream) => stream.length === 2))
    const missed = await streamOf(late)
    await waitFor(() => missed.length === 2)
    expect(methods(missed)).toEqual(['notifications/tools/list_changed', 'notifications/prompts/list_changed'])
    await quiet()
    expect([missed.length, ...streams.map(({ length }) => length)]).toEqual([2, 2, 2])
  })

  test('a change that is announced while the backend is being listed is not lost', async () => {
    const backend = await backendOf({ era })
    const gateway = await gatewayOf(backend)
    backend.script.delayMs = 150
    const before = backend.count('tools/list')
    backend.change('tools', [tool('first'), tool('second')])
    await waitFor(() => backend.count('tools/list') > before)
    backend.change('tools', [tool('first'), tool('third')])
    await listed(gateway, ['first', 'third'])
  })
})

const SDKS: ClientKind[] = ['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern']

test.each(SDKS)('%s hears of it and calls what is new', async (kind) => {
  const backend = await backendOf({ era: 'both' })
  const gateway = await gatewayOf(backend)
  const changed: string[] = []
  const peer = await connectHttp(kind, gateway.url, (client) => onListChanged(client, (list) => changed.push(list)))
  open.push(() => peer.close())
  if (peer.era === 'modern') {
    const subscription = await peer.client.listen({ toolsListChanged: true })
    open.push(() => subscription.close())
  } else await quiet()
  backend.change('tools', [tool('first'), tool('second')])
  await waitFor(() => changed.length > 0)
  expect(changed).toEqual(['tools'])
  expect(textOf(await peer.call({ name: 'second', arguments: { text: 'new' } }))).toBe('new')
})

describe.each(['legacy', 'modern'] as const)('a %s backend goes away and comes back', (era) => {
  test('over HTTP: its entries leave and return, and everybody hears of both', async () => {
    const backend = await backendOf({ era })
    const gateway = await gatewayOf(backend, {
      failureHandling: { healthCheckInterval: '100ms', healthCheckTimeout: '50ms', unhealthyThreshold: 1 },
    })
    const wire = await wireOf(gateway)
    const stream = await streamOf(wire)
    const listening = await listenOf(gateway, 1, { toolsListChanged: true, promptsListChanged: true })
    await backend.stop()
    await listed(gateway, [])
    await waitFor(() => stream.length === 3 && listening.length === 3)
    expect(methods(stream)).toEqual(CHANGED.map(({ notice }) => notice))
    expect(await entriesFor(wire, 'tools')).toEqual([])
    expect(await entriesFor(wire, 'prompts')).toEqual([])
    // Its entries stay routable: the caller is told what is wrong.
    const refused = resultOf(await wire.request(1, 'tools/call', { name: 'first', arguments: {} }))
    expect(refused).toMatchObject({ isError: true })
    expect(textOf(refused)).toMatch(/backend "fixture" cannot be reached/)
    await backend.start()
    await listed(gateway, ['first'])
    await waitFor(() => stream.length === 6 && listening.length === 5)
    expect(await entriesFor(wire, 'tools')).toEqual(OFFER.tools)
    const again = await wire.request(2, 'tools/call', { name: 'first', arguments: { text: 'back' } })
    expect(textOf(resultOf(again))).toBe('back')
  })

  test('over stdio: a crash is healed, and the session goes on', async () => {
    const args = [STDIO_BACKEND, JSON.stringify({ era })]
    const gateway = await startGateway({ backends: [{ name: 'fixture', command: process.execPath, args }] })
    open.push(() => gateway.close())
    const wire = await wireOf(gateway)
    const call = async (name: string) =>
      textOf(resultOf(await wire.request(name, 'tools/call', { name, arguments: {} })))
    expect((await entriesFor(wire, 'tools')) as JsonObject[]).not.toEqual([])
    const pid = Number(await call('pid'))
    expect(await call('crash')).toMatch(/backend "fixture" cannot be reached: the process exited with code 3/)
    await waitFor(() => !isAlive(pid))
    await waitFor(async () => ((await entriesFor(wire, 'tools')) as JsonObject[]).length > 0)
    expect(await call('counter')).toBe('1')
  })
})

test.each(['legacy', 'modern'] as const)('a shared %s process announces a new tool', async (era) => {
  const args = [STDIO_BACKEND, JSON.stringify({ era })]
  const gateway = await startGateway({
    backends: [{ name: 'fixture', command: process.execPath, args, sharing: 'shared' }],
  })
  open.push(() => gateway.close())
  await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.size > 0)
  const wire = await wireOf(gateway)
  const stream = await streamOf(wire)
  await wire.request(1, 'tools/call', { name: 'change', arguments: {} })
  await waitFor(() => methods(stream).includes('notifications/tools/list_changed'))
  expect(textOf(resultOf(await wire.request(2, 'tools/call', { name: 'late', arguments: { text: 'x' } })))).toBe('x')
})

test('a modern subscription ends with an empty result when the gateway stops', async () => {
  const backend = await backendOf({ era: 'modern' })
  const gateway = await startGateway({ backends: [{ name: 'fixture', url: backend.url }] })
  let messages: JsonObject[] = []
  try {
    messages = await listenOf(gateway, 'last', { toolsListChanged: true })
  } finally {
    await gateway.close()
  }
  await waitFor(() => messages.length > 1)
  expect(messages.at(-1)).toMatchObject({ id: 'last', result: { resultType: 'complete' } })
})

test('a reload tells of what it changed', async () => {
  const [one, two] = [await backendOf({ era: 'both' }), await backendOf({ era: 'both', tools: [tool('other')] })]
  const gateway = await gatewayOf(one)
  const stream = await streamOf(await wireOf(gateway))
  await gateway.reload({
    backends: [
      { name: 'fixture', url: one.url },
      { name: 'second', url: two.url },
    ],
  })
  await listed(gateway, ['fixture_first', 'second_other'])
  await waitFor(() => methods(stream).includes('notifications/tools/list_changed'))
  // Nothing was restarted for it.
  expect(one.count('initialize') + one.count('server/discover')).toBe(1)
})
