import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { containerConnector } from '../../src/backends/container.ts'
import type { Leg, LegContext } from '../../src/backends/leg.ts'
import { ownRequest } from '../../src/backends/leg.ts'
import { ANONYMOUS } from '../../src/model/principal.ts'
import { NO_PROFILE } from '../../src/model/profile.ts'
import type { ContainerEndpoint } from '../../src/model/backend.ts'
import { Cancellation } from '../../src/model/cancellation.ts'
import type { BackendId } from '../../src/model/ids.ts'
import { Secret } from '../../src/model/secret.ts'
import { Telemetry } from '../../src/telemetry/events.ts'
import { isAlive, waitFor } from '../support/processes.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

/** What follows the image says what this engine plays; what it was given stands in a file named after its pid. */
const ENGINE = `#!${process.execPath}
const { spawn } = require('node:child_process')
const { writeFileSync } = require('node:fs')
const { createServer } = require('node:http')
const args = process.argv.slice(2)
writeFileSync(__dirname + '/' + process.pid + '.json', JSON.stringify({ args, key: process.env.API_KEY }))
const [play, ...rest] = args.slice(args.indexOf('the/image') + 1)
const port = args.includes('-p') ? Number(args[args.indexOf('-p') + 1].split(':')[1]) : undefined
const hold = () => setInterval(() => {}, 1000)

function serve(status) {
  createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      if (status !== 200 || request.method !== 'POST') return response.writeHead(status === 200 ? 405 : status).end()
      const { id, method } = JSON.parse(body)
      if (id === undefined) return response.writeHead(202).end()
      const capabilities = { tools: {} }
      const answer =
        method === 'initialize'
          ? { result: { protocolVersion: '2025-06-18', capabilities, serverInfo: { name: 'inside', version: '1' } } }
          : method === 'die'
            ? process.exit(3)
            : { error: { code: -32601, message: 'Method not found' } }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
    })
  }).listen(port, '127.0.0.1')
}

const PLAYS = {
  serve: () => serve(200),
  refuse: () => serve(401),
  sse: () => {
    let stream
    createServer((request, response) => {
      if (request.method === 'GET' && request.url === '/sse') {
        stream = response.writeHead(200, { 'content-type': 'text/event-stream' })
        return stream.write('event: endpoint\\ndata: /messages\\n\\n')
      }
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        response.writeHead(request.url === '/messages' ? 202 : 405).end()
        const { id, method } = JSON.parse(body)
        if (id === undefined) return
        if (method === 'die') process.exit(3)
        const result = { protocolVersion: '2024-11-05', capabilities: {}, serverInfo: { name: 'old', version: '1' } }
        stream.write('data: ' + JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n\\n')
      })
    }).listen(port, '127.0.0.1')
  },
  /** The server starts only when all of this has been read. */
  loud: () => {
    const line = 'x'.repeat(100) + '\\n'
    process.stderr.write(line.repeat(20000), () => process.stdout.write(line.repeat(20000), () => serve(200)))
  },
  endless: () => {
    process.stdout.write('é'.repeat(5_000_000), () =>
      process.stdout.write('\\nafter\\n', () => process.stderr.write('no end', () => serve(200))),
    )
  },
  hang: hold,
  fail: () => {
    console.error('no such image: SECRET-WORDS')
    setTimeout(() => process.exit(125), 300)
  },
  stdio: () => spawn(process.execPath, rest, { stdio: 'inherit' }).on('exit', (code) => process.exit(code)),
}
PLAYS[play]()
`

let folder = ''
const PATH = process.env['PATH']
const open: { close: () => Promise<void> }[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcp-engine-'))
  writeFileSync(join(folder, 'docker'), ENGINE)
  chmodSync(join(folder, 'docker'), 0o755)
  process.env['PATH'] = folder
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
  process.env['PATH'] = PATH
  rmSync(folder, { recursive: true })
})

function scene(play: string, given: Partial<ContainerEndpoint> = {}) {
  const telemetry = new Telemetry()
  const lines: string[] = []
  const lost: string[] = []
  telemetry.subscribe((name, data) => {
    if (name === 'backend.stderr' && 'line' in data && data.backend === 'boxed') lines.push(data.line)
  })
  const context: LegContext = {
    backend: 'boxed' as BackendId,
    identity: { name: 'vmcp', version: '0' },
    telemetry,
    maxMessageBytes: 1_000_000,
    onListChanged: () => {},
    onUpdated: () => {},
    onGap: () => {},
    tasks: { shown: (id: string) => id, native: (id: string) => id } as never,
    profile: NO_PROFILE,
    client: () => undefined,
    principal: () => ANONYMOUS,
    oneClient: () => false,
    onLost: (error) => lost.push(error.message),
  }
  const connector = containerConnector({
    kind: 'container',
    image: 'the/image',
    args: [play],
    env: { API_KEY: new Secret('do-not-show-me') },
    transport: 'http',
    port: 8080,
    volumes: [],
    ...given,
  })
  open.push(connector)
  const signal = new Cancellation()
  return { connector, lines, lost, signal, open: (): Promise<Leg> => connector.open('auto', context, signal) }
}

/** Engine processes since the start of the test. */
const runs = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const text = readFileSync(join(folder, name), 'utf8')
      return { pid: Number.parseInt(name, 10), ...(JSON.parse(text || '{}') as { args?: string[]; key?: string }) }
    })

const call = (leg: Leg, method: string) => leg.request(ownRequest(method, {}, new Cancellation()))

test('opens at the same time share one container; secrets are not on its command line; close ends it', async () => {
  const { open, connector } = scene('serve')
  const legs = await Promise.all([open(), open(), open()])
  expect(legs.map((leg) => leg.era)).toEqual(['legacy', 'legacy', 'legacy'])
  const [run, ...others] = runs()
  expect(others).toEqual([])
  expect(run?.key).toBe('do-not-show-me')
  expect(run?.args?.join(' ')).toMatch(/^run --rm -p 127\.0\.0\.1:\d+:8080 -e API_KEY the\/image serve$/)
  await connector.close()
  expect(isAlive(run?.pid ?? 0)).toBe(false)
  await expect(open()).rejects.toThrow('its container has been stopped')
  expect(runs()).toHaveLength(1)
})

test('a container that says more than a pipe holds comes up, and every line is told', async () => {
  const { open, lines } = scene('loud')
  await open()
  expect(lines.length).toBe(40_000)
  expect(lines[0]).toBe('x'.repeat(100))
})

test('a line is clipped; one without end is not kept', async () => {
  const { open, lines, connector } = scene('endless')
  await open()
  expect(lines).toEqual(['é'.repeat(4096), 'after'])
  await connector.close()
  expect(lines.at(-1)).toBe('no end')
})

test('an exit ends the wait; its last words are told to the log only', async () => {
  const { open, lines, lost } = scene('fail')
  const began = Date.now()
  const attempts = await Promise.allSettled([open(), open()])
  expect(Date.now() - began).toBeLessThan(5000)
  for (const attempt of attempts) {
    expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'BACKEND_UNREACHABLE' } })
    expect(String((attempt as PromiseRejectedResult).reason)).toMatch(/the container exited with code 125/)
    expect(String((attempt as PromiseRejectedResult).reason)).not.toContain('SECRET-WORDS')
  }
  expect(lines).toEqual(['no such image: SECRET-WORDS'])
  expect(lost).toEqual([])
  // The next attempt starts a new one.
  await expect(open()).rejects.toThrow('exited with code 125')
  expect(runs()).toHaveLength(2)
})

test('the signal ends the wait, close ends the container that is still starting', async () => {
  const { open, signal, connector } = scene('hang')
  const attempt = open()
  await waitFor(() => runs()[0]?.args)
  signal.cancel(new Error('enough'))
  await expect(attempt).rejects.toThrow('enough')
  const [run] = runs()
  expect(isAlive(run?.pid ?? 0)).toBe(true)
  await connector.close()
  expect(isAlive(run?.pid ?? 0)).toBe(false)
})

test('close ends attempts under way, even in the moment of the start', async () => {
  const { open, connector } = scene('hang')
  const attempt = open()
  const ended = expect(attempt).rejects.toThrow('its container has been stopped')
  await connector.close()
  await ended
  for (const { pid } of runs()) expect(isAlive(pid)).toBe(false)
})

test('an exit that nobody asked for is told once, its legs are closed, the next open starts it again', async () => {
  const { open, lost } = scene('serve')
  const legs = [await open(), await open()]
  const [first] = legs
  await expect(call(first as Leg, 'die')).rejects.toThrow()
  await waitFor(() => lost.length > 0)
  expect(legs.map((leg) => leg.closed)).toEqual([true, true])
  expect((await open()).closed).toBe(false)
  expect(lost).toEqual(['the container exited with code 3 (the log of the gateway has its last words)'])
  expect(runs()).toHaveLength(2)
})

test('a server that refuses us has started: nobody waits for it', async () => {
  const { open } = scene('refuse')
  await expect(open()).rejects.toThrow(/HTTP 401/)
})

test('an image that talks over HTTP+SSE', async () => {
  const { open, lost } = scene('sse', { transport: 'sse' })
  const leg = await open()
  expect(leg).toMatchObject({ era: 'legacy', revision: '2024-11-05' })
  await expect(call(leg, 'die')).rejects.toMatchObject({ code: 'BACKEND_UNREACHABLE' })
  await waitFor(() => lost.some((error) => error.includes('exited with code 3')))
  expect(leg.closed).toBe(true)
  expect((await open()).closed).toBe(false)
  expect(runs()).toHaveLength(2)
})

test('an image that talks over stdio', async () => {
  const script = JSON.stringify({ era: 'legacy', tools: [{ name: 'inside', inputSchema: { type: 'object' } }] })
  const { open, lost } = scene('stdio', { transport: 'stdio', args: ['stdio', STDIO_BACKEND, script] })
  const leg = await open()
  expect(await call(leg, 'tools/list')).toMatchObject({ value: { tools: [{ name: 'inside' }] } })
  const [run] = runs()
  expect(run?.args?.slice(0, 6)).toEqual(['run', '--rm', '-i', '-e', 'API_KEY', 'the/image'])
  expect(run?.key).toBe('do-not-show-me')
  await leg.close()
  expect(isAlive(run?.pid ?? 0)).toBe(false)
  expect(lost).toEqual([])
})

test.each(['http', 'stdio'] as const)('no engine on this machine (%s)', async (transport) => {
  rmSync(join(folder, 'docker'))
  expect(existsSync(join(folder, 'docker'))).toBe(false)
  const { open } = scene('serve', { transport })
  await expect(open()).rejects.toMatchObject({
    code: 'BACKEND_UNREACHABLE',
    message: expect.stringContaining('no container engine on this machine (install docker or podman'),
  })
})
