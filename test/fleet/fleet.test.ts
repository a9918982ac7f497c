import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Era } from '../../src/model/backend.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { answerTo, offerOf, prefixed, type Offer, type Probe } from '../support/offer.ts'
import { waitFor } from '../support/processes.ts'
import { MODERN } from '../support/script.ts'
import {
  connectDirectly,
  connectThrough,
  declareAll,
  ERAS,
  launchOf,
  listen,
  still,
  withoutCoreTasks,
  type Prepare,
  type Said,
} from './peers.ts'
import { fleetIn, pathOf } from './servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmcp-fleet-'))
const FLEET = fleetIn(folder)
const NAMES = Object.keys(FLEET)
const REVISIONS = { legacy: '2025-11-25', modern: MODERN }
afterAll(() => {
  for (const pid of inhabitants()) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true, maxRetries: 5, retryDelay: 100 })
})

async function gatewayOf(names: readonly string[]): Promise<TestGateway> {
  const gateway = await startGateway({
    backends: names.map((name) => ({ name, command: process.execPath, ...launchOf(FLEET[name]!, folder) })),
    // A single backend would have no prefix.
    aggregation: { conflictResolutionConfig: { prefixFormat: '{workload}_' } },
  })
  // Many that start at once on a small machine are slow, and named as failing for a while.
  const late = () => gateway.gateway.current.backends.filter(({ state }) => state.kind !== 'ready')
  await waitFor(() => late().length === 0, 100_000, `readiness of ${names.join(', ')}`).catch(
    async (error: unknown) => {
      console.error(late().map(({ spec, state }) => ({ name: spec.id, ...state })))
      await gateway.close()
      throw error
    },
  )
  return gateway
}

const direct = new Map<string, Promise<Said>>()

/** What a server says to a client of that era, or of the only era that it knows. */
async function directly(name: string, era: Era): Promise<Said> {
  const server = FLEET[name]!
  const spoken = server.era === 'modern' ? era : 'legacy'
  const key = `${name}, ${spoken}`
  if (!direct.has(key)) direct.set(key, listen(connectDirectly(spoken, server, folder), server, server.probes))
  const said = await direct.get(key)!
  return spoken === era ? said : withoutCoreTasks(said)
}

test('the table holds the installed packages, in their exact versions, and has a probe for all that they offer', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const installed = Object.values(FLEET).map(({ package: name }) => {
    const { version } = JSON.parse(readFileSync(pathOf(`${name}/package.json`), 'utf8')) as { version: string }
    return [name, version]
  })
  expect(NAMES).toHaveLength(29)
  expect(Object.fromEntries(installed)).toEqual(dependencies)
  for (const [name, { offers, probes }] of Object.entries(FLEET)) {
    const [, resources, templates, prompts] = offers
    expect([name, probes.some((probe) => 'resource' in probe)]).toEqual([name, resources + templates > 0])
    expect([name, probes.some((probe) => 'prompt' in probe)]).toEqual([name, prompts > 0])
  }
})

describe.each(NAMES)('%s', (name) => {
  const server = FLEET[name]!
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await gatewayOf([name])
  })
  afterAll(() => gateway?.close())

  test('is found by probing, in its era', () => {
    expect(gateway.gateway.current.backends[0]?.revision).toBe(REVISIONS[server.era])
  })

  test.each(ERAS)('%s client: lists and answers equal those of the server itself', async (era) => {
    const said = await directly(name, era)
    const { tools, resources, templates, prompts } = said.offer
    expect([tools.size, resources.size, templates.size, prompts.size]).toEqual(server.offers)
    expect(await listen(connectThrough(era, gateway.url), server, server.probes, `${name}_`)).toEqual(said)
  })
})

describe('a server that lists more tools to a client that can do more', () => {
  const server = FLEET['everything']!
  const questions = [
    { tool: 'trigger-sampling-request', arguments: { prompt: 'why', maxTokens: 10 } },
    { tool: 'trigger-elicitation-request' },
    { tool: 'get-roots-list' },
  ]
  const clients: { declares: string; prepare?: Prepare; tools: number; probes: Probe[] }[] = [
    { declares: 'all', prepare: declareAll, tools: 17, probes: questions },
    { declares: 'nothing', tools: 13, probes: [] },
  ]
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await gatewayOf(['everything'])
  })
  afterAll(() => gateway?.close())

  describe.each(clients)('declaring $declares', ({ prepare, tools, probes }) => {
    test.each(ERAS)('%s client: lists and answers equal those of the server itself', async (era) => {
      const said = await listen(connectDirectly('legacy', server, folder, prepare), server, probes)
      expect(said.offer.tools.size).toBe(tools)
      const through = await listen(connectThrough(era, gateway.url, prepare), server, probes, 'everything_')
      expect(through).toEqual(era === 'legacy' ? said : withoutCoreTasks(said))
    })
  })
})

describe('all of them behind one gateway', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await gatewayOf(NAMES)
  })
  afterAll(() => gateway?.close())

  test('every backend is found in its era', () => {
    const found = gateway.gateway.current.backends.map(({ spec, revision }) => [spec.id, revision])
    expect(found).toEqual(NAMES.map((name) => [name, REVISIONS[FLEET[name]!.era]]))
  })

  test.each(ERAS)('%s client: the catalogue is the sum, under names that every model takes', async (era) => {
    const client = await connectThrough(era, gateway.url)
    try {
      const { tools, prompts, resources, templates } = await offerOf(client)
      for (const [name, tool] of tools) tools.set(name, still(tool, FLEET[name.slice(0, name.indexOf('_'))]?.moving))
      expect(tools).toEqual(await sum('tools', era, true))
      expect(prompts).toEqual(await sum('prompts', era, true))
      expect(resources).toEqual(await sum('resources', era, false))
      expect(templates).toEqual(await sum('templates', era, false))
      expect(tools.size).toBe(258)
      for (const name of tools.keys()) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
    } finally {
      await client.close()
    }
  })

  // The first call of a client starts a process of its own of every server, one after the other.
  test.each(ERAS)('%s client: each server answers a call as it does alone', { timeout: 120_000 }, async (era) => {
    const client = await connectThrough(era, gateway.url)
    try {
      for (const [name, { probes, moving }] of Object.entries(FLEET)) {
        const answer = still(await answerTo(client, prefixed(`${name}_`, probes[0])), moving)
        expect({ name, answer }).toEqual({ name, answer: (await directly(name, era)).answers[0]!.answer })
      }
    } finally {
      await client.terminate()
      await client.close()
    }
  })
})

test.runIf(existsSync('/proc'))('no server is left running', async () => {
  await expect.poll(inhabitants, { timeout: 10_000 }).toEqual([])
})

/** Processes with this folder as their home, those included that have left the group of the one that started them. */
function inhabitants(): number[] {
  if (!existsSync('/proc')) return []
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`HOME=${folder}\0`)
    } catch {
      return false
    }
  })
}

/** What all servers offer in one list, as the gateway shows it; of equal URIs the first server's counts. */
async function sum(list: keyof Offer, era: Era, named: boolean): Promise<Map<string, JsonObject>> {
  const entries = new Map<string, JsonObject>()
  for (const server of NAMES) {
    const { offer } = await directly(server, era)
    for (const [id, entry] of offer[list]) {
      const shown = named ? `${server}_${id}` : id
      if (!entries.has(shown)) entries.set(shown, named ? { ...entry, name: shown } : entry)
    }
  }
  return entries
}
