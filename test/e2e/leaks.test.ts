import { setTimeout as sleep } from 'node:timers/promises'

import { Agent, setGlobalDispatcher } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { Era } from '../../src/model/backend.ts'
import { callerOf, type Call, type Caller } from '../support/callers.ts'
import { growth, takeCensus, type Census } from '../support/census.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { waitFor } from '../support/processes.ts'
import { startSource, type Source, type Wire } from '../support/sources.ts'
import type { Work } from '../support/work.ts'

const ERAS = ['legacy', 'modern'] as const
/** Idle connections close after 5 s at the latest, the outcome of a parked call is kept for 30 s. */
const QUIET_MS = 6_000
const GRACE_MS = 45_000

// The connections of the test's own clients are not the gateway's to close.
setGlobalDispatcher(new Agent({ keepAliveTimeout: 1_000, keepAliveMaxTimeout: 1_000 }))

interface Round {
  key: string
  caller: Caller
  call: Call
  source: Source
}

/** How one round goes, from the call to the end of the client, which leaves in any case. */
interface Family {
  client: Era
  how: string
  work: Partial<Work>
  play: (round: Round) => Promise<unknown>
  /** Absent: every wire. */
  over?: Wire
}

const asked = { ask: true }
const runs = { steps: 1, wait: true }
const told = ({ call }: Round) => waitFor(() => call.messages().length > 0)

async function answered(call: Call) {
  await call.asked()
  await call.answer('Ada')
  return call.outcome()
}

const FAMILIES: Family[] = [
  { client: 'legacy', how: 'is answered', work: {}, play: ({ call }) => call.outcome() },
  { client: 'legacy', how: 'answers', work: asked, play: ({ call }) => answered(call) },
  { client: 'legacy', how: 'leaves without an answer', work: asked, play: ({ call }) => call.asked() },
  { client: 'legacy', how: 'cancels', work: runs, play: async (round) => (await told(round), round.call.cancel()) },
  {
    client: 'legacy',
    how: 'disconnects and leaves',
    work: runs,
    play: async (round) => (await told(round), round.call.disconnect()),
  },
  { client: 'modern', how: 'is answered', work: {}, play: ({ call }) => call.outcome() },
  { client: 'modern', how: 'answers', work: asked, play: ({ call }) => answered(call) },
  {
    client: 'modern',
    how: 'disconnects after its answer',
    over: 'http',
    work: { ...asked, wait: true },
    async play({ call, source, key }) {
      await call.answer('Ada')
      await waitFor(() => source.notes().includes(`answered ${key}`))
      call.disconnect()
    },
  },
  ...ERAS.map((client) => ({
    client,
    how: 'has its backend restarted under a question',
    work: asked,
    async play({ call, source }: Round) {
      await call.asked()
      await source.fault('restarted')
      if (client === 'modern') await answered(call)
    },
  })),
  // The last: a process that strangers share asks none of them for a while after one has given up a call.
  {
    client: 'modern',
    how: 'disconnects',
    work: runs,
    play: async (round) => (await told(round), round.call.disconnect()),
  },
]

/** So often each family meets each backend: fifty times in all. A process takes long to start. */
const SOURCES = [
  { name: 'legacy-http', era: 'legacy', wire: 'http', rounds: 22 },
  { name: 'modern-http', era: 'modern', wire: 'http', rounds: 22 },
  { name: 'legacy-stdio', era: 'legacy', wire: 'stdio', rounds: 3 },
  { name: 'modern-stdio', era: 'modern', wire: 'stdio', rounds: 3 },
] as const

let sources: Source[]
let gateway: TestGateway
let before: Census
let heldBefore: number

const held = () => sources.reduce((sum, source) => sum + source.holds(), 0)
const sessions = () =>
  gateway.events.filter(({ name }) => name === 'session.opened').length -
  gateway.events.filter(({ name }) => name === 'session.closed').length

beforeAll(async () => {
  sources = await Promise.all(SOURCES.map(({ era, wire }) => startSource(era, wire)))
  gateway = await startGateway({
    backends: SOURCES.map(({ name }, index) => ({ name, ...sources[index]!.config })),
    operational: { failureHandling: { circuitBreaker: { enabled: false } } },
  })
  await waitFor(() => gateway.events.filter(({ name }) => name === 'backend.ready').length === SOURCES.length, 20_000)
  // Modern clients have no session: theirs is one connection that stays.
  const modern = await callerOf('modern', gateway.url)
  for (const { name } of SOURCES) await modern.call(`${name}_work`, { key: 'first' }).outcome()
  await sleep(QUIET_MS)
  before = takeCensus()
  heldBefore = held()
})

afterAll(async () => {
  await gateway.close()
  await Promise.all(sources.map((source) => source.close()))
})

test.each(FAMILIES)(
  'rounds of a $client client that $how end with its session',
  async ({ client, how, work, play, over }) => {
    for (const [index, { name, wire, rounds }] of SOURCES.entries()) {
      if (over !== undefined && over !== wire) continue
      for (let round = 0; round < rounds; round++) {
        const key = `${client} ${how} ${round}`
        const caller = await callerOf(client, gateway.url)
        const call = caller.call(`${name}_work`, { key, ...work })
        await play({ key, caller, call, source: sources[index]! })
        await caller.leave()
      }
    }
    expect(sessions()).toBe(0)
  },
)

test('then nothing is left of them, here or upstream', async () => {
  const more = () => [...growth(before, takeCensus()), ...(held() > heldBefore ? [`held upstream: ${held()}`] : [])]
  await waitFor(async () => {
    await sleep(1_000)
    return more().length === 0
  }, GRACE_MS).catch(() => {})
  expect(more()).toEqual([])
}, 60_000)
