import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { META, MIRROR_TOOL } from '../support/script.ts'
import { covers } from './covers.ts'
import { LEVELS, STEPS } from './peers/offer.ts'
import { modernAt, openSession, told, type RawSession } from './peers/raw.ts'
import { startSetup, type Setup } from './setup.ts'

describe('with peers', () => {
  let setup: Setup
  let url: string
  beforeAll(async () => {
    setup = await startSetup()
    url = setup.gateway.url
  })
  afterAll(() => setup.close())

  test.each(['legacy-http', 'legacy-stdio', 'legacy-sse', 'modern-http', 'modern-stdio'])(
    'many clients with the same ids and tokens before %s',
    covers('rule.1.ids'),
    async (backend) => {
      const params = { name: `${backend}_progress`, arguments: {} }
      const sessions = await Promise.all(Array.from({ length: 5 }, () => openSession(url)))
      const calls = sessions.flatMap((session) => [
        session.start('same', 'tools/call', { ...params, _meta: { progressToken: 'same' } }),
        session.start('other', 'tools/call', params),
        modernAt(url).start('tools/call', params, { progressToken: 'same' }),
        modernAt(url).start('tools/call', params),
      ])
      for (const [index, { messages, response }] of calls.entries()) {
        const asked = index % 2 === 0
        expect(told((await response)!)).toBe(asked ? 'told' : 'untold')
        const expected = asked ? STEPS.map((step) => ({ progressToken: 'same', ...step })) : []
        expect(messages.map(({ params }) => params)).toEqual(expected)
      }
      await Promise.all(sessions.map((session) => session.end()))
    },
  )

  test.each(['legacy-http', 'legacy-stdio', 'legacy-sse', 'modern-http', 'modern-stdio'])(
    'a legacy client that has set no level before %s',
    covers('rule.log-default'),
    async (backend) => {
      const client = await setup.connect('v1', { era: 'legacy', wire: 'http' })
      await client.call(`${backend}_log`)
      await expect
        .poll(() => client.heard('notifications/message').map(({ level }) => level))
        .toEqual(LEVELS.slice(LEVELS.indexOf('info')))
      await client.close()
    },
  )
})

describe.each(['legacy', 'modern'] as const)('before a %s backend', (era) => {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const each of opened.splice(0).toReversed()) await each.close()
  })

  interface Place {
    backend: HttpBackend
    gateway: TestGateway
    session: RawSession
    modern: ReturnType<typeof modernAt>
  }

  async function place(options: HttpBackendOptions, more: JsonObject = {}): Promise<Place> {
    const backend = await startHttpBackend({ era, ...options })
    const gateway = await startGateway({
      backends: [{ name: 'only', url: backend.url, methods: ['acme/do'] }],
      ...more,
    })
    opened.push(backend, gateway)
    return { backend, gateway, session: await openSession(gateway.url), modern: modernAt(gateway.url) }
  }

  test(
    'params arrive as they were sent, _meta without what belongs to the hop',
    covers('rule.2.meta', 'rule.2.reserved', 'rule.11.trace', 'rule.12.arguments'),
    async () => {
      const refused = { ...MIRROR_TOOL, inputSchema: { type: 'object', required: ['never'] } }
      const { session, modern } = await place({ tools: [refused] })
      const _meta = { 'acme/x': { deep: [0, '', null] }, traceparent: '00-ab-cd-01', tracestate: 'a=b' }
      const args = { zero: 0, none: null }
      const own = { progressToken: 'mine', 'io.modelcontextprotocol/logLevel': 'debug' }
      const given = { name: 'mirror', arguments: args }
      for (const answer of [
        await session.request('tools/call', { ...given, _meta: { ..._meta, progressToken: 'mine' } }),
        await modern.request('tools/call', given, { ..._meta, ...own }),
      ]) {
        const received = answer.result!['structuredContent'] as { arguments: JsonObject; _meta: JsonObject }
        expect(received.arguments).toEqual(args)
        expect(received._meta).toMatchObject(_meta)
        expect(received._meta['progressToken']).toBeDefined()
        expect(received._meta['progressToken']).not.toBe('mine')
        if (era === 'modern') expect(received._meta).toMatchObject({ [META.clientInfo]: { name: 'vmcp' } })
        else expect(Object.keys(received._meta).filter((key) => key.startsWith('io.modelcontextprotocol/'))).toEqual([])
      }
      await session.end()
    },
  )

  test('_meta of results, content and definitions', covers('rule.2.meta'), async () => {
    const mark = { 'acme/y': 0 }
    const result = { content: [{ type: 'text', text: 'x', _meta: mark }], _meta: mark }
    const tool = { name: 'marked', inputSchema: { type: 'object' }, _meta: mark }
    const { session, modern } = await place({ tools: [tool], results: { marked: result } })
    for (const client of [session, modern]) {
      expect((await client.tool('marked')).result).toMatchObject(result)
      expect((await client.request('tools/list')).result).toMatchObject({ tools: [{ _meta: mark }] })
    }
    await session.end()
  })

  test('names', covers('rule.3.names'), async () => {
    const tools = ['a.b', 'grüße', 'x'.repeat(80)].map((name) => ({ name, inputSchema: { type: 'object' } }))
    const { session, modern, backend } = await place(
      { tools },
      { aggregation: { conflictResolution: 'prefix', conflictResolutionConfig: { prefixFormat: '{workload}_' } } },
    )
    for (const client of [session, modern]) {
      const listed = (await client.request('tools/list')).result!['tools'] as { name: string }[]
      for (const [index, { name }] of listed.entries()) {
        expect(name).toMatch(/^only_[A-Za-z0-9_-]{1,59}$/)
        expect((await client.tool(name)).result).toBeDefined()
        expect(lastOf(backend, 'tools/call')).toMatchObject({ name: tools[index]?.name })
      }
    }
    await session.end()
  })

  test('URIs, listed, linked and embedded', covers('rule.4.uris', 'rule.4.links'), async () => {
    const link = { type: 'resource_link', uri: 'hidden://linked?x=1', name: 'linked' }
    const embedded = { type: 'resource', resource: { uri: 'hidden://embedded', text: 'x' } }
    const { session, modern, backend } = await place({
      tools: [{ name: 'links', inputSchema: { type: 'object' } }],
      results: { links: { content: [link, embedded] } },
      resources: [{ uri: 'shown://one', name: 'one' }],
    })
    for (const client of [session, modern]) await client.request('resources/list')
    // Whoever listed before knows nothing of these two.
    backend.script.resources = ['shown://one', link.uri, embedded.resource.uri].map((uri) => ({ uri, name: uri }))
    for (const client of [session, modern]) {
      const { result } = await client.request('resources/list')
      expect(result).toMatchObject({ resources: [{ uri: 'shown://one' }] })
      expect(await client.request('resources/read', { uri: link.uri })).toHaveProperty('error')
      expect((await client.tool('links')).result?.['content']).toEqual([link, embedded])
      for (const uri of ['shown://one', link.uri, embedded.resource.uri]) {
        expect((await client.request('resources/read', { uri })).result).toMatchObject({ contents: [{ uri }] })
      }
    }
    await session.end()
  })

  test('cursors and cache hints', covers('rule.5.cursors', 'rule.6.cache'), async () => {
    const { session, modern } = await place({
      tools: [MIRROR_TOOL],
      prompts: [],
      resources: [{ uri: 'shown://one', name: 'one' }],
      templates: [],
    })
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']) {
      for (const client of [session, modern]) {
        for (const cursor of ['', 'made up', 0]) {
          expect(await client.request(method, { cursor })).toMatchObject({ error: { code: -32602 } })
        }
      }
      const hints = { ttlMs: expect.any(Number), cacheScope: expect.stringMatching(/^(public|private)$/) }
      expect((await modern.request(method)).result).toMatchObject(hints)
      expect(Object.keys((await session.request(method)).result!)).toHaveLength(1)
    }
    const read = ['resources/read', { uri: 'shown://one' }] as const
    expect((await modern.request(...read)).result).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    expect((await session.request(...read)).result).not.toHaveProperty('ttlMs')
    await session.end()
  })

  test('errors of the backend', covers('rule.9.backend-error'), async () => {
    const { session, modern, backend } = await place({ tools: [MIRROR_TOOL], resources: [{ uri: 'r://1', name: 'r' }] })
    for (const client of [session, modern]) await client.request('tools/list')
    // The list that the gateway knows still holds both.
    backend.script.tools = []
    backend.script.resources = []
    for (const client of [session, modern]) {
      const error = { code: -32602, message: 'Unknown tool: "mirror"' }
      expect((await client.tool('mirror')).error).toEqual(error)
      const missing = (await client.request('resources/read', { uri: 'r://1' })).error
      const code = client === session ? -32002 : -32602
      expect(missing).toEqual({ code, message: 'Resource not found', data: { uri: 'r://1' } })
    }
    await session.end()
  })

  test('a backend that cannot be reached', covers('rule.9.unreachable'), async () => {
    const { session, modern, backend } = await place({
      tools: [MIRROR_TOOL],
      prompts: [{ name: 'p' }],
      resources: [{ uri: 'r://1', name: 'r' }],
    })
    for (const client of [session, modern]) await client.request('tools/list')
    await backend.stop()
    for (const client of [session, modern]) {
      const { result } = await client.tool('mirror')
      expect(result).toMatchObject({ isError: true })
      expect(JSON.stringify(result)).toContain('only')
      const failed = { code: -32603, message: expect.stringContaining('only') }
      expect((await client.request('prompts/get', { name: 'p' })).error).toMatchObject(failed)
      expect((await client.request('resources/read', { uri: 'r://1' })).error).toMatchObject(failed)
    }
    await session.end()
  })

  test('completion with its context', covers('rule.completion'), async () => {
    const { session, modern, backend } = await place({
      prompts: [{ name: 'p' }],
      templates: [{ uriTemplate: 'r://{id}', name: 'r' }],
      completions: ['alpha', 'beta'],
    })
    const context = { arguments: { other: 'x' } }
    for (const client of [session, modern]) {
      for (const ref of [
        { type: 'ref/prompt', name: 'p' },
        { type: 'ref/resource', uri: 'r://{id}' },
      ]) {
        const params = { ref, argument: { name: 'id', value: 'a' }, context }
        const { result } = await client.request('completion/complete', params)
        expect(result).toMatchObject({ completion: { values: ['alpha'] } })
        expect(lastOf(backend, 'completion/complete')).toMatchObject({ ref, context })
      }
    }
    await session.end()
  })

  test('ping and unknown methods', covers('rule.ping.legacy', 'rule.ping.modern', 'rule.unknown-method'), async () => {
    const { session, modern, backend } = await place({ tools: [MIRROR_TOOL] })
    expect((await session.request('ping')).result).toEqual({})
    expect(backend.count('ping')).toBe(0)
    const unknown = { error: { code: -32601 } }
    for (const method of ['acme/other', 'server/discover', 'tools/none']) {
      expect(await session.request(method)).toMatchObject(unknown)
    }
    for (const method of ['acme/other', 'ping', 'initialize', 'logging/setLevel', 'resources/subscribe']) {
      const { status, response } = modern.start(method)
      expect(await status).toBe(404)
      expect(await response).toMatchObject(unknown)
    }
    await session.end()
  })

  test('methods of vendors', covers('rule.vendor-methods'), async () => {
    const { session, modern, backend } = await place({ tools: [MIRROR_TOOL] })
    // The connections upstream stand before anything else is answered.
    for (const client of [session, modern]) await client.tool('mirror')
    backend.script.intercept = (_request, response) => {
      const { id, params } = backend.requests.findLast(({ http }) => http === 'POST')!.body!
      const result = { resultType: 'complete', given: (params as JsonObject | undefined)?.['value'] ?? null }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    }
    for (const client of [session, modern]) {
      expect((await client.request('acme/do', { value: [0] })).result).toMatchObject({ given: [0] })
      expect(lastOf(backend, 'acme/do')).toMatchObject({ value: [0] })
    }
    backend.script.intercept = undefined
    await session.end()
  })

  const marked = (mark: string): JsonObject => ({
    name: 'marked',
    inputSchema: {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': mark },
        deep: { type: 'object', properties: { count: { type: 'integer', 'x-mcp-header': 'Count' } } },
      },
    },
  })

  test('marked arguments', covers('rule.param-headers.mirrored', 'rule.param-headers.validated'), async () => {
    const { session, modern, backend } = await place({ tools: [marked('Region')] })
    const call = { name: 'marked', arguments: { region: 'Zürich', deep: { count: 0 } } }
    const expected = { 'mcp-param-region': '=?base64?WsO8cmljaA==?=', 'mcp-param-count': '0' }
    const answers = [
      () => session.request('tools/call', call),
      () => modern.start('tools/call', call, {}, expected).response,
    ]
    for (const answer of answers) {
      expect((await answer())?.result).toBeDefined()
      const { headers } = backend.requests.findLast(({ method }) => method === 'tools/call')!
      const received = Object.entries(headers).filter(([name]) => name.startsWith('mcp-param-'))
      expect(Object.fromEntries(received)).toEqual(era === 'modern' ? expected : {})
    }
    const before = backend.count('tools/call')
    for (const headers of [{}, { ...expected, 'mcp-param-count': '1' }, { ...expected, 'mcp-param-region': 'Bern' }]) {
      const { status, response } = modern.start('tools/call', call, {}, headers)
      expect(await status).toBe(400)
      expect(await response).toMatchObject({ error: { code: -32020 } })
    }
    expect(backend.count('tools/call')).toBe(before)
    await session.end()
  })

  test('marks that are none', covers('rule.param-headers.hidden'), async () => {
    const { session, modern } = await place({ tools: [marked('no header'), MIRROR_TOOL] })
    // To a legacy server the marks say nothing.
    const shown = era === 'modern' ? ['mirror'] : ['marked', 'mirror']
    for (const client of [session, modern]) {
      const { tools } = (await client.request('tools/list')).result as { tools: { name: string }[] }
      expect(tools.map(({ name }) => name)).toEqual(shown)
      const { result, error } = await client.tool('marked')
      if (era === 'modern') expect(error).toMatchObject({ code: -32602 })
      else expect(result).toBeDefined()
    }
    await session.end()
  })

  test('batches', covers('rule.batch'), async () => {
    const { gateway, session, backend } = await place({ tools: [MIRROR_TOOL] })
    const call = (id: number) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'mirror' } })
    const members = [call(1), { jsonrpc: '2.0', method: 'notifications/none' }, call(0)]
    const old = await openSession(gateway.url, '2025-03-26')
    const answers = (await old.batch(members)).toSorted((a, b) => Number(a['id']) - Number(b['id']))
    expect(answers).toMatchObject([
      { id: 0, result: {} },
      { id: 1, result: {} },
    ])
    for (const { body } of backend.requests) expect(body).not.toBeInstanceOf(Array)
    for (const revision of ['2024-11-05', '2025-06-18', '2025-11-25']) {
      const other = await openSession(gateway.url, revision)
      expect(await other.send(members)).toBe(400)
      await other.end()
    }
    await old.end()
    await session.end()
  })
})

/** The params of the last request of a method. */
function lastOf({ requests }: HttpBackend, method: string): JsonObject | undefined {
  return requests.findLast((request) => request.method === method)?.body?.['params'] as JsonObject | undefined
}
