import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Client as Sdk2, SSEClientTransport as Sdk2Sse } from '@modelcontextprotocol/client'
import { Client as Sdk1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as Sdk1Sse } from '@modelcontextprotocol/sdk/client/sse.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { onListChanged, textOf } from '../support/clients.ts'
import { follow, type Followed } from '../support/events.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { rawRequest, requestBytes } from '../support/raw-http.ts'
import { ECHO_TOOL } from '../support/script.ts'

const INSPECTOR = fileURLToPath(new URL('../../node_modules/.bin/mcp-inspector', import.meta.url))

let backend: HttpBackend
let gateway: TestGateway
let base: string
let port: number
const open: (() => unknown)[] = []

beforeEach(async () => {
  backend = await startHttpBackend({ era: 'legacy', tools: [ECHO_TOOL] })
  gateway = await startGateway({ backends: [{ name: 'one', url: backend.url }], maxRequestBytes: 100_000 })
  base = gateway.url.slice(0, -'/mcp'.length)
  port = Number(new URL(base).port)
})
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
  await gateway.close()
  await backend.close()
})

interface SseWire {
  stream: Followed
  path: string
  post: (message: JsonObject | JsonObject[]) => Promise<Response>
}

async function sseWire(revision = '2024-11-05', capabilities: JsonObject = {}): Promise<SseWire> {
  const stream = await follow(`${base}/sse`, { headers: { accept: 'text/event-stream' } })
  open.push(() => stream.close())
  const path = (await waitFor(() => stream.events[0])).data
  expect(stream.events[0]).toMatchObject({ event: 'endpoint', id: undefined })
  expect(path).toMatch(/^\/messages\?sessionId=[\w-]{36}$/)
  stream.events.length = 0
  const post = (message: JsonObject | JsonObject[]) =>
    fetch(base + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
    })
  const params = { protocolVersion: revision, capabilities, clientInfo: { name: 'sse', version: '1' } }
  expect((await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params })).status).toBe(202)
  await waitFor(() => stream.messages().length > 0)
  expect(stream.messages()[0]).toMatchObject({ id: 0, result: { protocolVersion: revision } })
  await post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  stream.events.length = 0
  return { stream, path, post }
}

const call = (id: number, text = 'hi', token?: number): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text }, ...(token !== undefined && { _meta: { progressToken: token } }) },
})

describe.each([
  ['SDK v1', () => new Sdk1({ name: 'test', version: '1' }), (url: URL) => new Sdk1Sse(url)],
  ['SDK v2', () => new Sdk2({ name: 'test', version: '1' }), (url: URL) => new Sdk2Sse(url)],
] as const)('%s', (_name, makeClient, makeTransport) => {
  test('lists, calls with progress, hears of changes, cancels; leaving ends the session', async () => {
    const changed: string[] = []
    const made = makeClient()
    onListChanged(made, (list) => changed.push(list))
    const client = made as Sdk2
    await client.connect(makeTransport(new URL(`${base}/sse`)))
    open.push(() => client.close())
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo'])
    backend.script.progress = { steps: 3, delayMs: 20 }
    const seen: number[] = []
    const options = { onprogress: ({ progress }: { progress: number }) => seen.push(progress) }
    const params = { name: 'echo', arguments: { text: 'hi' } }
    const result =
      made instanceof Sdk1 ? await made.callTool(params, undefined, options) : await made.callTool(params, options)
    expect(textOf(result)).toBe('hi')
    expect(seen).toEqual([1, 2, 3])
    await waitFor(() => backend.streams() > 0)
    backend.change('tools', [ECHO_TOOL, { ...ECHO_TOOL, name: 'late' }])
    await waitFor(() => changed.length > 0)
    expect(changed).toEqual(['tools'])
    const before = backend.sessions()
    await client.close()
    await waitFor(() => backend.sessions() < before)
  })
})

test('the inspector', async () => {
  const home = await mkdtemp(join(tmpdir(), 'vmcp-inspector-'))
  open.push(() => rm(home, { recursive: true }))
  const args = [
    INSPECTOR,
    '--cli',
    `${base}/sse`,
    '--transport',
    'sse',
    '--method',
    'tools/list',
    '-q',
    '--format',
    'json',
  ]
  const child = spawn(process.execPath, args, { env: { ...process.env, HOME: home } })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(0)
  expect(stdout).toContain('"echo"')
})

test.each(['2024-11-05', '2025-06-18', '2025-11-25'])('a client of %s', async (revision) => {
  const { stream, post } = await sseWire(revision)
  await post(call(1))
  await waitFor(() => stream.messages().length === 1)
  expect(stream.messages()[0]).toMatchObject({ id: 1, result: { content: [{ text: 'hi' }] } })
})

test('what cannot be served is refused at once', async () => {
  const { path } = await sseWire()
  const status = async (request: Parameters<typeof rawRequest>[1]) => (await rawRequest(port, request)).status
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })
  expect(await status({ path, body })).toBe(202)
  expect(await status({ path: '/messages', body })).toBe(400)
  expect(await status({ path: '/messages?sessionId=', body })).toBe(404)
  expect(await status({ path: '/messages?sessionId=__proto__', body })).toBe(404)
  expect(await status({ path, body, headers: { 'content-type': 'text/plain' } })).toBe(415)
  expect(await status({ path, body, headers: { host: 'evil.example' } })).toBe(403)
  expect(await status({ path, body, headers: { origin: 'https://evil.example' } })).toBe(403)
  expect(await status({ path, body: 'x'.repeat(100_001) })).toBe(413)
  for (const text of ['', '{', '[]', 'null', '{"jsonrpc":"2.0","id":1}']) {
    expect([text, await status({ path, body: text })]).toEqual([text, text === '[]' ? 202 : 400])
  }
  expect(await status({ path, method: 'GET' })).toBe(405)
  expect(await status({ path: '/sse', body })).toBe(405)
  expect(await status({ path: '/sse', method: 'GET', headers: { accept: 'application/json' } })).toBe(406)
  expect(await status({ path: '/sse', method: 'GET', headers: { host: 'evil.example' } })).toBe(403)
  expect(await status({ path: '/sse', method: 'OPTIONS' })).toBe(204)
})

test('requests before the handshake, and unknown methods, are answered on the stream', async () => {
  const stream = await follow(`${base}/sse`, { headers: { accept: 'text/event-stream' } })
  open.push(() => stream.close())
  const { data } = await waitFor(() => stream.events[0])
  stream.events.length = 0
  const post = (method: string, id: number) =>
    fetch(base + data, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params: {} }),
    })
  await post('ping', 1)
  await post('tools/list', 2)
  await post('initialize', 3)
  await waitFor(() => stream.messages().length === 3)
  const codes = stream.messages().map(({ id, error }) => [id, (error as { code?: number } | undefined)?.code])
  expect(codes).toEqual([
    [1, undefined],
    [2, -32600],
    [3, -32602],
  ])
})

test('leaving cancels what is running', async () => {
  const { stream, path, post } = await sseWire()
  backend.script.hang = ['tools/call']
  await post(call(1))
  await waitFor(() => backend.count('tools/call') === 1)
  stream.close()
  await waitFor(() => backend.cancelled.length === 1)
  expect((await rawRequest(port, { path, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' })).status).toBe(404)
})

test('a client that does not read loses its stream, and what it waits for is cancelled', async () => {
  const socket = connect(port, '127.0.0.1')
  open.push(() => socket.destroy())
  socket.write(requestBytes({ method: 'GET', path: '/sse', headers: { accept: 'text/event-stream' } }))
  let text = ''
  socket.setEncoding('utf8').on('data', (more: string) => (text += more))
  const path = await waitFor(() => /data: (\S+)/.exec(text)?.[1])
  const post = async (message: JsonObject) =>
    (await rawRequest(port, { path, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })).status
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'deaf', version: '1' } }
  await post({ id: 0, method: 'initialize', params })
  await waitFor(() => text.includes('"result"'))
  socket.pause()
  const large = 'x'.repeat(90_000)
  let status = 202
  for (let id = 1; id < 500 && status === 202; id++) status = await post(call(id, large))
  // Kernel buffers take a few megabytes; a hundred would do as well if nothing held them back.
  expect(status).toBe(404)
})
