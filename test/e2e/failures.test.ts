import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { killQuietly } from '../support/command-line.ts'
import type { Events } from '../../src/telemetry/events.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { isAlive, waitFor } from '../support/processes.ts'
import { legacyClient, modernClient, type RawClient } from '../support/raw-client.ts'
import { ECHO_TOOL, LEGACY, MALFORMED_TOOL, type Script } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))
/** The first list waits 2 s for backends that are still connecting; the rest is for a busy machine. */
const FIRST_LIST_MS = 3_500
/** Contract 4: a fault is named in /status within 10 s. */
const NAMED_MS = 10_000
const AT_ONCE_MS = 1_500

const CLIENTS = { legacy: legacyClient, modern: modernClient }
type Era = keyof typeof CLIENTS

interface Scene {
  gateway: TestGateway
  client: RawClient
}

/** A gateway with one client before it; everything is closed whatever the test does. */
async function withGateway(config: JsonObject, era: Era, play: (scene: Scene) => Promise<void>): Promise<void> {
  const gateway = await startGateway(config)
  try {
    const client = await CLIENTS[era](gateway.url)
    try {
      await play({ gateway, client })
    } finally {
      await client.close()
    }
  } finally {
    await gateway.close()
  }
}

const OFFER: HttpBackendOptions = {
  era: 'legacy',
  tools: [ECHO_TOOL],
  prompts: [{ name: 'greet' }],
  resources: [{ uri: 'fixture://one', name: 'one' }],
}

async function withBackends(
  options: HttpBackendOptions[],
  play: (...backends: HttpBackend[]) => Promise<void>,
): Promise<void> {
  const backends = await Promise.all(
    options.map((each, index) =>
      startHttpBackend({ ...OFFER, resources: [{ uri: `fixture://${index}`, name: 'one' }], ...each }),
    ),
  )
  try {
    await play(...backends)
  } finally {
    await Promise.all(backends.map((backend) => backend.close()))
  }
}

const http = (name: string, url: string): JsonObject => ({ name, url })
const stdio = (name: string, options: StdioOptions): JsonObject => ({
  name,
  command: process.execPath,
  args: [STDIO_BACKEND, JSON.stringify(options)],
})

async function page(gateway: TestGateway, path: string): Promise<{ status: number; body: JsonObject }> {
  const response = await fetch(new URL(path, gateway.url))
  return { status: response.status, body: (await response.json()) as JsonObject }
}

async function healthOf(gateway: TestGateway, name: string): Promise<string> {
  const { body } = await page(gateway, '/status')
  const backends = body['backends'] as { name: string; health: string }[]
  return backends.find((each) => each.name === name)?.health ?? 'not there'
}

const becomes = (gateway: TestGateway, name: string, health: string, ms = NAMED_MS) =>
  waitFor(async () => (await healthOf(gateway, name)) === health, ms, `${name} ${health}`)

/** Causes told of a backend, oldest first. */
const faults = (gateway: TestGateway, name: string): string[] =>
  gateway.events.flatMap((event) => {
    if (event.name !== 'backend.failing') return []
    const { backend, fault } = event.data as Events['backend.failing']
    return backend === name ? [`${fault.message} ${fault.hint ?? ''} ${fault.detail ?? ''}`] : []
  })

const notes = (gateway: TestGateway): string[] =>
  gateway.events.flatMap(({ name, data }) =>
    name === 'backend.note' || name === 'catalogue.note' ? [(data as { message: string }).message] : [],
  )

interface HttpFault {
  how: string
  answer: (request: IncomingMessage, response: ServerResponse) => void
  cause: RegExp
  /** What says to the operator what to do, in the same text. */
  wayOut: RegExp
  health?: string
}

const json = (response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)

/** Whatever a client sends, it gets this. */
const HTTP_FAULTS: HttpFault[] = [
  {
    how: 'wrong path',
    answer: (_, response) => response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>'),
    cause: /HTTP 404 at http:\/\/127\.0\.0\.1:\d+: /,
    wayOut: /no MCP endpoint at this path/,
  },
  {
    how: '401',
    answer: (_, response) => json(response, 401, '{"error":"unauthorized"}', { 'www-authenticate': 'Bearer' }),
    cause: /HTTP 401 .*wants credentials/,
    wayOut: /headers/,
    health: 'unauthenticated',
  },
  {
    how: '403',
    answer: (_, response) => json(response, 403, '{"error":"forbidden"}'),
    cause: /HTTP 403 .*refuses/,
    wayOut: /headers/,
    health: 'unauthenticated',
  },
  {
    how: '500s',
    answer: (_, response) => response.writeHead(503).end('upstream is away'),
    cause: /HTTP 503 at/,
    wayOut: /log of the server/,
  },
  {
    how: 'redirect',
    answer: (_, response) =>
      response.writeHead(307, { location: 'https://other.example/do-not-show-me/mcp?token=do-not-show-me' }).end(),
    cause: /HTTP 307 .*redirects are not followed/,
    wayOut: /it points to https:\/\/other\.example(?!\/)/,
  },
  {
    how: 'not JSON',
    answer: (_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome to the router</html>'),
    cause: /no JSON-RPC response \(HTTP 200/,
    wayOut: /is this the URL of an MCP server/,
  },
  {
    how: 'connections cut',
    answer: (_, response) => response.destroy(),
    cause: /connection was (?:closed|reset)/,
    wayOut: /log of the server/,
  },
]

describe.concurrent('HTTP backends that fail beside a good one', () => {
  test.each(HTTP_FAULTS)('$how from the start, then well', async ({ answer, cause, wayOut, health = 'unhealthy' }) => {
    await withBackends([{}, { intercept: answer }], async (good, bad) => {
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        const first = await client.request('tools/list')
        expect(first.ms).toBeLessThan(AT_ONCE_MS)
        expect(await client.tools()).toEqual(['good_echo'])
        expect(await client.tool('good_echo', { text: 'hi' })).toMatchObject({ text: 'hi', isError: false })
        const told = await waitFor(() => faults(gateway, 'bad')[0])
        expect(told).toMatch(cause)
        expect(told).toMatch(wayOut)
        expect(told).not.toContain('do-not-show-me')
        await becomes(gateway, 'bad', health)
        expect(await healthOf(gateway, 'good')).toBe('healthy')
        // Nobody has ever seen it, but only this backend could have it.
        const away = await client.tool('bad_echo')
        expect(away).toMatchObject({ isError: true, text: expect.stringMatching(cause) as string })
        expect(away.text).not.toContain('do-not-show-me')
        expect(await client.tool('nobody_echo')).toMatchObject({ code: -32602, text: 'Unknown tool: nobody_echo' })

        bad.script.intercept = undefined
        await becomes(gateway, 'bad', 'healthy')
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
        await waitFor(() => client.changes.includes('notifications/tools/list_changed'))
        expect(await client.tool('bad_echo', { text: 'back' })).toMatchObject({ text: 'back' })
      })
    })
  })

  test.each(
    HTTP_FAULTS.flatMap((fault) => [
      { ...fault, era: 'legacy' as const },
      { ...fault, era: 'modern' as const },
    ]),
  )('$how after it was well, $era', async ({ answer, cause, wayOut, era, health = 'unhealthy' }) => {
    await withBackends([{ era }, { era }], async (good, bad) => {
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, era, async ({ gateway, client }) => {
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
        expect(await client.tool('bad_echo', { text: 'a' })).toMatchObject({ text: 'a' })
        bad.script.intercept = answer
        const before = bad.count('tools/call')
        const failed = await client.tool('bad_echo', { text: 'b' })
        expect(failed).toMatchObject({ isError: true, code: undefined })
        expect(failed.text).toMatch(/backend "bad"/)
        expect(failed.text).toMatch(cause)
        expect(failed.text).toMatch(wayOut)
        // A session that is lost was not used: one more attempt. Everything else may have been executed.
        expect(bad.count('tools/call') - before).toBe(1)

        await becomes(gateway, 'bad', health)
        const list = await client.request('tools/list')
        expect(list.ms).toBeLessThan(AT_ONCE_MS)
        expect(await client.tools()).toEqual(['good_echo'])
        await waitFor(() => client.changes.includes('notifications/tools/list_changed'))
        const sent = bad.count('tools/call')
        const away = await client.tool('bad_echo', { text: 'c' })
        expect(away).toMatchObject({ isError: true, code: undefined })
        expect(away.text).toMatch(/backend "bad" cannot be reached|backend "bad" broke the protocol/)
        expect(away.text).toMatch(cause)
        for (const [method, params] of [
          ['prompts/get', { name: 'bad_greet' }],
          ['resources/read', { uri: 'fixture://1' }],
        ] as const) {
          const { error } = await client.request(method, params)
          expect(error).toMatchObject({ code: -32603, message: expect.stringMatching(/backend "bad"/) as string })
        }
        expect(bad.count('tools/call')).toBe(sent)

        bad.script.intercept = undefined
        expect(await client.tool('bad_echo', { text: 'd' })).toMatchObject({ text: 'd', isError: false })
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
      })
    })
  })

  const silences: { how: string; answer: HttpFault['answer'] }[] = [
    { how: 'hangs from the start', answer: () => undefined },
    {
      how: 'answers with an endless event stream',
      answer: (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const timer = setInterval(() => response.write(': still here\n\n'), 50)
        response.on('close', () => clearInterval(timer))
      },
    },
    {
      how: 'sends half a head',
      answer: (_, response) => void response.socket?.write('HTTP/1.1 200 OK\r\nContent-Ty'),
    },
  ]
  test.each(silences)('one that $how', async ({ answer }) => {
    await withBackends([{}, { intercept: answer }], async (good, bad) => {
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'modern', async ({ gateway, client }) => {
        const first = await client.request('tools/list')
        expect(first.ms).toBeLessThan(FIRST_LIST_MS)
        expect(first.result?.['tools']).toMatchObject([{ name: 'good_echo' }])
        expect(first.result?.['ttlMs']).toBe(1000)
        expect((await client.request('tools/list')).ms).toBeLessThan(AT_ONCE_MS)
        expect((await client.tool('good_echo', { text: 'hi' })).ms).toBeLessThan(AT_ONCE_MS)
        expect((await page(gateway, '/readyz')).status).toBe(503)
        await becomes(gateway, 'bad', 'unhealthy', NAMED_MS)
        expect(faults(gateway, 'bad').join()).toMatch(/no answer for 8 s/)
        expect((await page(gateway, '/readyz')).status).toBe(200)
        bad.script.intercept = undefined
        await bad.restart()
        await becomes(gateway, 'bad', 'healthy')
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
      })
    })
  })

  test('connection refused from the start; later it is started', async () => {
    await withBackends([{}, {}], async (good, bad) => {
      await bad.stop()
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        const first = await client.request('tools/list')
        expect(first.ms).toBeLessThan(AT_ONCE_MS)
        expect(await client.tools()).toEqual(['good_echo'])
        expect(faults(gateway, 'bad').join()).toMatch(/connection refused at .*is the server running/)
        await becomes(gateway, 'bad', 'unhealthy')
        await bad.start()
        await becomes(gateway, 'bad', 'healthy')
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
      })
    })
  })

  test('a port that accepts and says nothing is an outage, and no call waits for it', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    try {
      await withBackends([{}], async (good) => {
        const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/mcp`
        await withGateway({ backends: [http('good', good.url), http('bad', url)] }, 'legacy', async ({ client }) => {
          const call = await client.tool('good_echo', { text: 'hi' })
          expect(call).toMatchObject({ text: 'hi' })
          expect(call.ms).toBeLessThan(FIRST_LIST_MS)
        })
      })
    } finally {
      silent.close()
    }
  })

  test('slow start: its tools arrive with a notification', async () => {
    await withBackends([{}, { slowStartMs: 5_000 }], async (good, bad) => {
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        const first = await client.request('tools/list')
        expect(first.ms).toBeGreaterThan(1_900)
        expect(first.ms).toBeLessThan(FIRST_LIST_MS)
        expect((await client.request('tools/list')).ms).toBeLessThan(AT_ONCE_MS)
        await becomes(gateway, 'bad', 'healthy')
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
        await waitFor(() => client.changes.includes('notifications/tools/list_changed'))
        expect(faults(gateway, 'bad')).toEqual([])
      })
    })
  })
})

describe.concurrent('lists of backends that say too much or too little', () => {
  const cases: { how: string; script: Partial<Script>; tools: string[]; note: RegExp | undefined }[] = [
    {
      how: 'a capability that is declared and then refused counts as empty',
      script: { unknown: ['prompts/list', 'resources/list', 'resources/templates/list'] },
      tools: ['good_echo', 'bad_echo'],
      note: undefined,
    },
    {
      how: 'a lie about tools leaves no tools and no fault',
      script: { unknown: ['tools/list'] },
      tools: ['good_echo'],
      note: undefined,
    },
    {
      how: 'one malformed tool costs itself',
      script: { tools: [MALFORMED_TOOL, ECHO_TOOL, 'no object'] },
      tools: ['good_echo', 'bad_echo'],
      note: /bad/,
    },
  ]
  test.each(cases)('$how', async ({ script, tools, note }) => {
    await withBackends([{}, script], async (good, bad) => {
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        expect(await client.tools()).toEqual(tools)
        await becomes(gateway, 'bad', 'healthy')
        expect(faults(gateway, 'bad')).toEqual([])
        if (note) expect(notes(gateway).join('\n')).toMatch(note)
      })
    })
  })

  test('a cursor that repeats cuts the list there', async () => {
    let pages = 0
    await withBackends([{}, {}], async (good, bad) => {
      bad.script.intercept = (request, response) => {
        if (request.method !== 'POST') return void response.writeHead(405).end()
        const { id, method } = bad.requests.at(-1) ?? {}
        if (id === undefined) return void response.writeHead(202).end()
        if (method === 'server/discover') {
          return void json(
            response,
            200,
            JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }),
          )
        }
        const result =
          method === 'initialize'
            ? { protocolVersion: LEGACY[0], capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } }
            : { tools: [{ name: `t${pages++}`, inputSchema: { type: 'object' } }], nextCursor: 'again' }
        json(response, 200, JSON.stringify({ jsonrpc: '2.0', id, result }))
      }
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        expect(await client.tools()).toEqual(['good_echo', 'bad_t0', 'bad_t1'])
        expect(pages).toBe(2)
        expect(notes(gateway).join()).toMatch(/repeats a cursor/)
      })
    })
  })

  test('a list over maxMessageBytes is a fault that names the key; the others go on', async () => {
    const tools = [{ ...ECHO_TOOL, description: 'x'.repeat(200_000) }]
    await withBackends([{}, { tools }], async (good, bad) => {
      const config = { maxMessageBytes: 100_000, backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        expect(await client.tools()).toEqual(['good_echo'])
        expect(faults(gateway, 'bad').join()).toMatch(/larger than maxMessageBytes \(100000 bytes\)/)
        bad.script.tools = [ECHO_TOOL]
        await becomes(gateway, 'bad', 'healthy')
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
      })
    })
  })

  test.each(['json', 'sse'] as const)('a %s result over maxMessageBytes fails alone', async (answer) => {
    const call = (_: string, args: JsonObject) => ({
      content: [{ type: 'text', text: args['text'] === 'big' ? 'x'.repeat(200_000) : 'small' }],
    })
    await withBackends([{ answer, call }], async (only) => {
      // Across eras a result must be buffered.
      await withGateway(
        { maxMessageBytes: 100_000, backends: [http('only', only.url)] },
        'modern',
        async ({ gateway, client }) => {
          await client.tools()
          const big = await client.tool('echo', { text: 'big' })
          expect(big).toMatchObject({ isError: true })
          expect(big.text).toMatch(/backend "only" .*maxMessageBytes/)
          expect(await client.tool('echo', { text: 'little' })).toMatchObject({ text: 'small', isError: false })
          expect(only.count('tools/call')).toBe(2)
          expect(await healthOf(gateway, 'only')).toBe('healthy')
        },
      )
    })
  })
})

describe.concurrent('calls that are cut', () => {
  const cuts = (['drop', 'truncate'] as const).flatMap((how) =>
    (['legacy', 'modern'] as const).flatMap((client) =>
      (['legacy', 'modern'] as const).map((backend) => ({ how, client, backend })),
    ),
  )
  test.each(cuts)(
    '$how, $client client, $backend backend: one execution, then well',
    async ({ how, client, backend }) => {
      let executed = 0
      const call = (_: string, args: JsonObject) => {
        executed++
        return { content: [{ type: 'text', text: args['text'] }] }
      }
      await withBackends([{}, { era: backend, call }], async (good, bad) => {
        const config = { backends: [http('good', good.url), http('bad', bad.url)] }
        await withGateway(config, client, async ({ gateway, client }) => {
          expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
          bad.script[how] = ['tools/call', 'prompts/get']
          const failed = await client.tool('bad_echo', { text: 'a' })
          expect(failed).toMatchObject({ isError: true, code: undefined })
          expect(failed.text).toMatch(/backend "bad" cannot be reached: the connection was (?:closed|reset)/)
          expect(executed).toBe(1)
          const prompt = await client.request('prompts/get', { name: 'bad_greet' })
          expect(prompt.error).toMatchObject({ code: -32603, message: expect.stringMatching(/"bad"/) as string })
          expect(bad.count('prompts/get')).toBe(1)
          bad.script[how] = []
          expect(await client.tool('bad_echo', { text: 'b' })).toMatchObject({ text: 'b', isError: false })
          expect(executed).toBe(2)
          // The server itself is well: its entries stay.
          expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
          expect(faults(gateway, 'bad')).toEqual([])
        })
      })
    },
  )

  test('a large result that breaks off does not look like a whole one', async () => {
    const call = () => ({ content: [{ type: 'text', text: 'x'.repeat(1_000_000) }] })
    await withBackends([{ call }], async (only) => {
      await withGateway({ backends: [http('only', only.url)] }, 'legacy', async ({ client }) => {
        await client.tools()
        only.script.truncate = ['tools/call']
        const outcome = await client.tool('echo').catch((error: unknown) => error)
        if (outcome instanceof Error) expect(outcome.message).toMatch(/terminated|JSON/)
        else expect(outcome).toMatchObject({ isError: true })
        only.script.truncate = []
        expect((await client.tool('echo')).text).toHaveLength(1_000_000)
      })
    })
  })
})

describe.concurrent('HTTP backends that go away and come back', () => {
  const eras = ['legacy', 'modern'] as const
  test.each(eras)('%s: restarted on the same port, the next call works', async (era) => {
    await withBackends([{ era }], async (only) => {
      await withGateway({ backends: [http('only', only.url)] }, era, async ({ client }) => {
        expect(await client.tool('echo', { text: 'a' })).toMatchObject({ text: 'a' })
        for (const text of ['b', 'c']) {
          await only.restart()
          expect(await client.tool('echo', { text })).toMatchObject({ text, isError: false })
        }
        expect(only.requests.filter(({ method }) => method === 'tools/call').length).toBeLessThanOrEqual(5)
      })
    })
  })

  test.each(eras)('%s: stopped, called, started: the first call afterwards works', async (era) => {
    await withBackends([{}, { era }], async (good, bad) => {
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, era, async ({ gateway, client }) => {
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
        await bad.stop()
        const failed = await client.tool('bad_echo')
        expect(failed).toMatchObject({ isError: true })
        expect(failed.text).toMatch(/backend "bad" cannot be reached: connection refused at .*is the server running/)
        await becomes(gateway, 'bad', 'unhealthy')
        expect(await client.tools()).toEqual(['good_echo'])
        const again = await client.tool('bad_echo')
        expect(again).toMatchObject({ isError: true })
        expect(again.ms).toBeLessThan(AT_ONCE_MS)
        await bad.start()
        expect(await client.tool('bad_echo', { text: 'b' })).toMatchObject({ text: 'b', isError: false })
        await becomes(gateway, 'bad', 'healthy')
      })
    })
  })

  test.each(eras)('%s: stopped while nobody calls, it is missed within 10 s', async (era) => {
    await withBackends([{}, { era }], async (good, bad) => {
      const config = { backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, era, async ({ gateway, client }) => {
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
        await waitFor(() => bad.streams() > 0)
        await bad.stop()
        await becomes(gateway, 'bad', 'unhealthy', NAMED_MS)
        expect(await client.tools()).toEqual(['good_echo'])
        await waitFor(() => client.changes.includes('notifications/tools/list_changed'))
        await bad.start()
        await becomes(gateway, 'bad', 'healthy', NAMED_MS)
        expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
      })
    })
  })

  test.each([
    ['legacy', 'modern'],
    ['modern', 'legacy'],
  ] as const)('%s, and comes back as %s', async (before, after) => {
    await withBackends([{ era: before }], async (only) => {
      await withGateway({ backends: [http('only', only.url)] }, 'legacy', async ({ gateway, client }) => {
        expect(await client.tool('echo', { text: 'a' })).toMatchObject({ text: 'a' })
        await only.stop()
        await becomes(gateway, 'only', 'unhealthy')
        only.script.era = after
        await only.start()
        expect(await client.tool('echo', { text: 'b' })).toMatchObject({ text: 'b', isError: false })
        await becomes(gateway, 'only', 'healthy')
      })
    })
  })
})

describe.concurrent('lost upstream sessions', () => {
  const forms = [
    { how: '404', status: 404, message: 'Session not found' },
    { how: '400', status: 400, message: 'Bad Request: No valid session ID provided' },
    { how: '400, not initialized', status: 400, message: 'Bad Request: Server not initialized' },
  ]
  const cases = forms.flatMap((form) => [
    { ...form, era: 'legacy' as const },
    { ...form, era: 'modern' as const },
  ])
  test.each(cases)('$how, $era client: the next call succeeds, executed once', async ({ status, message, era }) => {
    let executed = 0
    const call = () => {
      executed++
      return { content: [{ type: 'text', text: 'done' }] }
    }
    await withBackends([{ call }], async (only) => {
      await withGateway({ backends: [http('only', only.url)] }, era, async ({ gateway, client }) => {
        expect(await client.tool('echo')).toMatchObject({ text: 'done' })
        expect(executed).toBe(1)
        only.forgetSessions()
        // The fixture itself answers 404; other servers say it in other words.
        const live = new Set<unknown>()
        if (status !== 404) {
          only.script.intercept = (request, response) => {
            const sent = only.requests.at(-1)
            const session = request.headers['mcp-session-id']
            if (sent?.method === 'server/discover') return void json(response, 400, '{}')
            if (sent?.method === 'initialize') {
              live.add('new')
              const result = {
                protocolVersion: LEGACY[0],
                capabilities: { tools: {} },
                serverInfo: { name: 'x', version: '1' },
              }
              return void json(response, 200, JSON.stringify({ jsonrpc: '2.0', id: sent.id, result }), {
                'mcp-session-id': 'new',
              })
            }
            if (!live.has(session)) {
              return void json(
                response,
                status,
                JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32000, message } }),
              )
            }
            if (request.method !== 'POST') return void response.writeHead(405).end()
            if (sent?.id === undefined) return void response.writeHead(202).end()
            const result = sent.method === 'tools/call' ? call() : { tools: [ECHO_TOOL] }
            json(response, 200, JSON.stringify({ jsonrpc: '2.0', id: sent.id, result }))
          }
        }
        expect(await client.tool('echo')).toMatchObject({ text: 'done', isError: false })
        expect(executed).toBe(2)
        await becomes(gateway, 'only', 'healthy')
        expect(faults(gateway, 'only')).toEqual([])
        expect(await client.tools()).toEqual(['echo'])
      })
    })
  })

  test('many calls at once meet one lost session: each is executed once', async () => {
    let executed = 0
    const call = () => {
      executed++
      return { content: [{ type: 'text', text: 'done' }] }
    }
    await withBackends([{ call }], async (only) => {
      await withGateway({ backends: [http('only', only.url)] }, 'legacy', async ({ client }) => {
        await client.tool('echo')
        only.forgetSessions()
        const answers = await Promise.all(Array.from({ length: 20 }, () => client.tool('echo')))
        expect(answers.filter(({ text }) => text === 'done')).toHaveLength(20)
        expect(executed).toBe(21)
      })
    })
  })

  test('a server that forgets every session at once ends in an error, not in a loop', async () => {
    await withBackends([{}], async (only) => {
      await withGateway({ backends: [http('only', only.url)] }, 'legacy', async ({ gateway, client }) => {
        await client.tool('echo')
        only.forgetSessions()
        only.script.intercept = (_, response) => {
          const sent = only.requests.at(-1)
          if (sent?.method !== 'initialize') return void json(response, 404, '{}')
          const result = {
            protocolVersion: LEGACY[0],
            capabilities: { tools: {} },
            serverInfo: { name: 'x', version: '1' },
          }
          json(response, 200, JSON.stringify({ jsonrpc: '2.0', id: sent.id, result }), { 'mcp-session-id': 'x' })
        }
        const call = await client.tool('echo')
        expect(call).toMatchObject({ isError: true })
        expect(call.text).toMatch(/backend "only".*forgets every session/)
        await client.tool('echo')
        only.killConnections()
        // The cut connection may be told first.
        await waitFor(() => /forgets every session/.test(faults(gateway, 'only').join()))
        const before = only.requests.length
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        // Retries with a growing pause: not hundreds a second.
        expect(only.requests.length - before).toBeLessThan(40)
      })
    })
  })
})

describe.concurrent('stdio backends that fail beside a good one', () => {
  const good = stdio('good', { era: 'legacy' })

  const refused: { how: string; backend: JsonObject; cause: RegExp; wayOut: RegExp }[] = [
    {
      how: 'command not found',
      backend: { name: 'bad', command: 'no-such-command-anywhere', args: ['--x'] },
      cause: /command not found: no-such-command-anywhere/,
      wayOut: /installed.*PATH/,
    },
    {
      how: 'a working folder that is not there',
      backend: { name: 'bad', command: 'node', args: [], cwd: './no/such/folder' },
      cause: /working folder .*no\/such\/folder does not exist/,
      wayOut: /cwd/,
    },
    {
      how: 'exits at once',
      backend: stdio('bad', { exitAtStart: 7, chatter: 'FATAL: no token in API_TOKEN' }),
      cause: /exited with code 7/,
      wayOut: /FATAL: no token in API_TOKEN/,
    },
    {
      how: 'an unset variable',
      backend: { ...stdio('bad', {}), env: { TOKEN: '${NO_SUCH_VARIABLE_HERE}' } },
      cause: /NO_SUCH_VARIABLE_HERE/,
      wayOut: /set|export/,
    },
  ]
  test.each(refused)('$how', async ({ backend, cause, wayOut }) => {
    await withGateway({ backends: [good, backend] }, 'legacy', async ({ gateway, client }) => {
      const first = await client.request('tools/list')
      expect(first.ms).toBeLessThan(FIRST_LIST_MS)
      expect(await client.tools()).toContain('good_echo')
      expect((await client.request('tools/list')).ms).toBeLessThan(AT_ONCE_MS)
      await becomes(gateway, 'bad', 'unhealthy')
      const [told = ''] = faults(gateway, 'bad')
      expect(told).toMatch(cause)
      expect(told).toMatch(wayOut)
      expect(await client.tool('good_echo', { text: 'hi' })).toMatchObject({ text: 'hi' })
    })
  })

  test('one that hangs from the start is named and keeps nobody waiting', async () => {
    const hanging = stdio('bad', { hang: ['initialize', 'server/discover'] })
    await withGateway({ backends: [good, hanging] }, 'legacy', async ({ gateway, client }) => {
      const first = await client.request('tools/list')
      expect(first.ms).toBeLessThan(FIRST_LIST_MS)
      expect(await client.tools()).toContain('good_echo')
      expect((await client.request('tools/list')).ms).toBeLessThan(AT_ONCE_MS)
      await becomes(gateway, 'bad', 'unhealthy', NAMED_MS)
      expect(faults(gateway, 'bad').join()).toMatch(/no answer for 8 s/)
    })
  })

  const odd: { how: string; options: StdioOptions; revision: string; ms: number }[] = [
    {
      how: 'a banner and noise on stdout',
      options: { era: 'legacy', banner: ['Welcome!', '{not json', '[1]'], noise: 'log: {' },
      revision: LEGACY[0]!,
      ms: 2_000,
    },
    {
      how: 'a modern one with a banner',
      options: { era: 'modern', banner: ['Welcome!'] },
      revision: '2026-07-28',
      ms: 2_000,
    },
    {
      how: 'silence on server/discover',
      options: { era: 'legacy', discover: 'silent' },
      revision: LEGACY[0]!,
      ms: 4_500,
    },
    { how: 'exit on server/discover', options: { era: 'legacy', discover: 'exit' }, revision: LEGACY[0]!, ms: 4_500 },
    { how: 'a slow start', options: { era: 'legacy', slowStartMs: 3_000 }, revision: LEGACY[0]!, ms: 6_000 },
    {
      how: 'a slow start of a modern one',
      options: { era: 'modern', slowStartMs: 3_000 },
      revision: '2026-07-28',
      ms: 6_000,
    },
    {
      how: 'a lie about prompts',
      options: { prompts: [], unknown: ['prompts/list'] },
      revision: '2026-07-28',
      ms: 2_000,
    },
    { how: 'a malformed tool', options: { tools: [MALFORMED_TOOL, ECHO_TOOL] }, revision: '2026-07-28', ms: 2_000 },
  ]
  test.each(odd)('$how costs nothing but time', async ({ options, revision, ms }) => {
    await withGateway({ backends: [good, stdio('odd', options)] }, 'legacy', async ({ gateway, client }) => {
      await becomes(gateway, 'odd', 'healthy', ms + 3_000)
      expect(await client.tool('odd_echo', { text: 'hi' })).toMatchObject({ text: 'hi', isError: false })
      expect(faults(gateway, 'odd')).toEqual([])
      const { body } = await page(gateway, '/status')
      const backends = body['backends'] as { name: string; mcp_revision: string }[]
      expect(backends.find(({ name }) => name === 'odd')?.mcp_revision).toBe(revision)
    })
  })

  test.each(['legacy', 'modern'] as const)(
    '%s: a crash during a call is told, the next call has a new process',
    async (era) => {
      await withGateway({ backends: [good, stdio('bad', { era })] }, era, async ({ gateway, client }) => {
        await becomes(gateway, 'bad', 'healthy')
        const pid = (await client.tool('bad_pid')).text
        expect((await client.tool('bad_counter')).text).toBe('1')
        const crash = await client.tool('bad_crash')
        expect(crash).toMatchObject({ isError: true, code: undefined })
        expect(crash.text).toMatch(/backend "bad" cannot be reached: the process exited with code 3/)
        const next = await client.tool('bad_pid')
        expect(next.isError).toBe(false)
        expect(next.text).toMatch(/^\d+$/)
        expect(next.text).not.toBe(pid)
        expect((await client.tool('bad_counter')).text).toBe('1')
        await becomes(gateway, 'bad', 'healthy')
      })
    },
  )

  test('killed while idle: the next call works, and the log says how it ended', async () => {
    await withGateway({ backends: [good, stdio('bad', { era: 'legacy' })] }, 'legacy', async ({ gateway, client }) => {
      await becomes(gateway, 'bad', 'healthy')
      const pid = Number((await client.tool('bad_pid')).text)
      killQuietly(pid)
      // Before that its threads may still hold its input open: a call could be lost in it, and must not be repeated.
      await waitFor(() => !existsSync(`/proc/${pid}`))
      expect(await client.tool('bad_echo', { text: 'b' })).toMatchObject({ text: 'b', isError: false })
      expect(faults(gateway, 'bad').join()).toMatch(/the process was ended by SIGKILL/)
      await becomes(gateway, 'bad', 'healthy')
      expect(await client.tools()).toContain('bad_echo')
    })
  })

  test('well, then killed and its program gone: calls say what is missing, and it comes back with the program', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
    const program = join(folder, 'server.sh')
    const install = () => {
      writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${STDIO_BACKEND}" '{"era":"legacy"}'\n`, {
        mode: 0o755,
      })
    }
    try {
      install()
      await withGateway(
        { backends: [good, { name: 'bad', command: program }] },
        'legacy',
        async ({ gateway, client }) => {
          await becomes(gateway, 'bad', 'healthy')
          const pid = Number((await client.tool('bad_pid')).text)
          rmSync(program)
          killQuietly(pid)
          await waitFor(() => faults(gateway, 'bad').join().includes('command not found'))
          expect(await healthOf(gateway, 'bad')).toBe('unhealthy')
          const away = await client.tool('bad_echo')
          expect(away).toMatchObject({ isError: true, code: undefined })
          expect(away.text).toMatch(
            /backend "bad" cannot be reached: command not found: .*server\.sh \(is it installed/,
          )
          expect(await client.tools()).not.toContain('bad_echo')
          install()
          expect(await client.tool('bad_echo', { text: 'b' })).toMatchObject({ text: 'b', isError: false })
        },
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  /** A server of 2025-11-25 in one line, with something to do after each answer. */
  const tiny = (afterwards: string): JsonObject => ({
    name: 'bad',
    command: process.execPath,
    args: [
      '-e',
      `const results = {
        initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } },
        'tools/list': { tools: [{ name: 'last', inputSchema: { type: 'object' } }] },
        'tools/call': { content: [{ type: 'text', text: 'answered' }] },
      }
      require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
        const { id, method } = JSON.parse(line)
        if (id === undefined) return
        const result = results[method]
        const answer = result ? { result } : { error: { code: -32601, message: 'no' } }
        process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, ...answer }) + '\\n')
        ${afterwards}
      })`,
    ],
  })

  test('an answer that is followed by the end of the process counts', async () => {
    const backend = tiny(`if (method === 'tools/call') process.exit(0)`)
    await withGateway({ backends: [good, backend] }, 'legacy', async ({ gateway, client }) => {
      await becomes(gateway, 'bad', 'healthy')
      for (let call = 0; call < 5; call++) {
        expect(await client.tool('bad_last')).toMatchObject({ text: 'answered', isError: false })
        await waitFor(() => faults(gateway, 'bad').length > call)
      }
    })
  })

  test('one that ends by itself again and again is started with a growing pause', async () => {
    const backend = tiny(`if (method === 'tools/list') setTimeout(() => process.exit(1), 20)`)
    await withGateway({ backends: [good, backend] }, 'legacy', async ({ gateway }) => {
      await waitFor(() => faults(gateway, 'bad').length > 0)
      await new Promise((resolve) => setTimeout(resolve, 2_500))
      const starts = gateway.events.filter(
        ({ name, data }) => name === 'backend.ready' && (data as { backend: string }).backend === 'bad',
      )
      expect(starts.length).toBeGreaterThan(1)
      expect(starts.length).toBeLessThan(7)
    })
  })

  test('a message over maxMessageBytes ends that process, names the key, and the next call works', async () => {
    const config = { maxMessageBytes: 100_000, backends: [good, stdio('bad', { era: 'legacy' })] }
    await withGateway(config, 'legacy', async ({ gateway, client }) => {
      await becomes(gateway, 'bad', 'healthy')
      const big = await client.tool('bad_echo', { text: 'x'.repeat(150_000) })
      expect(big).toMatchObject({ isError: true })
      expect(big.text).toMatch(/backend "bad" .*maxMessageBytes \(100000 bytes\)/)
      expect(await client.tool('bad_echo', { text: 'b' })).toMatchObject({ text: 'b', isError: false })
    })
  })
})

describe.concurrent('readiness', () => {
  const handling = (partialFailureMode: string): JsonObject => ({ failureHandling: { partialFailureMode } })

  test.each([
    ['best_effort', 200],
    ['fail', 503],
  ])('%s with one backend away: %i', async (mode, status) => {
    await withBackends([{}, {}], async (good, bad) => {
      await bad.stop()
      const config = { operational: handling(mode), backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        await becomes(gateway, 'bad', 'unhealthy')
        await becomes(gateway, 'good', 'healthy')
        const readyz = await page(gateway, '/readyz')
        expect(readyz.status).toBe(status)
        if (status === 503) {
          expect(readyz.body).toMatchObject({
            status: 'not_ready',
            mode: 'static',
            reason: expect.stringContaining('bad') as string,
          })
        } else expect(readyz.body).toEqual({ status: 'ready', mode: 'static' })
        // The mode affects readiness only.
        expect(await client.tool('good_echo', { text: 'hi' })).toMatchObject({ text: 'hi' })
        expect(await page(gateway, '/health')).toEqual({ status: 200, body: { status: 'ok' } })
        await bad.start()
        await becomes(gateway, 'bad', 'healthy')
        expect((await page(gateway, '/readyz')).status).toBe(200)
        await bad.stop()
        await client.tool('bad_echo')
        await becomes(gateway, 'bad', 'unhealthy')
        expect((await page(gateway, '/readyz')).status).toBe(status)
      })
    })
  })

  test('fail does not miss a backend that is disabled', async () => {
    await withBackends([{}], async (good) => {
      const off = { ...http('off', 'http://127.0.0.1:9/mcp'), disabled: true }
      await withGateway(
        { operational: handling('fail'), backends: [http('good', good.url), off] },
        'legacy',
        async ({ gateway }) => {
          await waitFor(async () => (await page(gateway, '/readyz')).status === 200)
        },
      )
    })
  })

  test('not ready before the backends have answered, alive at once', async () => {
    await withBackends([{ slowStartMs: 2500 }], async (slow) => {
      await withGateway({ backends: [http('slow', slow.url)] }, 'legacy', async ({ gateway }) => {
        expect(await page(gateway, '/health')).toEqual({ status: 200, body: { status: 'ok' } })
        const before = await page(gateway, '/readyz')
        expect(before).toMatchObject({ status: 503, body: { status: 'not_ready', mode: 'static' } })
        await waitFor(async () => (await page(gateway, '/readyz')).status === 200)
      })
    })
  })

  test.each([
    ['fail', 503],
    ['best_effort', 200],
  ])('an unsettled conflict under manual and %s: %i', async (mode, status) => {
    await withBackends([{}, {}], async (one, two) => {
      const config = {
        operational: handling(mode),
        aggregation: { conflictResolution: 'manual', tools: [] },
        backends: [http('one', one.url), http('two', two.url)],
      }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        await becomes(gateway, 'one', 'healthy')
        await becomes(gateway, 'two', 'healthy')
        expect(await client.tools()).toEqual([])
        const readyz = await page(gateway, '/readyz')
        expect(readyz.status).toBe(status)
        if (status === 503) expect(readyz.body['reason']).toContain('echo')
        expect(notes(gateway).join('\n')).toMatch(/echo.*one.*two|echo.*two.*one/s)
      })
    })
  })
})

describe.concurrent('circuit breaker and health checks', () => {
  const breaking: JsonObject = {
    timeouts: { default: '150ms' },
    failureHandling: { circuitBreaker: { failureThreshold: 2, timeout: '1s' } },
  }

  test.each([
    ['silence', 'hang' as const],
    ['cut connections', 'drop' as const],
  ])('opens after failureThreshold, half-opens after timeout: %s', async (_, how) => {
    await withBackends([{}, {}], async (good, bad) => {
      const config = { operational: breaking, backends: [http('good', good.url), http('bad', bad.url)] }
      await withGateway(config, 'legacy', async ({ gateway, client }) => {
        await client.tools()
        bad.script[how] = ['tools/call']
        for (let call = 1; call <= 2; call++) expect(await client.tool('bad_echo')).toMatchObject({ isError: true })
        expect(bad.count('tools/call')).toBe(2)
        expect(await healthOf(gateway, 'bad')).toBe('degraded')
        const open = await client.tool('bad_echo')
        expect(open).toMatchObject({ isError: true })
        expect(open.text).toMatch(/backend "bad" .*circuitBreaker/)
        expect(bad.count('tools/call')).toBe(2)
        expect(await client.tool('good_echo', { text: 'hi' })).toMatchObject({ text: 'hi' })

        await new Promise((resolve) => setTimeout(resolve, 1_050))
        // Half-open: one call tries, those beside it are still refused.
        const [first, second] = await Promise.all([client.tool('bad_echo'), client.tool('bad_echo')])
        expect([first.isError, second.isError]).toEqual([true, true])
        expect(bad.count('tools/call')).toBe(3)
        expect((await client.tool('bad_echo')).text).toMatch(/circuitBreaker/)
        bad.script[how] = []
        await new Promise((resolve) => setTimeout(resolve, 1_050))
        expect(await client.tool('bad_echo', { text: 'b' })).toMatchObject({ text: 'b', isError: false })
        await becomes(gateway, 'bad', 'healthy')
      })
    })
  })

  test('errors of the tool itself open nothing', async () => {
    await withBackends([{}], async (only) => {
      await withGateway(
        { operational: breaking, backends: [http('only', only.url)] },
        'legacy',
        async ({ gateway, client }) => {
          await client.tools()
          only.script.unknown = ['tools/call']
          for (let call = 0; call < 4; call++) expect((await client.tool('echo')).code).toBe(-32601)
          expect(only.count('tools/call')).toBe(4)
          expect(await healthOf(gateway, 'only')).toBe('healthy')
        },
      )
    })
  })

  test('disabled: every call is tried', async () => {
    await withBackends([{ hang: ['tools/call'] }], async (only) => {
      const operational = {
        timeouts: { default: '100ms' },
        failureHandling: { circuitBreaker: { enabled: false, failureThreshold: 1 } },
      }
      await withGateway({ operational, backends: [http('only', only.url)] }, 'legacy', async ({ client }) => {
        for (let call = 0; call < 3; call++) expect((await client.tool('echo')).text).toMatch(/timed out/)
        expect(only.count('tools/call')).toBe(3)
      })
    })
  })

  const checking: JsonObject = {
    timeouts: { default: '300ms' },
    failureHandling: { healthCheckInterval: '200ms', healthCheckTimeout: '100ms', unhealthyThreshold: 2 },
  }

  test.each(['legacy', 'modern'] as const)(
    'health checks find a %s HTTP backend that hangs without closing',
    async (era) => {
      await withBackends([{}, { era }], async (good, bad) => {
        const config = { operational: checking, backends: [http('good', good.url), http('bad', bad.url)] }
        await withGateway(config, era, async ({ gateway, client }) => {
          expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
          const everything = ['ping', 'server/discover', 'initialize', 'tools/list', 'tools/call', 'prompts/list']
          bad.script.hang = [...everything, 'resources/list', 'resources/templates/list', 'subscriptions/listen']
          await becomes(gateway, 'bad', 'unhealthy', 3_000)
          expect(faults(gateway, 'bad').join()).toMatch(/no answer to a health check within 100 ms/)
          const away = await client.tool('bad_echo')
          expect(away).toMatchObject({ isError: true })
          expect(away.text).toMatch(/backend "bad" cannot be reached: no answer to a health check/)
          expect(away.ms).toBeLessThan(2_500)
          expect(bad.count('tools/call')).toBe(0)
          expect(await client.tools()).toEqual(['good_echo'])
          bad.script.hang = []
          bad.killConnections()
          await becomes(gateway, 'bad', 'healthy')
          expect(await client.tools()).toEqual(['good_echo', 'bad_echo'])
        })
      })
    },
  )

  test.each(['legacy', 'modern'] as const)(
    'health checks find a %s process that hangs, also after a client has used it',
    async (era) => {
      const config = { operational: checking, backends: [stdio('only', { era })] }
      await withGateway(config, era, async ({ gateway, client }) => {
        await becomes(gateway, 'only', 'healthy')
        const pid = Number((await client.tool('pid')).text)
        process.kill(pid, 'SIGSTOP')
        try {
          await becomes(gateway, 'only', 'unhealthy', 5_000)
          expect(faults(gateway, 'only').join()).toMatch(/no answer to a health check/)
          const fresh = await waitFor(async () => {
            const answer = await client.tool('pid')
            return !answer.isError && answer.text
          }, 8_000)
          expect(fresh).not.toBe(String(pid))
          await waitFor(() => !isAlive(pid), 6_000, 'the end of the process that hangs')
        } finally {
          killQuietly(pid)
        }
      })
    },
  )
})
