import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { textOf } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { ECHO_TOOL, META, pause } from '../support/script.ts'
import { legacyWire, modernRequest, resultOf } from '../support/wire.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const close of open.splice(0).reverse()) await close()
})

const tool = (name: string): JsonObject => ({ ...ECHO_TOOL, name })
const LISTS = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']
const ERAS = ['legacy', 'modern'] as const

/** Servers that have what they list without saying when it changes. */
async function backendOf(options: HttpBackendOptions): Promise<HttpBackend> {
  const offer = {
    tools: [tool('first')],
    prompts: [{ name: 'first' }],
    resources: [{ uri: 'x://first', name: 'first' }],
  }
  const capabilities = { tools: {}, prompts: {}, resources: {} }
  const templates = [{ uriTemplate: 'x://{first}', name: 'first' }]
  const backend = await startHttpBackend({ ...offer, templates, capabilities, ...options })
  open.push(() => backend.close())
  return backend
}

async function gatewayOf(...backends: HttpBackend[]): Promise<TestGateway> {
  const gateway = await startGateway({ backends: backends.map(({ url }, i) => ({ name: `b${i}`, url })) })
  open.push(() => gateway.close())
  await waitFor(() => gateway.gateway.current.backends.every(({ state }) => state.kind === 'ready'))
  return gateway
}

const list = async ({ url }: TestGateway, method = 'tools/list', capabilities: JsonObject = {}) =>
  resultOf(await modernRequest(url, 1, method, { _meta: { [META.capabilities]: capabilities } }))
const names = async (gateway: TestGateway) => ((await list(gateway))['tools'] as JsonObject[]).map(({ name }) => name)
const call = async ({ url }: TestGateway, name: string) =>
  (await modernRequest(url, 2, 'tools/call', { name, arguments: { text: 'hi' } })).response

/** Moves the clock by which lists get older. */
function later(ms: number): void {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms)
}

describe('what modern backends say of their lists', () => {
  test.each(LISTS)('%s: the stalest counts, as it is now, and one private list makes it private', async (method) => {
    const said = await backendOf({ era: 'modern', ttlMs: 3000, cacheScope: 'private' })
    const other = await backendOf({ era: 'modern', ttlMs: 60_000, cacheScope: 'public' })
    const silent = await backendOf({ era: 'legacy' })
    const all = await list(await gatewayOf(said, other, silent), method)
    expect(all['cacheScope']).toBe('private')
    expect(all['ttlMs']).toBeLessThanOrEqual(3000)
    expect(all['ttlMs']).toBeGreaterThan(0)
    expect(await list(await gatewayOf(other, silent), method)).toMatchObject({ ttlMs: 5000, cacheScope: 'public' })
  })

  test('what is announced does not get older', async () => {
    const said = await backendOf({ era: 'modern', ttlMs: 3000, cacheScope: 'public', capabilities: {} })
    const gateway = await gatewayOf(said)
    await waitFor(() => said.streams() > 0)
    later(4000)
    const asked = said.count('tools/list')
    expect(await list(gateway)).toMatchObject({ ttlMs: 3000, cacheScope: 'public' })
    expect(said.count('tools/list')).toBe(asked)
  })
})

describe.each(ERAS)('a %s backend changes without a word', (era) => {
  const options = { era, ttlMs: 30_000, cacheScope: 'public' } as const

  test('a list past its time is given at once, and asked for anew; who listens hears of what is new', async () => {
    const backend = await backendOf(options)
    const gateway = await gatewayOf(backend)
    // What is there at first would be told, too.
    await names(gateway)
    const wire = await legacyWire(gateway.url)
    open.push(() => wire.end())
    const { messages, close } = await wire.listen()
    open.push(close)
    backend.script.tools = [tool('first'), tool('second')]
    const before = backend.count('tools/list')
    expect(await names(gateway)).toEqual(['first'])
    expect(backend.count('tools/list')).toBe(before)
    later(60_000)
    await Promise.all([names(gateway), names(gateway), names(gateway)])
    await waitFor(async () => (await names(gateway)).length === 2)
    expect(backend.count('tools/list')).toBe(before + 1)
    await waitFor(() => messages.length > 0)
    expect(messages.map(({ method }) => method)).toEqual(['notifications/tools/list_changed'])
  })

  test('a refresh that finds nothing new tells nobody', async () => {
    const backend = await backendOf(options)
    const gateway = await gatewayOf(backend)
    await names(gateway)
    const { catalogue } = gateway.gateway.current.keeper
    const before = backend.count('tools/list')
    later(60_000)
    await names(gateway)
    await waitFor(() => backend.count('tools/list') > before)
    await pause(100, new AbortController().signal)
    expect(gateway.gateway.current.keeper.catalogue).toBe(catalogue)
  })

  test('a new tool can be called before any list; names that do not exist are looked for once a second', async () => {
    const backend = await backendOf(options)
    const gateway = await gatewayOf(backend)
    later(1000)
    backend.script.tools = [tool('first'), tool('second')]
    expect(textOf((await call(gateway, 'second'))?.['result'])).toBe('hi')
    const before = backend.count('tools/list')
    const refused = await Promise.all(['a', 'b', 'c', 'd'].map((name) => call(gateway, name)))
    expect(refused.map((answer) => answer?.['error'])).toMatchObject(
      ['a', 'b', 'c', 'd'].map((name) => ({ message: `Unknown tool: ${name}` })),
    )
    expect(backend.count('tools/list')).toBe(before)
  })

  test('one that hangs keeps no list waiting, and an unknown name not for long', async () => {
    const backend = await backendOf(options)
    const gateway = await gatewayOf(backend)
    await list(gateway, 'tools/list', { elicitation: {} })
    backend.script.hang = ['tools/list']
    later(60_000)
    const started = Date.now()
    for (let i = 0; i < 3; i++) {
      expect(await names(gateway)).toEqual(['first'])
      await list(gateway, 'tools/list', { elicitation: {} })
    }
    expect(Date.now() - started).toBeLessThan(1000)
    expect((await call(gateway, 'nothing'))?.['error']).toMatchObject({ message: 'Unknown tool: nothing' })
    expect(Date.now() - started).toBeLessThan(4000)
  })

  test('callers who can do more see what is new, too', async () => {
    const backend = await backendOf(options)
    const gateway = await gatewayOf(backend)
    const seen = async () => ((await list(gateway, 'tools/list', { elicitation: {} }))['tools'] as JsonObject[]).length
    expect(await seen()).toBe(1)
    backend.script.tools = [tool('first'), tool('second')]
    later(60_000)
    await waitFor(async () => (await seen()) === 2)
    await waitFor(() => gateway.gateway.current.backends.every(({ apart }) => apart.length === 0))
  })
})

test.each([true, false])(
  'a server that promises to tell is asked again only without a stream: %s',
  async (sessions) => {
    const backend = await backendOf({ era: 'legacy', capabilities: {}, sessions })
    const gateway = await gatewayOf(backend)
    await waitFor(() => !sessions || backend.streams() > 0)
    await pause(100, new AbortController().signal)
    const before = backend.count('tools/list')
    later(60_000)
    await names(gateway)
    await pause(200, new AbortController().signal)
    expect(backend.count('tools/list') - before).toBe(sessions ? 0 : 1)
  },
)

test('no process is started for a refresh: the one that a client has is asked', async () => {
  const args = [STDIO_BACKEND, JSON.stringify({ era: 'legacy', capabilities: { tools: {} } })]
  const gateway = await startGateway({ backends: [{ name: 'fixture', command: process.execPath, args }] })
  open.push(() => gateway.close())
  const pid = async () => textOf((await call(gateway, 'pid'))?.['result'])
  const mine = await pid()
  later(60_000)
  await list(gateway)
  await pause(300, new AbortController().signal)
  expect(await pid()).toBe(mine)
  const { backends } = gateway.gateway.current
  expect(backends.every(({ apart }) => apart.length === 0)).toBe(true)
})
