import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client'
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, test } from 'vitest'

import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { descendants, isAlive, waitFor } from '../support/processes.ts'
import { ECHO_TOOL, MALFORMED_TOOL, MODERN } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const OFFER: HttpBackendOptions = {
  instructions: 'ask nicely',
  tools: [ECHO_TOOL, { name: 'second', inputSchema: { type: 'object' } }],
  prompts: [{ name: 'greet', arguments: [{ name: 'who' }] }],
  resources: [{ uri: 'fixture://one', name: 'one' }],
  templates: [{ uriTemplate: 'fixture://items/{id}', name: 'items' }],
  completions: ['alpha', 'beta'],
}

/** What a client of either SDK can do; their types differ, the calls do not. */
type AnyClient = LegacyClient | ModernClient

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function backendOf(options: HttpBackendOptions = {}): Promise<HttpBackend> {
  const backend = await startHttpBackend({ ...OFFER, ...options })
  closers.push(() => backend.close())
  return backend
}

const modernClient = () =>
  new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: MODERN } } })
const legacyClient = () => new LegacyClient({ name: 'test', version: '1' })
const sdk2LegacyClient = () => new ModernClient({ name: 'test', version: '1' })

async function connect<T extends AnyClient>(client: T, url: string): Promise<T> {
  closers.push(() => client.close())
  if (client instanceof LegacyClient) await client.connect(new LegacyHttp(new URL(url)))
  else await client.connect(new ModernHttp(new URL(url)))
  return client
}

async function connectStdio<T extends AnyClient>(
  client: T,
  options: StdioOptions,
): Promise<{ client: T; pid: number }> {
  closers.push(() => client.close())
  const server = {
    command: process.execPath,
    args: [STDIO_BACKEND, JSON.stringify(options)],
    stderr: 'ignore' as const,
  }
  const transport = client instanceof LegacyClient ? new LegacyStdio(server) : new ModernStdio(server)
  await client.connect(transport)
  return { client, pid: transport.pid ?? 0 }
}

const echo = { name: 'echo', arguments: { text: 'hi' } }
const echoed = [{ type: 'text', text: 'hi' }]

/** SDK v1 takes the options third. */
function callTool(
  client: AnyClient,
  params: { name: string; arguments: Record<string, unknown> },
  options: { signal?: AbortSignal; timeout?: number; onprogress?: (progress: { progress: number }) => void },
) {
  return client instanceof LegacyClient ? client.callTool(params, undefined, options) : client.callTool(params, options)
}

async function textOf(client: AnyClient, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const result = await (client as ModernClient).callTool({ name, arguments: args })
  const [first] = result.content as { text: string }[]
  return first?.text ?? ''
}

describe.each([
  ['SDK v1, legacy', legacyClient],
  ['SDK v2, legacy', sdk2LegacyClient],
  ['SDK v2, modern', modernClient],
])('HTTP fixture and %s', (_, make) => {
  describe.each(['json', 'sse'] as const)('%s answers', (answer) => {
    test('offers everything that its data says', async () => {
      const backend = await backendOf({ answer })
      const client = (await connect(make(), backend.url)) as ModernClient
      expect(client.getInstructions()).toBe('ask nicely')
      expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(['echo', 'second'])
      expect((await client.listPrompts()).prompts).toHaveLength(1)
      expect((await client.listResources()).resources).toHaveLength(1)
      expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(1)
      expect((await client.callTool(echo)).content).toEqual(echoed)
      expect((await client.getPrompt({ name: 'greet' })).messages).toHaveLength(1)
      expect((await client.readResource({ uri: 'fixture://items/7' })).contents).toHaveLength(1)
      const completion = await client.complete({
        ref: { type: 'ref/prompt', name: 'greet' },
        argument: { name: 'who', value: 'al' },
      })
      expect(completion.completion.values).toEqual(['alpha'])
      await expect(client.callTool({ name: 'nobody' })).rejects.toThrow(/Unknown tool/)
      await expect(client.readResource({ uri: 'other://x' })).rejects.toThrow(/not found/i)
    })
  })

  test('reports progress before the result', async () => {
    const backend = await backendOf({ progress: { steps: 3, delayMs: 1 } })
    const client = (await connect(make(), backend.url)) as ModernClient
    const seen: number[] = []
    await callTool(client, echo, { onprogress: (progress) => seen.push(progress.progress) })
    expect(seen).toEqual([1, 2, 3])
  })

  test('records a cancellation', async () => {
    const backend = await backendOf({ hang: ['tools/call'] })
    const client = (await connect(make(), backend.url)) as ModernClient
    const abort = new AbortController()
    const call = callTool(client, echo, { signal: abort.signal })
    await waitFor(() => backend.count('tools/call'))
    abort.abort()
    await expect(call).rejects.toThrow()
    const { id } = backend.requests.find((request) => request.method === 'tools/call')!
    expect(await waitFor(() => backend.cancelled.length > 0 && backend.cancelled)).toEqual([id])
  })

  test('announces a changed list', async () => {
    const backend = await backendOf()
    const client = make()
    let changed = 0
    if (client instanceof LegacyClient) {
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changed++)
    } else client.setNotificationHandler('notifications/tools/list_changed', () => void changed++)
    await connect(client, backend.url)
    if (make === modernClient) await (client as ModernClient).listen({ toolsListChanged: true })
    await waitFor(() => backend.streams() > 0)
    backend.change('tools', [ECHO_TOOL])
    backend.change('prompts', [])
    await waitFor(() => changed > 0)
    expect((await (client as ModernClient).listTools()).tools).toHaveLength(1)
    expect(changed).toBe(1)
  })

  test('a dropped and a truncated answer fail, the next call works', async () => {
    const backend = await backendOf({ drop: ['tools/call'] })
    const client = (await connect(make(), backend.url)) as ModernClient
    await expect(client.callTool(echo)).rejects.toThrow()
    backend.script.drop = []
    backend.script.truncate = ['tools/call']
    await expect(callTool(client, echo, { timeout: 2_000 })).rejects.toThrow()
    backend.script.truncate = []
    expect((await client.callTool(echo)).content).toEqual(echoed)
  })
})

describe('HTTP fixture on the wire', () => {
  const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
  const post = (url: string, message: object, extra: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', headers: { ...headers, ...extra }, body: JSON.stringify(message) })
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const modern = (method: string, params: object = {}) => ({
    jsonrpc: '2.0',
    id: 1,
    method,
    params: { ...params, _meta: meta },
  })

  test('a legacy session: missing, unknown, forgotten, deleted', async () => {
    const backend = await backendOf({ era: 'legacy' })
    expect((await post(backend.url, list)).status).toBe(400)
    expect((await post(backend.url, list, { 'mcp-session-id': 'nobody' })).status).toBe(404)
    const client = await connect(legacyClient(), backend.url)
    backend.forgetSessions()
    await expect(client.listTools()).rejects.toThrow(/Session not found/)
    const again = await connect(legacyClient(), backend.url)
    expect(backend.sessions()).toBe(1)
    await (again.transport as unknown as LegacyHttp).terminateSession()
    expect(backend.sessions()).toBe(0)
  })

  test('modern requests must carry matching headers and an envelope', async () => {
    const backend = await backendOf()
    const version = { 'mcp-protocol-version': MODERN }
    const refused = async (message: object, extra: Record<string, string>) => {
      const response = await post(backend.url, message, extra)
      const body = (await response.json()) as { error: { code: number } }
      return [response.status, body.error.code]
    }
    expect(await refused(list, version)).toEqual([400, -32602])
    expect(await refused(modern('tools/list'), {})).toEqual([400, -32020])
    expect(await refused(modern('tools/list'), version)).toEqual([400, -32020])
    const called = { ...version, 'mcp-method': 'tools/call' }
    expect(await refused(modern('tools/call', echo), called)).toEqual([400, -32020])
    expect(await refused(modern('ping'), { ...version, 'mcp-method': 'ping' })).toEqual([404, -32601])
    const encoded = { ...called, 'mcp-name': `=?base64?${Buffer.from('echo').toString('base64')}?=` }
    expect((await post(backend.url, modern('tools/call', echo), encoded)).status).toBe(200)
  })

  test('one era only refuses the other', async () => {
    const legacy = await backendOf({ era: 'legacy' })
    await expect(connect(modernClient(), legacy.url)).rejects.toThrow()
    const auto = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    await connect(auto, legacy.url)
    expect(auto.getNegotiatedProtocolVersion()).toBe('2025-11-25')
    const onlyModern = await backendOf({ era: 'modern' })
    await expect(connect(legacyClient(), onlyModern.url)).rejects.toThrow()
    expect((await fetch(onlyModern.url, { headers: { accept: 'text/event-stream' } })).status).toBe(405)
  })

  test('pages, the empty cursor included', async () => {
    const backend = await backendOf({ pageSize: 1, emptyCursor: true })
    const client = await connect(legacyClient(), backend.url)
    const first = await client.listTools()
    expect(first.nextCursor).toBe('')
    expect((await client.listTools({ cursor: '' })).tools[0]?.name).toBe('second')
    await expect(client.listTools({ cursor: 'x' })).rejects.toThrow(/cursor/)
  })

  test('lies, malformed tools, restarts, slow starts', async () => {
    const lying = await backendOf({ unknown: ['resources/list'], tools: [ECHO_TOOL, MALFORMED_TOOL] })
    const client = await connect(legacyClient(), lying.url)
    expect(client.getServerCapabilities()?.resources).toBeDefined()
    await expect(client.listResources()).rejects.toThrow(/-32601/)
    await expect(client.listTools()).rejects.toThrow()
    await lying.stop()
    await expect(fetch(lying.url)).rejects.toThrow()
    await lying.start()
    await connect(legacyClient(), lying.url)
    const slow = await startHttpBackend({ ...OFFER, slowStartMs: 200 })
    closers.push(() => slow.close())
    const started = Date.now()
    await connect(legacyClient(), slow.url)
    expect(Date.now() - started).toBeGreaterThan(150)
  })

  test('asks its clients', async () => {
    const backend = await backendOf()
    await connect(legacyClient(), backend.url)
    await waitFor(() => backend.streams() > 0)
    expect(await backend.ask('roots/list', {})).toMatchObject({ error: { code: -32601 } })
  })
})

describe.each([
  ['SDK v1, legacy', legacyClient],
  ['SDK v2, modern', modernClient],
])('stdio fixture and %s', (_, make) => {
  test('keeps state per process and tells about itself', async () => {
    const { client, pid } = await connectStdio(make(), { banner: ['hello', '{not json'], chatter: 'noise' })
    expect(await textOf(client, 'echo', { text: 'hi' })).toBe('hi')
    expect(await textOf(client, 'pid')).toBe(String(pid))
    expect([await textOf(client, 'counter'), await textOf(client, 'counter')]).toEqual(['1', '2'])
    expect(JSON.parse(await textOf(client, 'environment'))).toHaveProperty('PATH')
  })

  test('reports progress and remembers cancellations', async () => {
    const { client } = await connectStdio(make(), {})
    const seen: number[] = []
    const abort = new AbortController()
    const call = callTool(
      client,
      { name: 'slow', arguments: { steps: 100, delayMs: 5 } },
      { onprogress: (progress) => seen.push(progress.progress), signal: abort.signal },
    )
    await waitFor(() => seen.length > 2)
    abort.abort()
    await expect(call).rejects.toThrow()
    expect(seen.slice(0, 3)).toEqual([1, 2, 3])
    expect(JSON.parse(await textOf(client, 'cancelled'))).toHaveLength(1)
  })

  test('a crash takes the process', async () => {
    const { client, pid } = await connectStdio(make(), {})
    await expect(textOf(client, 'crash')).rejects.toThrow()
    await waitFor(() => !isAlive(pid))
  })
})

describe('stdio fixture as a process', () => {
  function start(options: StdioOptions) {
    const child = spawn(process.execPath, [STDIO_BACKEND, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const lines: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n').filter(Boolean)))
    const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
    closers.push(() => child.kill('SIGKILL'))
    const ask = (method: string, params: object = {}) =>
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`)
    return { child, lines, exited, ask }
  }
  const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }

  test('legacy servers answer the modern probe with an error, an exit or silence', async () => {
    const polite = start({ era: 'legacy' })
    polite.ask('server/discover')
    expect(await waitFor(() => polite.lines[0])).toContain('-32601')
    const brittle = start({ era: 'legacy', discover: 'exit' })
    brittle.ask('server/discover')
    expect(await brittle.exited).toBe(1)
    const silent = start({ era: 'legacy', discover: 'silent', banner: ['ready'], noise: 'busy' })
    silent.ask('server/discover')
    silent.ask('initialize', initialize)
    await waitFor(() => silent.lines.length > 2)
    expect(silent.lines.slice(0, 2)).toEqual(['ready', 'busy'])
    expect(silent.lines[2]).toContain('"protocolVersion":"2025-11-25"')
  })

  test('the end of stdin ends it, unless it is stubborn', async () => {
    const tame = start({})
    tame.child.stdin.end()
    expect(await tame.exited).toBe(0)
    const stubborn = start({ stubborn: true, grandchild: true, banner: ['up'] })
    await waitFor(() => stubborn.lines.length > 0)
    const pid = stubborn.child.pid ?? 0
    const grandchild = await waitFor(() => descendants(pid)[0])
    closers.push(() => process.kill(grandchild, 'SIGKILL'))
    stubborn.child.stdin.end()
    stubborn.child.kill('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(isAlive(pid)).toBe(true)
    stubborn.child.kill('SIGKILL')
    await waitFor(() => !isAlive(pid))
    expect(isAlive(grandchild)).toBe(true)
  })

  test('may fail at start', async () => {
    expect(await start({ exitAtStart: 7 }).exited).toBe(7)
  })
})
