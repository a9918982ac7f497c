import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { legacyClient, modernClient, type RawClient } from '../support/raw-client.ts'
import { ECHO_TOOL, pause, type Exchange } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))
const CLIENTS = { legacy: legacyClient, modern: modernClient }
type Era = keyof typeof CLIENTS
const ERAS: Era[] = ['legacy', 'modern']
/** Every client in front of every backend. */
const CELLS = ERAS.flatMap((client) => ERAS.map((backend) => ({ client, backend })))
/** How much later than its limit a call may end on a busy machine. */
const SLACK_MS = 1_500

/** Waits as long as the argument says, with a notification every 50 ms for those who asked for progress. */
async function work(_: string, args: JsonObject, exchange: Exchange): Promise<JsonObject> {
  const meta = exchange.params['_meta'] as JsonObject | undefined
  const until = Date.now() + Number(args['ms'] ?? 0)
  for (let progress = 1; Date.now() < until && !exchange.signal.aborted; progress++) {
    await pause(Math.min(50, until - Date.now()), exchange.signal)
    const token = meta?.['progressToken']
    if (token !== undefined) exchange.notify('notifications/progress', { progressToken: token, progress })
  }
  return { content: [{ type: 'text', text: 'done' }] }
}

const TOOLS = [ECHO_TOOL, { name: 'work', inputSchema: { type: 'object' } }]

interface Scene {
  backend: HttpBackend
  client: RawClient
}

async function scene(
  era: Era,
  options: HttpBackendOptions,
  timeouts: JsonObject,
  play: (scene: Scene) => Promise<void>,
): Promise<void> {
  const backend = await startHttpBackend({ tools: TOOLS, prompts: [{ name: 'greet' }], call: work, ...options })
  try {
    await behind(era, [{ name: 'only', url: backend.url }], timeouts, (client) => play({ backend, client }))
  } finally {
    await backend.close()
  }
}

async function behind(
  era: Era,
  backends: JsonObject[],
  timeouts: JsonObject,
  play: (client: RawClient) => Promise<void>,
): Promise<void> {
  const gateway = await startGateway({ operational: { timeouts }, backends })
  try {
    const client = await CLIENTS[era](gateway.url)
    try {
      await client.tools()
      await play(client)
    } finally {
      await client.close()
    }
  } finally {
    await gateway.close()
  }
}

const stdio = (options: StdioOptions): JsonObject => ({
  name: 'only',
  command: process.execPath,
  args: [STDIO_BACKEND, JSON.stringify(options)],
})

describe.concurrent('which limit counts', () => {
  const rows: { how: string; timeouts: JsonObject; ms: number; key: string }[] = [
    { how: 'default', timeouts: { default: '200ms' }, ms: 200, key: 'operational.timeouts.default' },
    {
      how: 'perWorkload before default',
      timeouts: { default: '100ms', perWorkload: { only: '400ms' } },
      ms: 400,
      key: 'operational.timeouts.perWorkload.only',
    },
    {
      how: 'perTool before perWorkload, shorter or longer',
      timeouts: { default: '5s', perWorkload: { only: '4s' }, perTool: { work: '250ms' } },
      ms: 250,
      key: 'operational.timeouts.perTool.work',
    },
    {
      how: 'max before all',
      timeouts: { default: '5s', perTool: { work: '4s' }, max: '300ms' },
      ms: 300,
      key: 'operational.timeouts.max',
    },
  ]
  test.each(rows)('$how', async ({ timeouts, ms, key }) => {
    await scene('legacy', { era: 'legacy', hang: ['tools/call'] }, timeouts, async ({ backend, client }) => {
      const answer = await client.tool('work')
      expect(answer).toMatchObject({ isError: true, code: undefined })
      expect(answer.text).toMatch(/backend "only" .*timed out/)
      expect(answer.text).toContain(`${ms / 1000} s (key: ${key})`)
      expect(answer.ms).toBeGreaterThan(ms - 10)
      expect(answer.ms).toBeLessThan(ms + SLACK_MS)
      expect(backend.count('tools/call')).toBe(1)
    })
  })

  test('another tool of the same backend keeps its own limit', async () => {
    const timeouts = { default: '150ms', perTool: { work: '2s' } }
    await scene('legacy', { era: 'legacy', delayMs: 400 }, timeouts, async ({ client }) => {
      const [slow, short] = await Promise.all([client.tool('work'), client.tool('echo', { text: 'x' })])
      expect(slow).toMatchObject({ text: 'done', isError: false })
      expect(short.text).toContain('(key: operational.timeouts.default)')
    })
  })

  test('perTool means the shown name', async () => {
    const one = await startHttpBackend({ tools: TOOLS, hang: ['tools/call'] })
    const two = await startHttpBackend({ tools: TOOLS, hang: ['tools/call'] })
    try {
      const backends = [
        { name: 'one', url: one.url },
        { name: 'two', url: two.url },
      ]
      const timeouts = { default: '200ms', perTool: { two_work: '100ms', work: '10s' } }
      await behind('legacy', backends, timeouts, async (client) => {
        const [first, second] = await Promise.all([client.tool('one_work'), client.tool('two_work')])
        expect(first.text).toContain('0.2 s (key: operational.timeouts.default)')
        expect(second.text).toContain('0.1 s (key: operational.timeouts.perTool.two_work)')
      })
    } finally {
      await Promise.all([one.close(), two.close()])
    }
  })

  test('prompts, reads and completions have the same limits and end in -32603', async () => {
    const hang = ['prompts/get', 'resources/read', 'completion/complete']
    const offer = { resources: [{ uri: 'fixture://one', name: 'one' }], completions: ['a'] }
    await scene('modern', { era: 'legacy', hang, ...offer }, { default: '200ms' }, async ({ backend, client }) => {
      const argument = { name: 'a', value: '' }
      const answers = await Promise.all([
        client.request('prompts/get', { name: 'greet' }),
        client.request('resources/read', { uri: 'fixture://one' }),
        client.request('completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument }),
      ])
      for (const { error } of answers) {
        expect(error).toMatchObject({
          code: -32603,
          message: expect.stringContaining('key: operational.timeouts.default') as string,
        })
      }
      await waitFor(() => backend.cancelled.length === 3)
    })
  })
})

describe.concurrent('silence counts, signs of life do not', () => {
  test.each(CELLS)(
    'progress keeps a call alive: $client client, $backend backend',
    async ({ client: era, backend }) => {
      await scene(era, { era: backend }, { default: '250ms' }, async ({ client }) => {
        const noisy = client.tool('work', { ms: 900 }, { progressToken: 7 })
        const silent = client.tool('work', { ms: 900 })
        expect(await noisy).toMatchObject({ text: 'done', isError: false })
        expect(await silent).toMatchObject({ isError: true })
      })
    },
  )

  test.each(ERAS)('progress over stdio, %s', async (era) => {
    await behind(era, [stdio({ era })], { default: '400ms' }, async (client) => {
      const args = { steps: 12, delayMs: 100 }
      const noisy = client.tool('slow', args, { progressToken: 'p' })
      const silent = client.tool('slow', args)
      expect(await noisy).toMatchObject({ text: 'slept 12 times', isError: false })
      expect((await silent).text).toMatch(/timed out/)
    })
  })

  test.each(CELLS)('max is the hard cap: $client client, $backend backend', async ({ client: era, backend }) => {
    const timeouts = { default: '250ms', max: '700ms' }
    await scene(era, { era: backend }, timeouts, async ({ backend, client }) => {
      const answer = await client.tool('work', { ms: 5_000 }, { progressToken: 7 })
      expect(answer).toMatchObject({ isError: true })
      expect(answer.text).toContain('0.7 s (key: operational.timeouts.max)')
      expect(answer.ms).toBeGreaterThan(690)
      expect(answer.ms).toBeLessThan(700 + SLACK_MS)
      await waitFor(() => backend.cancelled.length > 0)
    })
  })

  /** 600 kB in pieces, each well within the limit, all of them far beyond it. */
  const drip = (
    backend: HttpBackend,
    form: 'json' | 'sse',
    stopAfter = 12,
  ): NonNullable<HttpBackend['script']['intercept']> => {
    return (_, response) => {
      const { id } = backend.requests.at(-1) ?? {}
      const text = JSON.stringify({
        jsonrpc: '2.0',
        id,
        result: { content: [{ type: 'text', text: 'x'.repeat(600_000) }] },
      })
      const head = form === 'sse' ? 'event: message\ndata: ' : ''
      response.writeHead(200, { 'content-type': form === 'sse' ? 'text/event-stream' : 'application/json' })
      response.write(head)
      let sent = 0
      const timer = setInterval(() => {
        if (sent === stopAfter) return clearInterval(timer)
        response.write(text.slice(sent * 50_100, ++sent * 50_100))
        if (sent === 12) response.end(form === 'sse' ? '\n\n' : '')
      }, 80)
      response.on('close', () => clearInterval(timer))
    }
  }

  test.each([
    { form: 'json', client: 'legacy' },
    { form: 'json', client: 'modern' },
    { form: 'sse', client: 'legacy' },
  ] as const)(
    'a large $form result that drips is not cut by the default, $client client',
    async ({ form, client: era }) => {
      await scene(era, { era: 'legacy' }, { default: '250ms' }, async ({ backend, client }) => {
        // The session of this client exists before the server misbehaves.
        await client.tool('echo', { text: 'x' })
        backend.script.intercept = drip(backend, form)
        const answer = await client.tool('work')
        expect(answer.isError).toBe(false)
        expect(answer.text).toHaveLength(600_000)
        expect(answer.ms).toBeGreaterThan(900)
      })
    },
  )

  test.each(['json', 'sse'] as const)('a large %s result that stops half-way is cut', async (form) => {
    await scene('legacy', { era: 'legacy' }, { default: '250ms' }, async ({ backend, client }) => {
      await client.tool('echo', { text: 'x' })
      backend.script.intercept = drip(backend, form, 6)
      const started = performance.now()
      const outcome = await client.tool('work').catch((error: unknown) => error)
      expect(performance.now() - started).toBeLessThan(6 * 80 + 250 + SLACK_MS)
      // Either nothing has gone out yet, or the body breaks off; never half a result that looks whole.
      if (outcome instanceof Error) expect(outcome.message).toMatch(/terminated|JSON/)
      else expect(outcome).toMatchObject({ isError: true })
    })
  })

  test('a large result that drips is cut by max', async () => {
    await scene('legacy', { era: 'legacy' }, { default: '250ms', max: '500ms' }, async ({ backend, client }) => {
      await client.tool('echo', { text: 'x' })
      backend.script.intercept = drip(backend, 'json')
      const started = performance.now()
      await expect(client.tool('work')).rejects.toThrow(/terminated|JSON/)
      expect(performance.now() - started).toBeLessThan(500 + SLACK_MS)
    })
  })
})

describe.concurrent('expiry cancels upstream', () => {
  test.each(CELLS)('$client client, $backend backend over HTTP', async ({ client: era, backend }) => {
    await scene(era, { era: backend }, { default: '200ms' }, async ({ backend, client }) => {
      expect(await client.tool('work', { ms: 5_000 })).toMatchObject({ isError: true })
      const { id } = backend.requests.find(({ method }) => method === 'tools/call') ?? {}
      await waitFor(() => backend.cancelled.length > 0)
      expect(backend.cancelled).toEqual([id])
      // The stream is closed as well, so nothing keeps a connection of the pool.
      await waitFor(() => backend.abandoned.some((each) => each.id === id))
      const cancelled = backend.requests.filter(({ method }) => method === 'notifications/cancelled')
      expect(cancelled).toHaveLength(backend.script.era === 'legacy' ? 1 : 0)
      expect(await client.tool('echo', { text: 'x' })).toMatchObject({ isError: false })
    })
  })

  test.each(CELLS)('$client client, $backend backend over stdio', async ({ client: era, backend }) => {
    await behind(era, [stdio({ era: backend })], { default: '300ms' }, async (client) => {
      const pid = (await client.tool('pid')).text
      expect((await client.tool('slow', { steps: 1, delayMs: 10_000 })).text).toMatch(/timed out/)
      expect(JSON.parse((await client.tool('cancelled')).text)).toHaveLength(1)
      // The process is not to blame.
      expect((await client.tool('pid')).text).toBe(pid)
    })
  })

  test('an answer that comes too late is thrown away', async () => {
    await behind('legacy', [stdio({ era: 'legacy', delayMs: 400 })], { default: '250ms' }, async (client) => {
      expect((await client.tool('echo', { text: 'late' })).text).toMatch(/timed out/)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect((await client.tool('echo', { text: 'later' })).text).toMatch(/timed out/)
    })
  })

  test('the client that gives up cancels upstream before the limit', async () => {
    for (const backend of ERAS) {
      await scene('modern', { era: backend }, { default: '20s' }, async ({ backend, client }) => {
        const abort = new AbortController()
        const params = { name: 'work', arguments: { ms: 10_000 } }
        const call = client.request('tools/call', params, abort.signal)
        await waitFor(() => backend.count('tools/call') > 0)
        abort.abort()
        await expect(call).rejects.toThrow()
        await waitFor(() => backend.cancelled.length > 0)
      })
    }
  })
})
