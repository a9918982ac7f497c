import type { Listener } from '../backend.ts'
import { openClient, type Era } from '../client.ts'
import { treeCpuUs, treeRss } from '../cpu.ts'
import { difference, figuresOf, note, ratio, type Figure, type Rounds } from '../figures.ts'
import { usingSubjects, using, type Bench, type Shape } from '../shape.ts'
import { startBackend, type Backend, type SubjectName } from '../subjects.ts'

interface Cell {
  client: Era
  backend: Era
  answer: 'json' | 'sse'
  connections: number
  /** The slow baselines take part. */
  slow: boolean
  /** Belongs to the short run. */
  short: boolean
}

const cell = (client: Era, backend: Era, answer: 'json' | 'sse', connections: number, marks = ''): Cell => ({
  client,
  backend,
  answer,
  connections,
  slow: marks.includes('slow'),
  short: marks.includes('short'),
})

const CELLS: readonly Cell[] = [
  cell('legacy', 'legacy', 'json', 1, 'short'),
  cell('legacy', 'legacy', 'json', 16, 'short slow'),
  cell('legacy', 'legacy', 'json', 64),
  cell('legacy', 'legacy', 'sse', 1),
  cell('legacy', 'legacy', 'sse', 16, 'short slow'),
  cell('legacy', 'legacy', 'sse', 64),
  cell('modern', 'modern', 'json', 1),
  cell('modern', 'modern', 'json', 16, 'short slow'),
  cell('modern', 'modern', 'json', 64),
  cell('modern', 'modern', 'sse', 1),
  cell('modern', 'modern', 'sse', 16),
  cell('modern', 'modern', 'sse', 64),
  cell('modern', 'legacy', 'json', 16, 'short'),
  cell('legacy', 'modern', 'json', 16),
]

export const call: Shape = {
  name: 'call',
  about: 'tools/call echo: client era -> backend era, form of the answers, connections',
  async run(bench) {
    for (const one of CELLS) {
      if (bench.effort.short && !one.short) continue
      await bench.attempt(`call ${nameOf(one)}`, () => measure(bench, one))
    }
  },
}

const nameOf = ({ client, backend, answer, connections }: Cell) => `${client}->${backend} ${answer} c${connections}`

const WARM_CONNECTIONS = 16

/** The floor cannot translate: across eras it and the direct row stand before a backend of the client's own era. */
const FLOOR = new Set<SubjectName>(['direct', 'bare'])
const SLOW = new Set<SubjectName>(['sdk', 'npm'])

async function measure(bench: Bench, one: Cell): Promise<Figure[]> {
  const { client, backend: backendEra, answer, connections } = one
  const crossing = client !== backendEra
  const listener = (era: Era): Listener => ({ era, answer, tools: 2, count: 1 })
  let backend: Backend
  const subjects = bench.subjects.filter(({ name, serves }) =>
    FLOOR.has(name) ? true : serves(client, backendEra) && (one.slow || !SLOW.has(name)),
  )
  const rounds: Rounds = new Map()
  const begin = async () => {
    backend = await startBackend([listener(backendEra), listener(client)])
    return backend
  }
  await using([begin], () =>
    usingSubjects(
      subjects,
      ({ name, start }) => start([backend.urls[FLOOR.has(name) ? 1 : 0]!], FLOOR.has(name) ? client : backendEra),
      async (running) => {
        for (const [{ name }, { url }] of running) {
          const tools = (await (await openClient(url, client)).tools()).filter((tool) => tool.endsWith('echo'))
          const order = { name, url, era: client, tools: tools.slice(0, 1) }
          // One connection alone would take long to get the code compiled.
          await bench.load.open({ ...order, connections: Math.max(connections, WARM_CONNECTIONS) })
          await bench.load.run({ name, ms: bench.effort.warmMs, calls: Infinity })
          await bench.load.open({ ...order, connections })
        }
        for (let round = 0; round < bench.effort.rounds; round++) {
          for (const [{ name }, { pid = backend.pid }] of running) {
            const requests = (await backend.stats()).requests
            const cpu = treeCpuUs(pid)
            const { calls, seconds, p50, p99 } = await bench.load.run({ name, ms: bench.effort.runMs, calls: Infinity })
            note(rounds, name, {
              'cpu us': (treeCpuUs(pid) - cpu) / calls,
              'p50 us': p50,
              'p99 us': p99,
              'calls/s': calls / seconds,
              'rss MB': treeRss(pid) / 2 ** 20,
              'upstream/call': ((await backend.stats()).requests - requests) / calls,
            })
          }
        }
        for (const { name } of running.keys()) await bench.load.close(name)
      },
    ),
  )
  compare(rounds)
  return figuresOf(crossing ? 'cross' : 'call', nameOf(one), rounds)
}

function compare(rounds: Rounds): void {
  const direct = rounds.get('direct')
  const bare = rounds.get('bare')
  const sdk = rounds.get('sdk')
  const floor = difference(bare?.['p50 us'], direct?.['p50 us'])
  for (const [name, row] of rounds) {
    if (name === 'direct') continue
    const added = difference(row['p50 us'], direct?.['p50 us'])
    const more: Record<string, number[] | undefined> = {
      'added us': added,
      'cpu x bare': ratio(row['cpu us'], bare?.['cpu us']),
      'added x bare': ratio(added, floor),
      'rss - bare MB': difference(row['rss MB'], bare?.['rss MB']),
      'calls/cpu x sdk': ratio(sdk?.['cpu us'], row['cpu us']),
    }
    for (const [metric, values] of Object.entries(more)) if (values) row[metric] = values
  }
}
