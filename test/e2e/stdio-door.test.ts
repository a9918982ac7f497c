import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { afterEach, describe, expect, test } from 'vitest'

import { StdioDoor } from '../../src/gateway/face/stdio.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { connectStdio, onListChanged, textOf, type ClientKind, type Peer } from '../support/clients.ts'
import { startGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { descendants, isAlive, waitFor } from '../support/processes.ts'
import { ECHO_TOOL, META, MODERN } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** The command line of a gateway over a scripted HTTP backend `remote` and a noisy process `local`, with a child. */
async function command(local: StdioOptions = {}): Promise<{ args: string[]; remote: HttpBackend }> {
  const remote = await startHttpBackend({
    tools: [ECHO_TOOL],
    prompts: [{ name: 'greet' }],
    resources: [{ uri: 'fixture://one', name: 'one' }],
    completions: ['alpha'],
    progress: { steps: 3, delayMs: 2 },
  })
  open.push(() => remote.close())
  const folder = await mkdtemp(join(tmpdir(), 'vmcp-stdio-'))
  open.push(() => rm(folder, { recursive: true }))
  const file = join(folder, 'vmcp.yaml')
  const noise = { banner: ['welcome', '{not json'], noise: 'busy', chatter: 'chatter', grandchild: true, ...local }
  const config = {
    backends: [
      { name: 'remote', url: remote.url },
      { name: 'local', command: process.execPath, args: [STDIO_BACKEND, JSON.stringify(noise)] },
    ],
  }
  await writeFile(file, JSON.stringify(config))
  return { args: [MAIN, 'serve', file, '--transport', 'stdio', '--log-level', 'debug'], remote }
}

async function connected(kind: ClientKind, prepare?: Parameters<typeof connectStdio>[2]) {
  const { args, remote } = await command()
  const peer = await connectStdio(kind, args, prepare)
  open.push(() => peer.close())
  return { peer, remote }
}

const KINDS: ClientKind[] = ['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern']
const names = async ({ client }: Peer) => (await client.listTools()).tools.map(({ name }) => name)

describe.each(KINDS)('%s over stdio', (kind) => {
  test('lists, calls, reads, prompts, completion, progress; when the client closes, everything that was started ends', async () => {
    const { peer } = await connected(kind)
    expect(peer.client.getServerVersion()?.name).toBe('vmcp')
    expect(await names(peer)).toEqual(expect.arrayContaining(['remote_echo', 'local_counter']))
    const seen: number[] = []
    const echoed = await peer.call(
      { name: 'remote_echo', arguments: { text: 'hi\n\u2028' } },
      { onprogress: ({ progress }) => seen.push(progress) },
    )
    expect(textOf(echoed)).toBe('hi\n\u2028')
    expect(seen).toEqual([1, 2, 3])
    expect(textOf(await peer.call({ name: 'local_counter' }))).toBe('1')
    expect(textOf(await peer.call({ name: 'local_counter' }))).toBe('2')
    expect((await peer.client.readResource({ uri: 'fixture://one' })).contents).toHaveLength(1)
    expect((await peer.client.getPrompt({ name: 'remote_greet' })).messages).toHaveLength(1)
    const ref = { type: 'ref/prompt', name: 'remote_greet' } as const
    const { completion } = await peer.client.complete({ ref, argument: { name: 'x', value: 'a' } })
    expect(completion.values).toEqual(['alpha'])
    await expect(peer.call({ name: 'nobody' })).rejects.toMatchObject({ code: -32602 })
    if (peer.era === 'legacy') await peer.client.ping()
    const family = [peer.pid, ...descendants(peer.pid)]
    expect(family.length).toBeGreaterThanOrEqual(3)
    await peer.close()
    await waitFor(() => family.every((pid) => !isAlive(pid)))
  })

  test('a changed list is announced', async () => {
    const changed: string[] = []
    const { peer, remote } = await connected(kind, (client) => onListChanged(client, (list) => changed.push(list)))
    await peer.client.listTools()
    if (peer.era === 'modern') await peer.client.listen({ toolsListChanged: true })
    await waitFor(() => remote.streams() > 0)
    // The backends that were listed after the handshake have been announced before the list was given.
    changed.length = 0
    remote.change('tools', [ECHO_TOOL, { ...ECHO_TOOL, name: 'late' }])
    await waitFor(() => changed.length > 0)
    expect(changed).toEqual(['tools'])
    expect(textOf(await peer.call({ name: 'remote_late', arguments: { text: 'x' } }))).toBe('x')
  })

  test('a cancellation reaches both backends and nobody else', async () => {
    const { peer, remote } = await connected(kind)
    await names(peer)
    const aborts = [new AbortController(), new AbortController()]
    delete remote.script.progress
    remote.script.hang = ['tools/call']
    const seen: number[] = []
    const calls = [
      peer.call({ name: 'remote_echo', arguments: {} }, { signal: aborts[0]!.signal }),
      peer.call(
        { name: 'local_slow', arguments: { steps: 1000, delayMs: 5 } },
        { signal: aborts[1]!.signal, onprogress: ({ progress }) => seen.push(progress) },
      ),
    ]
    const other = peer.call({ name: 'local_slow', arguments: { steps: 1, delayMs: 300 } })
    await waitFor(() => remote.count('tools/call') > 0 && seen.length > 0)
    for (const abort of aborts) abort.abort()
    for (const call of calls) await expect(call).rejects.toThrow()
    expect(textOf(await other)).toBe('slept 1 times')
    await waitFor(() => remote.cancelled.length > 0)
    expect(remote.cancelled).toHaveLength(1)
    expect(JSON.parse(textOf(await peer.call({ name: 'local_cancelled' })))).toHaveLength(1)
  })
})

test('a client that probes first finds the modern era', async () => {
  const { peer } = await connected('SDK v2, auto')
  expect(peer.client.getNegotiatedProtocolVersion()).toBe(MODERN)
  expect(textOf(await peer.call({ name: 'remote_echo', arguments: { text: 'x' } }))).toBe('x')
})

interface Raw {
  send(message: JsonObject | string): void
  /** Every line of standard output. */
  lines: string[]
  /** The response with this id. */
  answer(id: JsonValue): Promise<JsonObject>
  end(): void
  signal(signal: NodeJS.Signals): void
  exited: Promise<number | null>
  pid: number
}

async function raw(local?: StdioOptions): Promise<Raw> {
  const { args } = await command(local)
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  const pid = child.pid ?? 0
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
  open.push(async () => {
    child.stdin.end()
    child.kill('SIGTERM')
    await exited
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const find = (id: JsonValue) =>
    lines.map((line) => JSON.parse(line) as JsonObject).find((message) => message['id'] === id && !message['method'])
  return {
    send: (message) => child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`),
    lines,
    answer: (id) => waitFor(() => find(id), 15_000),
    end: () => child.stdin.end(),
    signal: (signal) => void child.kill(signal),
    exited,
    pid,
  }
}

const envelope = { [META.version]: MODERN, [META.capabilities]: {} }
const modern = (id: JsonValue, method: string, params: JsonObject = {}): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method,
  params: { ...params, _meta: envelope },
})

test('standard output carries the protocol and nothing else; the end of the input ends everything with code 0', async () => {
  const door = await raw()
  door.send(modern(0, 'tools/list'))
  await door.answer(0)
  door.send(modern('', 'tools/call', { name: 'local_counter' }))
  await door.answer('')
  door.send('no json')
  door.send({ jsonrpc: '2.0', method: 'notifications/nobody' })
  door.send(modern('ping', 'ping'))
  expect(await door.answer('ping')).toMatchObject({ error: { code: -32601 } })
  const family = descendants(door.pid)
  expect(family.length).toBeGreaterThanOrEqual(2)
  door.end()
  expect(await door.exited).toBe(0)
  await waitFor(() => family.every((pid) => !isAlive(pid)))
  const messages = door.lines.map((line) => JSON.parse(line) as JsonObject)
  expect(messages.every((message) => message['jsonrpc'] === '2.0')).toBe(true)
  expect(messages.map(({ id }) => id)).toEqual([0, '', null, 'ping'])
})

test('calls that run when the input ends are answered', async () => {
  const door = await raw()
  door.send(modern(1, 'tools/list'))
  await door.answer(1)
  door.send(modern(2, 'tools/call', { name: 'local_slow', arguments: { steps: 1, delayMs: 200 } }))
  door.end()
  expect(await door.exited).toBe(0)
  expect(await door.answer(2)).toMatchObject({ result: { content: [{ text: 'slept 1 times' }] } })
})

const SLOW = modern(1, 'tools/call', { name: 'local_slow', arguments: { steps: 1, delayMs: 60_000 } })

describe('a client that closes our input and then sends SIGTERM leaves nobody behind', () => {
  test.each([
    ['a call hangs', {}],
    ['a call hangs in a process that ends by force only', { stubborn: true }],
    ['a process has not started to listen', { stubborn: true, slowStartMs: 60_000 }],
  ] as const)('%s: exit 143', async (_, local) => {
    const door = await raw(local)
    await waitFor(() => descendants(door.pid).length >= 2, 15_000)
    // A call of a process that is still starting waits for it.
    door.send(SLOW)
    if (!('slowStartMs' in local)) {
      door.send(modern(2, 'tools/call', { name: 'local_pid' }))
      await door.answer(2)
    }
    const family = descendants(door.pid)
    door.end()
    await sleep(50)
    door.signal('SIGTERM')
    const began = performance.now()
    expect(await door.exited).toBe(143)
    // The official SDKs send SIGKILL two seconds after SIGTERM. It takes half a second, and longer on a busy machine.
    expect(performance.now() - began).toBeLessThan(4_000)
    await waitFor(() => family.every((pid) => !isAlive(pid)), 100)
  })

  test('nothing runs: exit 0', async () => {
    const door = await raw({ stubborn: true })
    door.send(modern(1, 'tools/call', { name: 'local_pid' }))
    await door.answer(1)
    const family = descendants(door.pid)
    door.end()
    await sleep(50)
    door.signal('SIGTERM')
    expect(await door.exited).toBe(0)
    await waitFor(() => family.every((pid) => !isAlive(pid)), 100)
  })
})

test('a message that is too large is refused by its id; what runs and what comes after is served', async () => {
  const door = await raw()
  door.send(modern(1, 'tools/list'))
  await door.answer(1)
  door.send(modern(2, 'tools/call', { name: 'local_slow', arguments: { steps: 1, delayMs: 300 } }))
  door.send(modern(3, 'tools/call', { name: 'remote_echo', arguments: { text: 'x'.repeat(9 << 20) } }))
  expect(await door.answer(3)).toMatchObject({
    error: { code: -32600, message: expect.stringContaining('maxRequestBytes') },
  })
  expect(await door.answer(2)).toMatchObject({ result: { content: [{ text: 'slept 1 times' }] } })
  door.send(modern(4, 'tools/call', { name: 'remote_echo', arguments: { text: 'after' } }))
  expect(await door.answer(4)).toMatchObject({ result: { content: [{ text: 'after' }] } })
})

test('both eras on one pipe, legacy requests only after the handshake', async () => {
  const door = await raw()
  const legacy = (id: JsonValue, method: string, params: JsonObject = {}) => ({ jsonrpc: '2.0', id, method, params })
  door.send(legacy(1, 'tools/list'))
  expect(await door.answer(1)).toHaveProperty('error')
  door.send(legacy(2, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} }))
  expect(await door.answer(2)).toMatchObject({ result: { protocolVersion: '2025-06-18' } })
  door.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
  door.send(legacy(3, 'tools/list'))
  expect((await door.answer(3))['result']).not.toHaveProperty('resultType')
  door.send(modern(4, 'tools/list'))
  expect(await door.answer(4)).toMatchObject({ result: { resultType: 'complete' } })
})

test('a subscription is acknowledged first, tagged with its id, and ended by a cancellation', async () => {
  const door = await raw()
  door.send(
    modern('sub', 'subscriptions/listen', { notifications: { toolsListChanged: true, promptsListChanged: false } }),
  )
  await waitFor(() => door.lines.length > 0)
  expect(JSON.parse(door.lines[0] ?? '')).toMatchObject({
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications: { toolsListChanged: true }, _meta: { [META.subscription]: 'sub' } },
  })
  door.send(modern(1, 'tools/list'))
  await door.answer(1)
  door.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'sub' } })
  door.send(modern(2, 'server/discover'))
  expect(await door.answer(2)).toMatchObject({ result: { supportedVersions: [MODERN] } })
  door.end()
  expect(await door.exited).toBe(0)
})

test('nothing comes before the answer to the handshake, however early the client says that it is ready', async () => {
  const remote = await startHttpBackend({ tools: [ECHO_TOOL], delayMs: 300 })
  open.push(() => remote.close())
  const gateway = await startGateway({ backends: [{ name: 'one', url: remote.url }] })
  open.push(() => gateway.close())
  const [input, output] = [new PassThrough(), new PassThrough()]
  let text = ''
  output.setEncoding('utf8').on('data', (more: string) => (text += more))
  const served = new StdioDoor(gateway.gateway, input, output).serve(2 ** 20)
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {} }
  input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`)
  input.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)
  // The backend is listed meanwhile, which changes the lists.
  await waitFor(() => text.includes('list_changed'))
  input.end()
  await served
  const [first, ...rest] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject)
  expect(first).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } })
  expect(rest.map(({ method }) => method)).toEqual(['notifications/tools/list_changed'])
})

test('a batch of a client of 2025-03-26 is answered with one, of any other client refused', async () => {
  const door = await raw()
  const hello = (id: number, protocolVersion: string) => ({
    jsonrpc: '2.0',
    id,
    method: 'initialize',
    params: { protocolVersion, capabilities: {}, clientInfo: {} },
  })
  const batch = JSON.stringify([
    { jsonrpc: '2.0', id: 'a', method: 'ping' },
    { jsonrpc: '2.0', method: 'notifications/nobody' },
    { jsonrpc: '2.0', id: 'b', method: 'nope' },
  ])
  const refused = { jsonrpc: '2.0', id: null, error: { code: -32600, message: expect.any(String) as string } }
  const next = async (text: string) => {
    const { length } = door.lines
    door.send(text)
    return JSON.parse(await waitFor(() => door.lines[length])) as JsonValue
  }
  expect(await next(batch)).toEqual(refused)
  door.send(hello(1, '2025-03-26'))
  await door.answer(1)
  expect(await next(batch)).toMatchObject([
    { id: 'a', result: {} },
    { id: 'b', error: { code: -32601 } },
  ])
  expect(await next('[]')).toEqual(refused)
  door.send(hello(2, '2025-06-18'))
  await door.answer(2)
  expect(await next(batch)).toEqual(refused)
})
