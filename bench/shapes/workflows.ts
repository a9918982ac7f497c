import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { openClient } from '../client.ts'
import { threadsCpuUs } from '../cpu.ts'
import { figuresOf, median, note, ratio, type Figure, type Rounds } from '../figures.ts'
import { start } from '../processes.ts'
import { using, type Bench, type Shape } from '../shape.ts'
import { startBackend, startConfigured, type Backend, type Running, type SubjectName } from '../subjects.ts'
import type { WorkflowCosts } from '../workflow-cost.ts'
import { echoing, sleeping } from '../workflow-world.ts'

const NAME: SubjectName = 'vmcp'
/** Steps of each composite, and calls in flight of every cell: those of one composite, or of so many connections. */
const STEPS = 16
const SLICES = 4
/** Calls to the backend, or the compiler of JavaScript still works while it is measured: a file is slow to warm up. */
const WARM_CALLS = 20_000
const WARM_MS = 10_000

export const workflows: Shape = {
  name: 'workflows',
  about: 'what the engine of composite tools adds to the calls that it makes',
  async run(bench) {
    if (!bench.subjects.some(({ name }) => name === NAME)) return
    for (const part of ['steps', 'waves', 'suspended']) {
      await bench.attempt(`workflows: ${part}`, async () => alone([await measured(part, bench.effort.rounds)]))
    }
    await bench.attempt('workflows: check', async () => {
      const rounds: WorkflowCosts[] = []
      // A process has not compiled anything only once.
      for (let round = 0; round < bench.effort.rounds; round++) rounds.push(await measured('check', 1))
      return alone(rounds)
    })
    await bench.attempt('workflows: through the gateway', () => throughGateway(bench))
  },
}

async function measured(part: string, rounds: number): Promise<WorkflowCosts> {
  const worker = fileURLToPath(new URL('../workflow-cost.ts', import.meta.url))
  const args = ['--disable-warning=ExperimentalWarning', '--expose-gc', worker, JSON.stringify({ part, rounds })]
  const { line, stop } = await start(args, /^\{"/, 300_000)
  await stop()
  return JSON.parse(line) as WorkflowCosts
}

/** Of processes that have measured the same. */
function alone(all: readonly WorkflowCosts[]): Figure[] {
  const [first = {}] = all
  return Object.entries(first).flatMap(([cell, metrics]) =>
    Object.keys(metrics).map((metric) => {
      const rounds = all.flatMap((costs) => costs[cell]?.[metric] ?? [])
      return { shape: 'workflows', cell, subject: NAME, metric, value: median(rounds), rounds }
    }),
  )
}

interface Cell {
  name: string
  store: 'memory' | 'file'
  tool: string
  connections: number
  /** Calls to the backend for each call. */
  calls: number
}

/** The first is the one that the others are compared with. */
const CELLS: readonly Cell[] = [
  { name: 'gateway, calls', store: 'memory', tool: 'echo', connections: STEPS, calls: 1 },
  ...(['memory', 'file'] as const).flatMap((store) => [
    { name: `gateway, ${store}, sequence`, store, tool: 'sequence', connections: STEPS, calls: STEPS },
    { name: `gateway, ${store}, parallel`, store, tool: 'parallel', connections: 1, calls: STEPS },
  ]),
]

const SLEEPING = 100
const SLEEP_MS = 100

async function throughGateway(bench: Bench): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-bench-'))
  const gateways = new Map<Cell['store'], Running>()
  let backend: Backend
  const startGateway = (store: Cell['store']) => async () => {
    const one = await startConfigured('vmcp.yaml', {
      name: 'bench',
      backends: [{ name: 'b0', url: backend.urls[0] }],
      compositeTools: [
        echoing('sequence', STEPS),
        echoing('parallel', STEPS),
        sleeping('parallel', SLEEPING, SLEEP_MS),
        sleeping('loop', SLEEPING, SLEEP_MS),
      ],
      workflowLimits: { parallel: SLEEPING },
      workflowStorage: { provider: store, ...(store === 'file' && { path: folder }) },
    })
    gateways.set(store, one)
    return one
  }
  const begin = [
    async () => {
      backend = await startBackend([{ era: 'legacy', answer: 'json', tools: 2, count: 1 }])
      return backend
    },
    startGateway('memory'),
    startGateway('file'),
  ]
  try {
    return await using(begin, async () => [...(await driven(bench, gateways)), ...(await waves(bench, gateways))])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

type Gateways = ReadonlyMap<Cell['store'], Running>

/** CPU of the gateway for each call to its backend: by a client, and by a step. */
async function driven({ effort, load, say }: Bench, gateways: Gateways): Promise<Figure[]> {
  for (const { name, store, tool, connections, calls } of CELLS) {
    say(`workflows: ${name}`)
    const url = gateways.get(store)?.url ?? ''
    await load.open({ name, url, era: 'legacy', connections, tools: [tool] })
    await load.run({ name, ms: WARM_MS, calls: Math.ceil(WARM_CALLS / calls) })
  }
  const rounds = new Map<string, Rounds>(CELLS.map(({ name }) => [name, new Map()]))
  for (let round = 0; round < effort.rounds * SLICES; round++) {
    if (round % SLICES === 0) say(`workflows: rounds ${round + 1} to ${round + SLICES}`)
    for (const cell of round % 2 ? CELLS.toReversed() : CELLS) {
      const pid = gateways.get(cell.store)?.pid ?? 0
      const cpu = threadsCpuUs(pid)
      const { calls, seconds } = await load.run({ name: cell.name, ms: effort.runMs / 2, calls: Infinity })
      const made = calls * cell.calls
      note(rounds.get(cell.name) ?? new Map(), NAME, {
        'cpu us': (threadsCpuUs(pid) - cpu) / made,
        'calls/s': made / seconds,
      })
    }
  }
  for (const { name } of CELLS) await load.close(name)
  const [direct] = CELLS
  const floor = rounds.get(direct?.name ?? '')?.get(NAME)?.['cpu us']
  return CELLS.flatMap((cell) => {
    const row = rounds.get(cell.name)?.get(NAME)
    const times = cell === direct ? undefined : ratio(row?.['cpu us'], floor)
    if (row && times) row['cpu x calls'] = times
    return figuresOf('workflows', cell.name, rounds.get(cell.name) ?? new Map())
  })
}

/** A hundred steps of a tool that sleeps, in times of one call of it. */
async function waves({ effort }: Bench, gateways: Gateways): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [store, { url }] of gateways) {
    const client = await openClient(url, 'legacy')
    for (const [tool, times] of [
      ['sleeping_parallel', 1],
      ['sleeping_loop', 10],
    ] as const) {
      await client.timed(tool, {})
      const rounds: Rounds = new Map()
      for (let round = 0; round < effort.rounds; round++) {
        const slowest = await client.timed('big', { bytes: 1, delayMs: SLEEP_MS })
        note(rounds, NAME, { 'x slowest': (await client.timed(tool, {})) / (slowest * times) })
      }
      const cell = `gateway, ${store}, ${SLEEPING} steps of ${SLEEP_MS} ms, ${SLEEPING / times} side by side`
      figures.push(...figuresOf('workflows', cell, rounds))
    }
  }
  return figures
}
