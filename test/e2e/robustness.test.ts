import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { afterEach, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startCommandLine } from '../support/command-line.ts'
import { startGateway } from '../support/gateway.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { descendants, isAlive, waitFor } from '../support/processes.ts'
import { legacyClient } from '../support/raw-client.ts'
import { rawRequest } from '../support/raw-http.ts'
import { ECHO_TOOL, META, MODERN } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const stdio = (name: string, options: StdioOptions = {}): JsonObject => ({
  name,
  command: process.execPath,
  args: [STDIO_BACKEND, JSON.stringify(options)],
})

function fileOf(config: JsonObject): string {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  open.push(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'vmcp.yaml')
  writeFileSync(file, JSON.stringify(config))
  return file
}

function commandLine(...args: string[]) {
  const line = startCommandLine(args)
  open.push(() => line.end())
  return line
}

describe('a reader of our output that goes away', () => {
  test.each(['json', 'text'])('ends nothing but the output: serve over HTTP, %s', async (format) => {
    const args = [
      MAIN,
      'serve',
      fileOf({ backends: [] }),
      '--port',
      '0',
      '--log-format',
      format,
      '--log-level',
      'debug',
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    open.push(() => child.kill('SIGKILL'))
    const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more))
    const url = await waitFor(() => /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(text)?.[0], 10_000)
    child.stdout.destroy()
    child.stderr.destroy()
    for (let turn = 0; turn < 3; turn++) {
      const client = await legacyClient(url)
      expect(await client.tool('nobody')).toMatchObject({ code: -32602 })
      await client.close()
    }
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })

  test('over stdio, ends the gateway cleanly, whatever is answered after that', async () => {
    const args = [MAIN, 'serve', fileOf({ backends: [stdio('b')] }), '--transport', 'stdio']
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    open.push(() => child.kill('SIGKILL'))
    const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (more: string) => (stderr += more))
    const send = (id: number, method: string, params: JsonObject = {}) => {
      const _meta = { [META.version]: MODERN, [META.capabilities]: {} }
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } })}\n`)
    }
    send(0, 'tools/list')
    await new Promise((resolve) => child.stdout.once('data', resolve))
    for (const delayMs of [200, 400, 600])
      send(delayMs, 'tools/call', { name: 'slow', arguments: { steps: 1, delayMs } })
    child.stdout.destroy()
    expect({ code: await exited, stderr }).toEqual({ code: 0, stderr: '' })
  })
})

test('over stdio, initialize without what it needs is refused and opens nothing', async () => {
  const args = [MAIN, 'serve', fileOf({ backends: [] }), '--transport', 'stdio']
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  open.push(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more))
  for (const [id, method, params] of [
    [1, 'initialize', { protocolVersion: 5, capabilities: {} }],
    [2, 'initialize', { protocolVersion: '2025-06-18' }],
    [3, 'tools/list', {}],
  ] as const) {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
  }
  await waitFor(() => text.split('\n').length > 3)
  const codes = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: number; error?: { code: number } })
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, error }) => [id, error?.code])
  expect(codes).toEqual([
    [1, -32602],
    [2, -32602],
    [3, -32600],
  ])
})

describe('a reload counts at the door too', () => {
  test('hosts, origins, sizes', async () => {
    const gateway = await startGateway({ backends: [], allowedHosts: ['old.example'], allowedOrigins: [] })
    open.push(() => gateway.close())
    const port = Number(new URL(gateway.url).port)
    const status = async (headers: Record<string, string>, path = '/health') =>
      (await rawRequest(port, { method: 'GET', path, headers })).status
    expect(await status({ host: 'old.example' })).toBe(200)
    expect(await status({ host: 'new.example' })).toBe(403)
    expect(await status({ origin: 'https://app.example' })).toBe(403)
    await gateway.reload({
      backends: [],
      allowedHosts: ['new.example'],
      allowedOrigins: ['https://app.example'],
      maxRequestBytes: 200,
    })
    expect(await status({ host: 'old.example' })).toBe(403)
    expect(await status({ host: 'new.example' })).toBe(200)
    expect(await status({ origin: 'https://app.example' })).toBe(200)
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { long: 'x'.repeat(300) } })
    expect((await rawRequest(port, { body })).status).toBe(413)
  })

  test('sealing keys; without any the key of the process stays', async () => {
    const keyed = (value: string): JsonObject => ({ backends: [], sealing: { keys: [{ id: 'k', value }] } })
    const running = await startGateway({ backends: [] })
    open.push(() => running.close())
    const { gateway } = running
    const random = gateway.sealer.seal(1, 'x')
    await running.reload({ backends: [], maxRequestBytes: 5000 })
    expect(gateway.sealer.open(random, 'x')).toBe(1)
    await running.reload(keyed('a'.repeat(40)))
    expect(gateway.sealer.open(random, 'x')).toBeUndefined()
    const sealed = gateway.sealer.seal(2, 'x')
    await running.reload(keyed('a'.repeat(40)))
    expect(gateway.sealer.open(sealed, 'x')).toBe(2)
    await running.reload(keyed('b'.repeat(40)))
    expect(gateway.sealer.open(sealed, 'x')).toBeUndefined()
  })

  test('beyond loopback a file that no longer allows anonymous callers is not used', async () => {
    const file = fileOf({ backends: [], incomingAuth: { type: 'anonymous' } })
    const line = commandLine('serve', file, '--host', '0.0.0.0', '--port', '0', '--watch')
    await waitFor(() => line.stdout().includes('0.0.0.0:'), 10_000)
    const port = /0\.0\.0\.0:(\d+)/.exec(line.stdout())?.[1]
    // The files are watched once it answers.
    await fetch(`http://127.0.0.1:${port}/health`)
    writeFileSync(file, JSON.stringify({ backends: [], maxRequestBytes: 5000 }))
    await waitFor(() => line.stderr().includes('has faults'), 5000, line.stderr())
    expect(line.stderr()).toContain('refusing to listen on 0.0.0.0 without authentication')
    expect(line.stdout()).not.toContain('configuration reloaded')
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
    writeFileSync(file, JSON.stringify({ backends: [], incomingAuth: { type: 'anonymous' }, maxRequestBytes: 5000 }))
    await waitFor(() => line.stdout().includes('configuration reloaded'))
  })
})

test('a call of a replaced configuration counts when the gateway closes', async () => {
  const backend = await startHttpBackend({ tools: [ECHO_TOOL], call: () => ({ content: [] }) })
  open.push(() => backend.close())
  const gateway = await startGateway({ backends: [{ name: 'old', url: backend.url }] })
  open.push(() => gateway.close())
  const client = await legacyClient(gateway.url)
  open.push(() => client.close())
  await client.tools()
  backend.script.delayMs = 600
  const finishing = client.tool('echo')
  await waitFor(() => backend.count('tools/call') === 1)
  await gateway.reload({ backends: [] })
  const started = Date.now()
  expect(await gateway.gateway.close(5000)).toBe(true)
  expect(Date.now() - started).toBeLessThan(2000)
  expect(await finishing).toMatchObject({ isError: false })
})

test('a call of a replaced configuration that is cut at the end makes the exit code', async () => {
  const file = fileOf({ backends: [stdio('old')] })
  const line = commandLine('serve', file, '--port', '0', '--watch')
  const client = await legacyClient(await line.url())
  open.push(() => client.close().catch(() => undefined))
  await client.tools()
  const cut = client.tool('slow', { steps: 1, delayMs: 60_000 }).catch((error: unknown) => error)
  await sleep(300)
  writeFileSync(file, JSON.stringify({ backends: [] }))
  await waitFor(() => line.stdout().includes('configuration reloaded'))
  line.signal('SIGTERM')
  expect(await line.exited).toBe(143)
  await cut
})

describe('a command that is stopped', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s: exit %i, nobody is left', async (signal, code) => {
    const line = commandLine('call', fileOf({ backends: [stdio('b')] }), 'slow', '{"steps":1,"delayMs":60000}')
    await waitFor(() => descendants(line.pid).length > 0, 10_000)
    await sleep(700)
    const below = descendants(line.pid)
    line.signal(signal)
    expect(await line.exited).toBe(code)
    expect(below.filter(isAlive)).toEqual([])
  })

  test('the second signal ends everything at once', async () => {
    const backends = [stdio('b', { stubborn: true, grandchild: true })]
    const line = commandLine('call', fileOf({ backends }), 'slow', '{"steps":1,"delayMs":60000}')
    await waitFor(() => descendants(line.pid).length > 1, 10_000)
    await sleep(700)
    const below = descendants(line.pid)
    const started = Date.now()
    line.signal('SIGTERM')
    await sleep(200)
    line.signal('SIGTERM')
    expect(await line.exited).toBe(143)
    expect(Date.now() - started).toBeLessThan(900)
    await waitFor(() => below.every((pid) => !isAlive(pid)), 1000, 'the end of all processes')
  })
})
