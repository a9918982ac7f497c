import { fileURLToPath } from 'node:url'

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import type { Era } from '../../src/model/backend.ts'
import { isObject, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { connectHttp, connectStdio, textOf, type ClientKind, type Peer } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { ECHO_TOOL, META, MIRROR_TOOL, MODERN } from '../support/script.ts'
import { legacyWire, modernRequest, resultOf, type Reply } from '../support/wire.ts'

/**
 * What may differ between a result through the gateway and the same result from the backend: members that only one
 * era has, and the identities of the hop. Everything else is deep-equal.
 */
const DOCUMENTED = {
  result: ['resultType', 'ttlMs', 'cacheScope'],
  meta: [META.serverInfo, 'vmcp/serverInfo'],
} as const

function comparable(result: JsonObject): JsonObject {
  const { _meta, ...rest } = result
  for (const key of DOCUMENTED.result) delete rest[key]
  const meta = isObject(_meta) ? { ..._meta } : {}
  for (const key of DOCUMENTED.meta) delete meta[key]
  return Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest
}

const tool = (name: string, more: JsonObject = {}): JsonObject => ({ name, inputSchema: { type: 'object' }, ...more })

const RESULTS: Record<string, JsonObject> = {
  plain: { content: [{ type: 'text', text: 'ünïcode \u2028 "quoted"' }] },
  refused: {
    content: [{ type: 'text', text: 'no such file' }],
    isError: true,
    _meta: { 'acme/trace': { hops: [1, null] } },
  },
  structured: {
    content: [{ type: 'text', text: '{}' }],
    structuredContent: { count: 3, nested: { list: [1.5, null, ''] } },
  },
  unknown: {
    content: [
      { type: 'text', text: 'a', annotations: { audience: ['user'], priority: 0 }, _meta: { 'acme/block': true } },
      { type: 'image', data: 'AAAA', mimeType: 'image/png' },
      { type: 'resource_link', uri: 'fixture://one', name: 'one', 'acme-size': 3 },
      { type: 'resource', resource: { uri: 'fixture://two', text: 'inside', _meta: { 'acme/etag': 'x' } } },
    ],
    'acme-member': { kept: [true] },
    _meta: { 'acme/cost': 0, progressToken: 'mine' },
  },
}

/** A result that only modern servers may give. */
const LIST_RESULT: JsonObject = { content: [], structuredContent: [1, 'two', { three: 3 }] }

const OFFER = {
  instructions: 'ask nicely',
  tools: [
    ECHO_TOOL,
    MIRROR_TOOL,
    tool('slow'),
    tool('cancelled'),
    tool('list'),
    tool('plain', { title: 'Plain', icons: [{ src: 'data:image/png;base64,AAAA' }], 'acme-member': { kept: 1 } }),
    tool('refused', { annotations: { readOnlyHint: true, title: 'x' }, _meta: { 'acme/tool': [1] } }),
    tool('structured', { outputSchema: { type: 'object', properties: { count: { type: 'integer' } } } }),
    tool('unknown', { description: '' }),
  ],
  prompts: [{ name: 'greet', arguments: [{ name: 'who', required: true }], 'acme-member': 1 }, { name: 'bye' }],
  resources: [
    { uri: 'fixture://one', name: 'one', mimeType: 'text/plain', _meta: { 'acme/etag': 'y' } },
    { uri: 'fixture://two', name: 'two', size: 12 },
    { uri: 'fixture://three', name: 'three' },
  ],
  templates: [
    { uriTemplate: 'fixture://items/{id}', name: 'items', description: 'by number' },
    { uriTemplate: 'other://{+path}', name: 'paths' },
  ],
  completions: ['alpha', 'alps', 'beta'],
  results: { ...RESULTS, list: LIST_RESULT },
  pageSize: 2,
  emptyCursor: true,
} satisfies Parameters<typeof startHttpBackend>[0]

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

type BackendEra = Era | 'both'
type Wire = 'http json' | 'http sse' | 'stdio'

/** One gateway with one backend, a client of the gateway, and a client of the backend to compare with. */
interface Cell {
  through: Peer
  direct: Peer
  /** Over stdio there is nothing to look into from here. */
  backend: HttpBackend | undefined
}

const open: (() => unknown)[] = []
const closeAll = async () => {
  for (const close of open.splice(0).reverse()) await close()
}

async function gatewayOf(config: JsonObject): Promise<TestGateway> {
  const gateway = await startGateway(config)
  open.push(() => gateway.close())
  return gateway
}

/** Instructions are those of the backends that have been listed when a client connects. */
const listed = ({ gateway }: TestGateway) => waitFor(() => gateway.current.keeper.catalogue.instructions)

async function httpBackend(options: Parameters<typeof startHttpBackend>[0]): Promise<HttpBackend> {
  const backend = await startHttpBackend(options)
  open.push(() => backend.close())
  return backend
}

function kept(peer: Peer): Peer {
  open.push(() => peer.close())
  return peer
}

/** A client of the client's own era where the backend speaks it, else of the era that it speaks. */
function directKind(client: ClientKind, era: BackendEra): ClientKind {
  if (era === 'both') return client === 'SDK v2, auto' ? 'SDK v2, modern' : client
  return era === 'modern' ? 'SDK v2, modern' : 'SDK v1, legacy'
}

async function startCell(kind: ClientKind, era: BackendEra, wire: Wire): Promise<Cell> {
  if (wire === 'stdio') {
    const args = [STDIO_BACKEND, JSON.stringify({ ...OFFER, era })]
    const gateway = await gatewayOf({ backends: [{ name: 'fixture', command: process.execPath, args }] })
    await listed(gateway)
    const direct = kept(await connectStdio(directKind(kind, era), args))
    return { through: kept(await connectHttp(kind, gateway.url)), direct, backend: undefined }
  }
  const backend = await httpBackend({ ...OFFER, era, answer: wire === 'http sse' ? 'sse' : 'json' })
  const gateway = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
  await listed(gateway)
  const direct = kept(await connectHttp(directKind(kind, era), backend.url))
  return { through: kept(await connectHttp(kind, gateway.url)), direct, backend }
}

const LISTS = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
} as const

const LISTING = {
  'tools/list': (client, params) => client.listTools(params),
  'prompts/list': (client, params) => client.listPrompts(params),
  'resources/list': (client, params) => client.listResources(params),
  'resources/templates/list': (client, params) => client.listResourceTemplates(params),
} as const satisfies Record<
  keyof typeof LISTS,
  (client: Peer['client'], params: { cursor?: string }) => Promise<unknown>
>

/** The entries of every page of a list, as written on the wire. */
async function wholeList(peer: Peer, method: keyof typeof LISTS): Promise<JsonValue[]> {
  const entries: JsonValue[] = []
  let cursor: string | undefined
  do {
    // SDK v2 follows cursors by itself.
    const pages = await peer.raws((client) => LISTING[method](client, cursor === undefined ? {} : { cursor }))
    for (const page of pages) entries.push(...(page[LISTS[method]] as JsonValue[]))
    cursor = pages.at(-1)?.['nextCursor'] as string | undefined
  } while (cursor !== undefined)
  return entries
}

async function sameOf(cell: Cell, run: Parameters<Peer['raw']>[0]): Promise<JsonObject> {
  const through = await cell.through.raw(run)
  expect(comparable(through)).toEqual(comparable(await cell.direct.raw(run)))
  return through
}

/** The arguments-free call of a tool, for `raw`: SDK v2's signature is the common one. */
const calling =
  (name: string, more: JsonObject = {}) =>
  (client: Peer['client']) =>
    client.callTool({ name, arguments: {}, ...more })

const KINDS: ClientKind[] = ['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern', 'SDK v2, auto']
const ERAS: BackendEra[] = ['legacy', 'modern', 'both']
const WIRES: Wire[] = ['http json', 'http sse', 'stdio']
const CELLS = KINDS.flatMap((kind) => ERAS.flatMap((era) => WIRES.map((wire) => ({ kind, era, wire })))).filter(
  // Pinned and automatic negotiation end in the same era: one of them per transport is enough, both over JSON.
  ({ kind, wire }) => wire === 'http json' || kind !== (wire === 'stdio' ? 'SDK v2, modern' : 'SDK v2, auto'),
)

describe.each(CELLS)('$kind client, $era backend over $wire', ({ kind, era, wire }) => {
  let cell: Cell
  beforeAll(async () => {
    cell = await startCell(kind, era, wire)
  })
  afterAll(closeAll)

  test('speaks the era that was asked for', () => {
    const version = cell.through.client.getNegotiatedProtocolVersion?.()
    if (kind !== 'SDK v1, legacy') expect(version).toBe(cell.through.era === 'modern' ? MODERN : '2025-11-25')
    expect(cell.through.client.getServerVersion()?.name).toBe('vmcp')
    expect(cell.through.client.getInstructions()).toContain('ask nicely')
  })

  test.each(Object.keys(LISTS) as (keyof typeof LISTS)[])('%s', async (method) => {
    const through = await wholeList(cell.through, method)
    expect(through).toEqual(await wholeList(cell.direct, method))
    expect(through).toEqual(listOf(method))
  })

  test.each(Object.keys(RESULTS))('tools/call: the result "%s"', async (name) => {
    const through = await sameOf(cell, calling(name))
    expect(comparable(through)).toEqual(RESULTS[name])
    if (cell.through.era === 'modern') {
      expect(through).toMatchObject({ resultType: 'complete', _meta: { [META.serverInfo]: { name: 'vmcp' } } })
    } else {
      for (const key of DOCUMENTED.result) expect(through).not.toHaveProperty(key)
      expect(through['_meta'] ?? {}).not.toHaveProperty([META.serverInfo])
    }
  })

  test.each([70_000, 2_000_000])('tools/call: a result of %d bytes', async (length) => {
    const text = `é"\n${'x'.repeat(length)}`
    const result = await sameOf(cell, (client) => client.callTool({ name: 'echo', arguments: { text } }))
    expect(textOf(result)).toBe(text)
  })

  test('tools/call: arguments and _meta arrive as sent, the keys of the hop are ours', async () => {
    const args = { text: '', zero: 0, deep: [{ empty: {}, none: null }] }
    const _meta = { 'acme/trace': { id: 'a-1', n: [0] }, traceparent: '00-ab-cd-01' }
    const result = await cell.through.raw((client) => client.callTool({ name: 'mirror', arguments: args, _meta }))
    const received = result['structuredContent'] as { _meta: JsonObject }
    expect(received).toMatchObject({ name: 'mirror', arguments: args, _meta })
    expect(received._meta).not.toHaveProperty('progressToken')
    const envelope = { [META.version]: MODERN, [META.clientInfo]: { name: 'vmcp' } }
    if (era === 'modern') expect(received._meta).toMatchObject(envelope)
    if (era === 'legacy') expect(Object.keys(received._meta).sort()).toEqual(Object.keys(_meta).sort())
  })

  if (era === 'modern') {
    test('tools/call: structuredContent that is no object', async () => {
      const result = comparable(await cell.through.raw(calling('list')))
      if (cell.through.era === 'modern') expect(result).toEqual(LIST_RESULT)
      else {
        const text = JSON.stringify(LIST_RESULT['structuredContent'])
        expect(result).toEqual({ content: [{ type: 'text', text }] })
      }
    })
  }

  test('resources/read: the resource itself, by template, and what is not there', async () => {
    await sameOf(cell, (client) => client.readResource({ uri: 'fixture://two' }))
    const read = await sameOf(cell, (client) => client.readResource({ uri: 'fixture://items/7%20a' }))
    expect(read['contents']).toMatchObject([{ uri: 'fixture://items/7%20a' }])
    await sameOf(cell, (client) => client.readResource({ uri: 'other://a/b/c' }))
    if (cell.through.era === 'modern') expect(read).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    await expect(cell.through.client.readResource({ uri: 'nobody://x' })).rejects.toThrow(/not found/i)
    // SDK v2 shows one code for both.
    const code = cell.through.era === 'modern' ? -32602 : -32002
    expect(cell.through.received.at(-1)).toMatchObject({ error: { code, data: { uri: 'nobody://x' } } })
  })

  test('prompts/get', async () => {
    const result = await sameOf(cell, (client) => client.getPrompt({ name: 'greet', arguments: { who: 'Ada' } }))
    expect(JSON.stringify(result['messages'])).toContain('Ada')
    await sameOf(cell, (client) => client.getPrompt({ name: 'bye' }))
    await expect(cell.through.client.getPrompt({ name: 'nobody' })).rejects.toMatchObject({ code: -32602 })
  })

  test('completion/complete for a prompt and for a template', async () => {
    const prompt = { type: 'ref/prompt', name: 'greet' } as const
    const template = { type: 'ref/resource', uri: 'fixture://items/{id}' } as const
    const byPrompt = await sameOf(cell, (client) =>
      client.complete({ ref: prompt, argument: { name: 'who', value: 'al' } }),
    )
    expect(byPrompt['completion']).toMatchObject({ values: ['alpha', 'alps'] })
    const byTemplate = await sameOf(cell, (client) =>
      client.complete({
        ref: template,
        argument: { name: 'id', value: 'b' },
        context: { arguments: { other: 'x' } },
      }),
    )
    expect(byTemplate['completion']).toMatchObject({ values: ['beta'] })
  })

  test('progress arrives step by step, before the result', async () => {
    const seen: (number | undefined)[] = []
    if (cell.backend) cell.backend.script.progress = { steps: 4, delayMs: 3 }
    const result = await cell.through.call(
      { name: 'slow', arguments: { steps: 4, delayMs: 3 } },
      { onprogress: ({ progress, total }) => seen.push(progress, total) },
    )
    if (cell.backend) delete cell.backend.script.progress
    expect(seen).toEqual([1, 4, 2, 4, 3, 4, 4, 4])
    expect(textOf(result)).not.toBe('')
  })

  test('a cancellation reaches the backend once, in the words of its era', async () => {
    const abort = new AbortController()
    const { backend, through } = cell
    if (!backend) {
      const seen: number[] = []
      const call = through.call(
        { name: 'slow', arguments: { steps: 1000, delayMs: 5 } },
        { signal: abort.signal, onprogress: ({ progress }) => seen.push(progress) },
      )
      await waitFor(() => seen.length > 1)
      abort.abort()
      await expect(call).rejects.toThrow()
      const cancelled = async () => JSON.parse(textOf(await through.call({ name: 'cancelled' }))) as JsonValue[]
      await waitFor(async () => (await cancelled()).length > 0)
      expect(await cancelled()).toHaveLength(1)
      return
    }
    const calls = () => backend.requests.filter(({ method }) => method === 'tools/call')
    const before = calls().length
    backend.script.hang = ['tools/call']
    const call = through.call({ name: 'slow' }, { signal: abort.signal })
    await waitFor(() => calls().length > before)
    abort.abort()
    await expect(call).rejects.toThrow()
    backend.script.hang = []
    const { id, headers } = calls().at(-1)!
    await waitFor(() => backend.cancelled.length > 0)
    // Whatever is on its way because of it has arrived when the next call is answered.
    await through.call({ name: 'plain' })
    expect(backend.cancelled).toEqual([id])
    const modernCall = headers['mcp-protocol-version'] === MODERN
    if (era !== 'both') expect(modernCall).toBe(era === 'modern')
    expect(backend.count('notifications/cancelled')).toBe(modernCall ? 0 : 1)
  })

  test('ping is answered here', async () => {
    if (cell.through.era === 'legacy') await cell.through.client.ping()
    else await expect(cell.through.client.ping()).rejects.toThrow()
    expect(cell.backend?.count('ping') ?? 0).toBe(0)
  })
})

function listOf(method: keyof typeof LISTS): JsonObject[] {
  switch (method) {
    case 'tools/list':
      return OFFER.tools
    case 'prompts/list':
      return OFFER.prompts
    case 'resources/list':
      return OFFER.resources
    case 'resources/templates/list':
      return OFFER.templates
  }
}

/** One tool call over either door, with any token. */
type Ask = (url: string, params: JsonObject) => Promise<Reply>
const ASKS: Record<Era, Ask> = {
  legacy: async (url, params) => (await legacyWire(url)).request(1, 'tools/call', params),
  modern: (url, params) => modernRequest(url, 1, 'tools/call', params),
}
const PAIRS = (['legacy', 'modern'] as const).flatMap((client) =>
  (['legacy', 'modern'] as const).map((backend) => ({ client, backend })),
)

describe.each(PAIRS)('on the wire: $client client, $backend backend', ({ client, backend: era }) => {
  afterEach(closeAll)
  const ask = ASKS[client]

  test.each([0, '', 1.5, -1, 'a "token"', 9007199254740991])(
    'the progress token %j comes back as it is',
    async (token) => {
      const backend = await httpBackend({ tools: [ECHO_TOOL], era, progress: { steps: 3, delayMs: 1 } })
      const { url } = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
      const reply = await ask(url, { name: 'echo', arguments: { text: 'x' }, _meta: { progressToken: token } })
      expect(reply.notifications.map(({ method, params }) => ({ method, ...(params as JsonObject) }))).toEqual(
        [1, 2, 3].map((progress) => ({
          method: 'notifications/progress',
          progressToken: token,
          progress,
          total: 3,
          message: String(progress),
        })),
      )
      expect(reply.response).toMatchObject({ id: 1, result: { content: [{ text: 'x' }] } })
      const sent = backend.requests.find(({ method }) => method === 'tools/call')?.body?.['params'] as JsonObject
      expect((sent['_meta'] as JsonObject)['progressToken']).not.toBe(token)
    },
  )

  test('a client that did not ask for progress gets none, whatever the backend sends', async () => {
    const backend = await httpBackend({
      tools: [ECHO_TOOL],
      era,
      call: (_name, _args, exchange) => {
        exchange.notify('notifications/progress', { progressToken: 0, progress: 1 })
        exchange.notify('notifications/message', { level: 'info', data: 'x' })
        return { content: [] }
      },
    })
    const { url } = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
    const reply = await ask(url, { name: 'echo', arguments: {} })
    expect(reply.notifications.filter(({ method }) => method === 'notifications/progress')).toEqual([])
    expect(reply.response).toMatchObject({ result: { content: [] } })
    const called = backend.requests.findLast(({ method }) => method === 'tools/call')
    expect(JSON.stringify(called?.body)).not.toContain('progressToken')
  })

  test('unknown members of params reach the backend', async () => {
    const backend = await httpBackend({ tools: [MIRROR_TOOL], era })
    const { url } = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
    const reply = await ask(url, { name: 'mirror', 'acme-member': { kept: [0] } })
    const received = resultOf(reply)['structuredContent']
    expect(received).toMatchObject({ name: 'mirror', 'acme-member': { kept: [0] } })
    expect(received).not.toHaveProperty('arguments')
  })

  test('shown names are turned into native ones, headers included', async () => {
    const backend = await httpBackend({
      tools: [tool('with.dot'), tool('grüße')],
      prompts: [{ name: ' padded ünïcode ' }],
      completions: ['x'],
      results: { 'with.dot': RESULTS['plain']!, grüße: RESULTS['refused']! },
      era,
    })
    const { url } = await gatewayOf({
      backends: [{ name: 'fixture', url: backend.url }],
      aggregation: { conflictResolution: 'prefix', conflictResolutionConfig: { prefixFormat: '{workload}_' } },
    })
    const peer = kept(await connectHttp(client === 'modern' ? 'SDK v2, modern' : 'SDK v1, legacy', url))
    const names = (await peer.client.listTools()).tools.map(({ name }) => name)
    expect(names[0]).toBe('fixture_with_dot')
    expect(comparable(await peer.raw(calling(names[0]!)))).toEqual(RESULTS['plain'])
    expect(comparable(await peer.raw(calling(names[1]!)))).toEqual(RESULTS['refused'])
    const [prompt] = (await peer.client.listPrompts()).prompts
    expect(JSON.stringify(await peer.client.getPrompt({ name: prompt!.name }))).toContain(' padded ünïcode ')
    await peer.client.complete({
      ref: { type: 'ref/prompt', name: prompt!.name },
      argument: { name: 'a', value: '' },
    })
    const completed = backend.requests.find(({ method }) => method === 'completion/complete')
    expect(completed?.body?.['params']).toMatchObject({ ref: { name: ' padded ünïcode ' } })
    await expect(peer.client.callTool({ name: 'with.dot' })).rejects.toMatchObject({ code: -32602 })
  })

  test('an error of the backend arrives with its code, message and data', async () => {
    const backend = await httpBackend({ tools: [ECHO_TOOL], prompts: [{ name: 'greet' }], era })
    const { url } = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
    const first = await ask(url, { name: 'echo', arguments: { text: 'x' } })
    expect(first.response).toMatchObject({ result: {} })
    // The list that the gateway knows still holds it.
    backend.script.tools = []
    const gone = await ask(url, { name: 'echo', arguments: {} })
    expect(gone.response).toMatchObject({ error: { code: -32602, message: 'Unknown tool: "echo"' } })
  })
})

test('a tool whose outputSchema is no object: legacy clients see it without, modern ones with', async () => {
  const outputSchema = { type: 'array', items: { type: 'integer' } }
  const backend = await httpBackend({ tools: [tool('list', { outputSchema })], era: 'modern' })
  const { url } = await gatewayOf({ backends: [{ name: 'fixture', url: backend.url }] })
  try {
    const legacy = kept(await connectHttp('SDK v1, legacy', url))
    expect(await wholeList(legacy, 'tools/list')).toEqual([tool('list')])
    const modern = kept(await connectHttp('SDK v2, modern', url))
    expect(await wholeList(modern, 'tools/list')).toEqual([tool('list', { outputSchema })])
  } finally {
    await closeAll()
  }
})
