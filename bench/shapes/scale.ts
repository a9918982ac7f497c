import { setTimeout as sleep } from 'node:timers/promises'

import { openClient } from '../client.ts'
import { treeCpuUs, treeRss } from '../cpu.ts'
import { figuresOf, note, ratio, type Figure, type Rounds } from '../figures.ts'
import { using, type Bench, type Shape } from '../shape.ts'
import { startBackend, type Backend, type Running, type Subject } from '../subjects.ts'

/** Backends, and tools of each. The first cell is the one that the others are compared with. */
const CELLS = [
  { backends: 1, tools: 10, short: true },
  { backends: 10, tools: 10, short: false },
  { backends: 100, tools: 10, short: true },
  { backends: 1, tools: 10_000, short: true },
  { backends: 100, tools: 100, short: false },
] as const

const CONNECTIONS = 16

export const scale: Shape = {
  name: 'scale',
  about: 'CPU per call with many backends and many tools, against one backend with ten tools in the same round',
  async run(bench) {
    const gateway = bench.subjects.find(({ merges }) => merges)
    if (gateway) await bench.attempt('scale', () => compare(bench, gateway))
  },
}

async function compare(bench: Bench, gateway: Subject): Promise<Figure[]> {
  const cells = CELLS.filter(({ short }) => short || !bench.effort.short)
  const rounds = await measure(bench, gateway, cells)
  const base = rounds[0]?.get(gateway.name)?.['cpu us']
  return cells.flatMap(({ backends, tools }, index): Figure[] => {
    const row = rounds[index]?.get(gateway.name)
    const compared = ratio(row?.['cpu us'], base)
    if (row && compared && index > 0) row['cpu x smallest'] = compared
    return figuresOf('scale', `${backends} x ${tools} tools`, rounds[index] ?? new Map())
  })
}

type Cell = (typeof CELLS)[number]

/** Rounds of each cell. All gateways run at the same time. */
async function measure(bench: Bench, gateway: Subject, cells: readonly Cell[]): Promise<Rounds[]> {
  const rounds: Rounds[] = []
  const running: Running[] = []
  /** So many calls bring every connection to every backend. */
  const openings: number[] = []
  const begin = cells.flatMap(({ backends, tools }, index) => {
    let backend: Backend
    return [
      async () => {
        bench.say(`scale: starting ${backends} backends with ${tools} tools each`)
        backend = await startBackend([{ era: 'legacy', answer: 'json', tools, count: backends }])
        return backend
      },
      async () => {
        const one = await gateway.start(backend.urls, 'legacy')
        running[index] = one
        return one
      },
    ]
  })
  await using(begin, async () => {
    for (const [index, { backends, tools }] of cells.entries()) {
      const url = running[index]!.url
      const names = sample(await settled(url, backends * tools), backends)
      const name = `scale ${index}`
      await bench.load.open({ name, url, era: 'legacy', connections: CONNECTIONS, tools: names })
      openings[index] = 2 * names.length * CONNECTIONS
      await bench.load.run({ name, ms: 30_000, calls: openings[index] })
      await bench.load.run({ name, ms: bench.effort.warmMs, calls: Infinity })
      rounds.push(new Map())
    }
    for (let round = 0; round < bench.effort.rounds; round++) {
      bench.say(`scale: round ${round + 1}`)
      // There and back: who comes first after the pause must not always be the same.
      const order = round % 2 ? [...cells.keys()].reverse() : [...cells.keys()]
      for (const index of order) {
        const { pid = 0 } = running[index]!
        const name = `scale ${index}`
        // Pools close what was idle during the other cells' turns; opening it again is not the cost of a call.
        await bench.load.run({ name, ms: 10_000, calls: openings[index]! })
        const cpu = treeCpuUs(pid)
        const { calls, p50 } = await bench.load.run({ name, ms: bench.effort.runMs, calls: Infinity })
        note(rounds[index]!, gateway.name, {
          'cpu us': (treeCpuUs(pid) - cpu) / calls,
          'p50 us': p50,
          'rss MB': treeRss(pid) / 2 ** 20,
        })
      }
    }
    for (const index of cells.keys()) await bench.load.close(`scale ${index}`)
  })
  return rounds
}

/** The names once all tools are there. */
async function settled(url: string, tools: number): Promise<string[]> {
  const client = await openClient(url, 'legacy')
  const until = Date.now() + 20_000
  for (;;) {
    const names = await client.tools()
    if (names.length >= tools) return names
    if (Date.now() > until) throw new Error(`${names.length} of ${tools} tools after 20 s`)
    await sleep(100)
  }
}

/** Evenly over the list, and so over the backends. */
function sample(names: string[], backends: number): string[] {
  const callable = names.filter((name) => name.endsWith('echo'))
  const count = Math.max(10, backends)
  const step = Math.max(1, Math.floor(callable.length / count))
  return callable.filter((_, index) => index % step === 0).slice(0, count)
}
