import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { connectHttp, connectStdio, type Peer } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { answerTo, offerOf, prefixed, unprefixed, type Offer } from '../support/offer.ts'
import { waitFor } from '../support/processes.ts'
import { MODERN } from '../support/script.ts'
import { FLEET, OFFLINE, scriptOf } from './servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmcp-fleet-'))
const env = { ...OFFLINE, HOME: folder }
afterAll(() => rmSync(folder, { recursive: true, maxRetries: 5, retryDelay: 100 }))

const argsOf = (name: string) => [scriptOf(FLEET[name]!), ...(FLEET[name]!.args ?? [])]

async function gatewayOf(names: string[]): Promise<TestGateway> {
  const gateway = await startGateway({
    backends: names.map((name) => ({ name, command: process.execPath, args: argsOf(name), env, cwd: folder })),
    // A single backend would have no prefix.
    aggregation: { conflictResolutionConfig: { prefixFormat: '{workload}_' } },
  })
  await waitFor(() => gateway.gateway.current.keeper.pending === 0, 60_000, 'an answer of every backend')
  return gateway
}

/** Keeps what every server offers, for the sum of all. */
const own: Record<string, Offer> = {}
const CLIENTS = ['SDK v2, legacy', 'SDK v2, modern'] as const

describe.each(Object.keys(FLEET))('%s', (name) => {
  const { era, tools, probes } = FLEET[name]!
  const prefix = `${name}_`
  let gateway: TestGateway
  let direct: Peer
  beforeAll(async () => {
    expect(existsSync(scriptOf(FLEET[name]!)), scriptOf(FLEET[name]!)).toBe(true)
    direct = await connectStdio(era === 'modern' ? 'SDK v2, modern' : 'SDK v1, legacy', argsOf(name), undefined, {
      env,
      cwd: folder,
    })
    own[name] = await offerOf(direct, true)
    gateway = await gatewayOf([name])
  })
  afterAll(async () => {
    await direct?.close()
    await gateway?.close()
  })

  test('is found by probing, in its era', () => {
    const [backend] = gateway.gateway.current.backends
    expect(backend?.state).toMatchObject({ kind: 'ready' })
    expect(backend?.revision).toBe(era === 'modern' ? MODERN : '2025-11-25')
    expect(own[name]!.tools.size).toBeGreaterThanOrEqual(tools)
  })

  test.each(CLIENTS)('%s: lists and answers equal those of the server itself', async (kind) => {
    const client = await connectHttp(kind, gateway.url)
    try {
      const offer = await offerOf(client)
      expect({
        ...offer,
        tools: unprefixed(prefix, offer.tools),
        prompts: unprefixed(prefix, offer.prompts),
      }).toEqual(own[name])
      for (const probe of probes) {
        const answer = await answerTo(direct, probe)
        expect({ probe, answer: await answerTo(client, prefixed(prefix, probe)) }).toEqual({ probe, answer })
      }
    } finally {
      await client.close()
    }
  })
})

test.each(['nx', 'fetch'])('%s promises resources that it does not have', (name) => {
  expect(own[name]!.resources.size + own[name]!.templates.size).toBe(0)
})

describe('all of them at once', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await gatewayOf(Object.keys(FLEET))
  })
  afterAll(() => gateway?.close())

  test('every backend is ready', () => {
    const states = gateway.gateway.current.backends.map(({ spec, state }) => [spec.id, state.kind])
    expect(states).toEqual(Object.keys(FLEET).map((name) => [name, 'ready']))
  })

  test.each(CLIENTS)('%s: the catalogue is the sum, under names that every model takes', async (kind) => {
    const client = await connectHttp(kind, gateway.url)
    try {
      const offer = await offerOf(client)
      for (const list of ['tools', 'prompts'] as const) expect(offer[list]).toEqual(sum(list, (name) => `${name}_`))
      for (const list of ['resources', 'templates'] as const) expect(offer[list]).toEqual(sum(list, () => ''))
      for (const name of offer.tools.keys()) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
    } finally {
      await client.close()
    }
  })
})

/** What all servers offer in one list, as the gateway shows it; of equal URIs the first server's counts. */
function sum(list: keyof Offer, prefixOf: (server: string) => string): Map<string, JsonObject> {
  const entries = new Map<string, JsonObject>()
  for (const [server, offer] of Object.entries(own)) {
    for (const [id, entry] of offer[list]) {
      const shown = prefixOf(server) + id
      if (!entries.has(shown)) entries.set(shown, prefixOf(server) === '' ? entry : { ...entry, name: shown })
    }
  }
  return entries
}
