import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startGateway } from '../support/gateway.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { ECHO_TOOL } from '../support/script.ts'
import { legacyClient } from '../support/raw-client.ts'
import { legacyWire, modernRequest } from '../support/wire.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function start(rateLimiting: JsonObject) {
  const backend = await startHttpBackend({ tools: [ECHO_TOOL, { ...ECHO_TOOL, name: 'other' }] })
  open.push(() => backend.close())
  const gateway = await startGateway({ backends: [{ name: 'one', url: backend.url }], rateLimiting })
  open.push(() => gateway.close())
  const legacy = await legacyWire(gateway.url)
  const call = (era: 'legacy' | 'modern', name: string) => {
    const params = { name, arguments: { text: 'x' } }
    return era === 'legacy'
      ? legacy.request(1, 'tools/call', params)
      : modernRequest(gateway.url, 1, 'tools/call', params)
  }
  return { backend, call }
}

const TWO = { maxTokens: 2, refillPeriod: '1h' }

test('a limit on all calls holds for both eras together, and each is told in its own way', async () => {
  const { backend, call } = await start({ shared: TWO })
  for (const era of ['legacy', 'modern'] as const)
    expect(await call(era, 'echo')).toMatchObject({ response: { result: {} } })
  const refusal = { code: 429, message: 'Rate limit exceeded: try again in 1800 s', data: { retryAfterSeconds: 1800 } }
  expect((await call('modern', 'echo')).response).toMatchObject({ error: refusal })
  expect((await call('legacy', 'other')).response).toMatchObject({
    result: { isError: true, structuredContent: refusal },
  })
  expect(backend.count('tools/call')).toBe(2)
})

test('a limit on one tool leaves the others alone, and says nothing about tools that are not there', async () => {
  const { call } = await start({
    shared: { maxTokens: 7, refillPeriod: '1h' },
    tools: [
      { name: 'echo', shared: TWO },
      { name: 'gone', shared: TWO },
    ],
  })
  for (const name of ['echo', 'echo', 'other', 'other', 'other']) {
    expect((await call('modern', name)).response).toHaveProperty('result')
  }
  for (let times = 0; times < 3; times++) {
    expect((await call('modern', 'echo')).response).toMatchObject({ error: { code: 429 } })
  }
  for (let times = 0; times < 3; times++) {
    expect((await call('modern', 'gone')).response).toMatchObject({ error: { code: -32602 } })
  }
  // What was refused has cost nobody anything.
  for (const name of ['other', 'other']) expect((await call('modern', name)).response).toHaveProperty('result')
  expect((await call('modern', 'other')).response).toMatchObject({ error: { code: 429 } })
})

test('a user has only so many requests and streams open, and gets them back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  open.push(() => rmSync(folder, { recursive: true }))
  const token = 'a-token-of-32-characters-at-least-for-tests'
  writeFileSync(join(folder, 'token'), token, { mode: 0o600 })
  const backend = await startHttpBackend({ tools: [ECHO_TOOL] })
  open.push(() => backend.close())
  const gateway = await startGateway({
    backends: [{ name: 'one', url: backend.url }],
    incomingAuth: { type: 'local', local: { tokenFile: join(folder, 'token') } },
    rateLimiting: { connections: { perUser: 2 } },
  })
  open.push(() => gateway.close())
  // Each holds a stream.
  const [first, second] = [await legacyClient(gateway.url, { token }), await legacyClient(gateway.url, { token })]
  open.push(() => second.close())
  expect(await first.request('tools/list')).toMatchObject({
    status: 429,
    error: { code: 429, message: expect.stringContaining('rateLimiting.connections') },
  })
  await first.close()
  await vi.waitFor(async () => expect(await second.tools()).toEqual(['echo']))
})
