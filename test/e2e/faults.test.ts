import { describe, expect, test } from 'vitest'

import type { Era } from '../../src/model/backend.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { callerOf, textIn, type Call, type Caller } from '../support/callers.ts'
import { startGateway } from '../support/gateway.ts'
import { waitFor } from '../support/processes.ts'
import { pause } from '../support/script.ts'
import { FAULTS, WIRES, httpSource, startSource, type Fault, type Source, type Wire } from '../support/sources.ts'
import type { Work } from '../support/work.ts'

const ERAS = ['legacy', 'modern'] as const
const KEY = 'first'
/** Silence after which a backend that hangs is given up; every other fault must be told long before. */
const SILENCE_MS = 2_000
const BOUND_MS = 6_000
/** Long enough for a cancellation that should not come. */
const QUIET_MS = 300

/** Where a call stands when something happens to it. */
const POINTS = {
  'before any byte': { work: { key: KEY, wait: true }, reached: async () => {} },
  'after progress': {
    work: { key: KEY, steps: 1, wait: true },
    reached: (call: Call) => waitFor(() => call.messages().length > 0),
  },
  'while its question is open': { work: { key: KEY, ask: true, wait: true }, reached: (call: Call) => call.asked() },
} as const satisfies Record<string, { work: Work; reached: (call: Call) => Promise<unknown> }>
type Point = keyof typeof POINTS
const POINT_NAMES = Object.keys(POINTS) as Point[]

interface Cell {
  client: Era
  backend: Era
  wire: Wire
}
const CELLS: Cell[] = ERAS.flatMap((client) =>
  ERAS.flatMap((backend) => WIRES.map((wire) => ({ client, backend, wire }))),
)

interface Scene {
  source: Source
  caller: Caller
  call: Call
  /** How often the backend noted this of a key. */
  noted: (what: string, key?: string) => number
}

/** A call of the tool that has come to the point. */
async function sceneAt(
  point: Point,
  { client, backend, wire }: Cell,
  onTestFinished: (close: () => Promise<void>) => void,
  timeouts?: JsonObject,
): Promise<Scene> {
  const source = await startSource(backend, wire)
  onTestFinished(() => source.close())
  const operational = timeouts ? { operational: { timeouts } } : {}
  const gateway = await startGateway({ backends: [{ name: 'peer', ...source.config }], ...operational })
  onTestFinished(() => gateway.close())
  const caller = await callerOf(client, gateway.url)
  onTestFinished(() => caller.leave())
  const noted = (what: string, key: string = KEY) => source.notes().filter((note) => note === `${what} ${key}`).length
  const call = caller.call('work', POINTS[point].work)
  await waitFor(() => noted('called') === 1)
  await POINTS[point].reached(call)
  return { source, caller, call, noted }
}

/** Between two rounds nothing runs at a modern backend: what comes back in time answers as if nothing had happened. */
function outlives(fault: Fault, point: Point, { backend, wire }: Cell): boolean {
  if (backend === 'legacy' || point !== 'while its question is open') return false
  return fault === 'cut' || fault === 'restarted' || (fault === 'killed' && wire === 'stdio')
}

describe.each(CELLS)('a $client client, a $backend backend over $wire', { concurrent: true }, (cell) => {
  const cases = FAULTS.flatMap((fault) => POINT_NAMES.map((point) => ({ fault, point })))
  test.for(cases)('$fault $point', async ({ fault, point }, { onTestFinished }) => {
    const silence = fault === 'hung' ? { default: `${SILENCE_MS}ms` } : undefined
    const { source, caller, call, noted } = await sceneAt(point, cell, onTestFinished, silence)
    await source.fault(fault)
    const started = performance.now()
    // A legacy client learns by itself that its question is of no use; who hangs says nothing, and cannot take it back.
    const waitsForUser = cell.client === 'modern' || cell.backend === 'modern' || fault === 'hung'
    const isAsked = point === 'while its question is open'
    if (isAsked && waitsForUser) await call.answer('Ada')
    if (outlives(fault, point, cell)) {
      await waitFor(() => noted('answered') === 1)
      if (cell.client === 'modern') call.disconnect()
      else await call.cancel()
    } else {
      const text = textIn(await call.outcome())
      expect(text).toMatch(/backend "peer" (cannot be reached|broke the protocol|did not answer in time): ./)
      if (fault !== 'hung') expect(text).not.toContain('did not answer')
      expect(performance.now() - started).toBeLessThan(BOUND_MS)
      if (isAsked && !waitsForUser) {
        const withdrawn = call.messages().filter(({ method }) => method === 'notifications/cancelled')
        expect(withdrawn).toHaveLength(1)
      }
    }
    await source.mend()
    const next = caller.call('work', { key: 'next' })
    expect(textIn(await next.outcome())).toBe(JSON.stringify({ key: 'next' }))
    expect(noted('called', 'next')).toBe(1)
    expect(noted('called')).toBe(1)
    expect(noted('answered')).toBeLessThanOrEqual(1)
  })
})

/** How a client goes away in the middle, and whether that ends the call upstream. */
const DEPARTURES = [
  { client: 'legacy', departure: 'disconnects', cancels: false, depart: ({ call }) => call.disconnect() },
  { client: 'legacy', departure: 'cancels', cancels: true, depart: ({ call }) => call.cancel() },
  { client: 'legacy', departure: 'ends its session', cancels: true, depart: ({ caller }) => caller.leave() },
  { client: 'modern', departure: 'disconnects', cancels: true, depart: ({ call }) => call.disconnect() },
] as const satisfies { client: Era; departure: string; cancels: boolean; depart: (scene: Scene) => unknown }[]

const BACKENDS = ERAS.flatMap((backend) => WIRES.map((wire) => ({ backend, wire })))

describe.each(BACKENDS)('a client that leaves a $backend backend over $wire', { concurrent: true }, (source) => {
  const cases = DEPARTURES.flatMap((departure) => POINT_NAMES.map((point) => ({ ...departure, point })))
  test.for(cases)('$client, $departure $point', async ({ client, cancels, depart, point }, { onTestFinished }) => {
    const scene = await sceneAt(point, { client, ...source }, onTestFinished)
    const { call, noted } = scene
    const isAsked = point === 'while its question is open'
    // A modern client has no stream that it could close before it comes back with its answers.
    const answers = isAsked && client === 'modern'
    if (answers) {
      await call.answer('Ada')
      await waitFor(() => noted('answered') === 1)
    }
    await depart(scene)
    if (!cancels) {
      await pause(QUIET_MS, new AbortController().signal)
      expect(noted('cancelled')).toBe(0)
      if (isAsked) {
        await call.answer('Ada')
        await waitFor(() => noted('answered') === 1)
      }
      await call.cancel()
    }
    if (isAsked && cancels && !answers && source.backend === 'modern') {
      // Nothing runs upstream, and nothing will.
      await call.answer('Ada')
      await pause(QUIET_MS, new AbortController().signal)
      expect(noted('answered')).toBe(0)
    } else await waitFor(() => noted('cancelled') === 1)
    expect(noted('called')).toBe(1)
    expect(noted('ended')).toBe(0)
  })
})

test.for(WIRES)(
  'what a modern client was asked before an outage over %s is no new call after it, and the first call after it is asked',
  async (wire, { onTestFinished }) => {
    const cell: Cell = { client: 'modern', backend: 'legacy', wire }
    const { source, caller, call, noted } = await sceneAt('while its question is open', cell, onTestFinished)
    await source.fault('killed')
    // Long enough for the gateway to have noticed.
    await pause(1_000, new AbortController().signal)
    await source.mend()
    await call.answer('Ada')
    expect(textIn(await call.outcome())).toContain('backend "peer" cannot be reached')
    expect(noted('called')).toBe(1)
    const next = caller.call('work', { key: 'next', ask: true })
    expect(await next.asked()).toEqual(['next'])
    await next.answer('Ada')
    expect(textIn(await next.outcome())).toContain('Ada')
  },
)

test.for(ERAS)(
  'a backend that forgets its session while it asks a %s client: the call ends, the next one has a new session',
  async (era, { onTestFinished }) => {
    const { backend, config, noted } = await httpSource('legacy')
    onTestFinished(() => backend.close())
    const gateway = await startGateway({ backends: [{ name: 'peer', ...config }] })
    onTestFinished(() => gateway.close())
    const caller = await callerOf(era, gateway.url)
    const call = caller.call('work', { key: KEY, ask: true })
    await call.asked()
    backend.script.intercept = (_request, response) => void response.writeHead(404).end()
    await call.answer('Ada')
    expect(textIn(await call.outcome())).toContain('has forgotten the session in which it asked')
    backend.script.intercept = undefined
    const next = caller.call('work', { key: 'next' })
    expect(textIn(await next.outcome())).toBe(JSON.stringify({ key: 'next' }))
    expect(noted.filter((note) => note.startsWith('called'))).toEqual([`called ${KEY}`, 'called next'])
  },
)
