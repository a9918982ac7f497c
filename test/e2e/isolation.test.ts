import { expect, test } from 'vitest'

import type { Era } from '../../src/model/backend.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { callerOf, textIn, type Call } from '../support/callers.ts'
import { startGateway } from '../support/gateway.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { paramsOf } from '../support/wire.ts'
import { LEVELS, WORK_TOOL, work } from '../support/work.ts'

const CLIENTS = 200
const ERAS = ['legacy', 'modern'] as const
const STEPS = [1, 2, 3]

async function startBackend(era: Era) {
  const notes: string[] = []
  const backend = await startHttpBackend({
    era,
    tools: [WORK_TOOL],
    capabilities: { logging: {} },
    methods: { 'logging/setLevel': () => ({}) },
    call: (_name, args, exchange) => work(args, exchange, (note) => notes.push(note)),
  })
  return { name: era, url: backend.url, notes, close: () => backend.close() }
}

const paramsIn = (messages: JsonObject[], method: string) =>
  messages.filter((message) => message['method'] === method).map(paramsOf)

interface Asked {
  key: string
  call: Call
  questions: string[]
  expected: { progress: JsonObject[]; lines: JsonObject[] }
}

test(`${CLIENTS} clients with the same ids and tokens at once see only their own`, async () => {
  const backends = await Promise.all(ERAS.map(startBackend))
  const gateway = await startGateway({
    backends: backends.map(({ name, url }) => ({ name, url })),
    operational: { sessions: { maxPerBackend: CLIENTS } },
  })
  try {
    await waitFor(() => gateway.events.filter(({ name }) => name === 'backend.ready').length === backends.length)
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, index) => {
        const caller = await callerOf(ERAS[index % 2]!, gateway.url)
        // Each level is that of clients of both eras.
        const levels = LEVELS.slice(Math.floor(index / 2) % LEVELS.length)
        await caller.setLevel(levels[0]!)
        return { index, caller, levels }
      }),
    )
    // The number of the backend is id and token of every client's call.
    const calls = clients.flatMap(({ index, caller, levels }) =>
      ERAS.map(async (era, token): Promise<Asked> => {
        const key = `${index}-${era}`
        const call = caller.call(
          `${era}_work`,
          { key, steps: STEPS.length, log: true, ask: true },
          { id: token, token },
        )
        const progress = STEPS.map((step) => ({ progressToken: token, progress: step, message: key }))
        const lines = levels.map((level) => ({ level, logger: `${era}/work`, data: key }))
        return { key, call, questions: await call.asked(), expected: { progress, lines } }
      }),
    )
    // From here on every question is open.
    const asked = await Promise.all(calls)
    await Promise.all(
      asked.toReversed().map(async ({ key, call, questions, expected }) => {
        expect(questions).toEqual([key])
        await call.answer(`name of ${key}`)
        expect(textIn(await call.outcome())).toBe(JSON.stringify({ key, name: `name of ${key}` }))
        // A modern backend runs once more with the answer.
        const runs = key.endsWith('modern') ? 2 : 1
        const times = (expectedOnce: JsonObject[]) => Array.from({ length: runs }, () => expectedOnce).flat()
        expect(paramsIn(call.messages(), 'notifications/progress')).toEqual(times(expected.progress))
        expect(paramsIn(call.messages(), 'notifications/message')).toEqual(times(expected.lines))
      }),
    )
    for (const { caller } of clients) expect(caller.unasked).toEqual([])
    for (const { notes } of backends) {
      const called = notes.filter((note) => note.startsWith('called'))
      expect(new Set(called).size).toBe(CLIENTS)
      expect(called).toHaveLength(CLIENTS)
    }
    await Promise.all(clients.map(({ caller }) => caller.leave()))
  } finally {
    await gateway.close()
    await Promise.all(backends.map(({ close }) => close()))
  }
})
