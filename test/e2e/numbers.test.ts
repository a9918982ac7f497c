import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

import { afterEach, describe, expect, test } from 'vitest'

import type { Era } from '../../src/model/backend.ts'
import { startGateway } from '../support/gateway.ts'
import { MAXIMUM, answerRaw } from '../support/raw-backend.ts'
import { META, MODERN } from '../support/script.ts'

const RAW_BACKEND = fileURLToPath(new URL('../support/raw-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** As JSON texts. JavaScript would print every one of the first group in another way. */
const NUMBERS = [
  '12345678901234567890',
  '-9007199254740993',
  '0.1234567890123456789',
  '3.14159265358979323846264338327950288',
  '1e400',
  '-1E+999',
  '5e-400',
  '100000000000000000000000',
  '-1000000000000000000000',
  // And these it holds, whatever their spelling.
  '0',
  '-1.5',
  '100000000000000000000',
  '9007199254740992',
  '0.30000000000000004',
]

/** Values that a number-like spelling must not touch. */
const TEXTS = ['"12345678901234567890"', '"1e400"', '"\\": 12345678901234567890"']

interface Answered {
  /** Bodies as received, oldest first. */
  bodies: string[]
  config: { name: string; url?: string; command?: string; args?: string[] }
}

async function httpBackend(era: Era, answer: 'json' | 'sse'): Promise<Answered> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      if (request.method !== 'POST') return response.writeHead(405).end()
      bodies.push(body)
      const text = answerRaw(body, era)
      if (text === undefined) return response.writeHead(202).end()
      const type = answer === 'sse' ? 'text/event-stream' : 'application/json'
      const status = text.includes('"error"') ? 400 : 200
      response.writeHead(status, { 'content-type': status === 200 ? type : 'application/json' })
      return response.end(answer === 'sse' && status === 200 ? `data: ${text}\n\n` : text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { bodies, config: { name: 'raw', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` } }
}

/** The same as a process, which shows what it received only in its answers. */
function stdioBackend(era: Era): Answered {
  return { bodies: [], config: { name: 'raw', command: process.execPath, args: [RAW_BACKEND, era] } }
}

const BACKENDS: Record<string, (era: Era) => Answered | Promise<Answered>> = {
  'HTTP, JSON': (era) => httpBackend(era, 'json'),
  'HTTP, SSE': (era) => httpBackend(era, 'sse'),
  stdio: stdioBackend,
}

/** Sends bytes as they are and returns the bytes of the answer. */
type Send = (message: (params: string) => string, params: string) => Promise<string>

async function sender(url: string, era: Era): Promise<Send> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  const post = (body: string) => fetch(url, { method: 'POST', headers, body })
  if (era === 'legacy') {
    const initialize = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'numbers', version: '1' },
    }
    const hello = await post(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: initialize }))
    await hello.text()
    headers['mcp-session-id'] = hello.headers.get('mcp-session-id') ?? ''
  } else Object.assign(headers, { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': 'raw' })
  return async (message, params) => (await post(message(params))).text()
}

const ENVELOPE = `"${META.version}":"${MODERN}","${META.capabilities}":{}`
const call = (id: string, era: Era) => (params: string) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"raw",${era === 'modern' ? `"_meta":{${ENVELOPE}},` : ''}${params}}}`

const CELLS = (['legacy', 'modern'] as const).flatMap((client) =>
  (['legacy', 'modern'] as const).flatMap((era) => Object.keys(BACKENDS).map((backend) => ({ client, era, backend }))),
)

describe.each(CELLS)('$client client, $era backend over $backend', ({ client, era, backend }) => {
  async function cell(): Promise<{ send: Send; bodies: string[]; url: string }> {
    const { config, bodies } = await BACKENDS[backend]!(era)
    const gateway = await startGateway({ backends: [config] })
    open.push(() => gateway.close())
    return { send: await sender(gateway.url, client), bodies, url: gateway.url }
  }

  test('numbers travel as written, in both directions', async () => {
    const { send, bodies } = await cell()
    for (const value of [...NUMBERS, ...TEXTS]) {
      const args = `{"n":${value},"list":[${value},{"deep":${value}}]}`
      const text = await send(call('1', client), `"arguments":${args}`)
      expect(text).toContain(`"structuredContent":${args}`)
      if (bodies.length > 0) expect(bodies.at(-1)).toContain(`"arguments":${args}`)
    }
  })

  test('ids of any spelling come back as they were', async () => {
    const { send } = await cell()
    for (const id of ['12345678901234567890', '-9007199254740993', '0', '""', '"1"', '1']) {
      const text = await send(call(id, client), '"arguments":{"n":1}')
      expect(text).toMatch(new RegExp(`"id":${id.replaceAll('+', '\\+')}[,}]`))
      expect(text).toContain('"structuredContent":{"n":1}')
    }
  })

  test('of duplicate keys the last one counts, and the backend receives one', async () => {
    const { send, bodies } = await cell()
    const text = await send(
      call('1', client),
      '"name":"nobody","arguments":{"gone":1},"name":"raw","arguments":{"n":1,"n":12345678901234567890}',
    )
    expect(text).toContain('"structuredContent":{"n":12345678901234567890}')
    const body = bodies.at(-1)
    if (body !== undefined) {
      expect(body).not.toContain('gone')
      expect(body).not.toContain('nobody')
      for (const key of ['"name":"raw"', '"arguments":', '"n":']) expect(body.split(key)).toHaveLength(2)
    }
  })

  test('numbers of a definition travel as written', async () => {
    const { send, url } = await cell()
    if (client === 'legacy') {
      const text = await send(() => '{"jsonrpc":"2.0","id":1,"method":"tools/list"}', '')
      expect(text).toContain(`"maximum":${MAXIMUM}`)
      return
    }
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'tools/list',
      },
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{${ENVELOPE}}}}`,
    })
    expect(await response.text()).toContain(`"maximum":${MAXIMUM}`)
  })
})
