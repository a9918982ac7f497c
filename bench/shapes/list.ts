import { treeCpuUs } from '../cpu.ts'
import { figuresOf, note, ratio, type Figure, type Rounds } from '../figures.ts'
import { using, usingSubjects, type Bench, type Shape } from '../shape.ts'
import { startBackend, type Backend } from '../subjects.ts'

const CONNECTIONS = 4

export const list: Shape = {
  name: 'list',
  about: `tools/list of so many tools, all pages, ${CONNECTIONS} connections`,
  async run(bench) {
    for (const tools of bench.effort.short ? [200] : [200, 2_000]) {
      await bench.attempt(`list ${tools} tools`, () => measure(bench, tools))
    }
  },
}

async function measure(bench: Bench, tools: number): Promise<Figure[]> {
  let backend: Backend
  const rounds: Rounds = new Map()
  const begin = async () => {
    backend = await startBackend([{ era: 'legacy', answer: 'json', tools, count: 1 }])
    return backend
  }
  const subjects = bench.subjects.filter(
    ({ name, serves }) => serves('legacy', 'legacy') && !(bench.effort.short && name === 'sdk'),
  )
  await using([begin], () =>
    usingSubjects(
      subjects,
      ({ start }) => start(backend.urls, 'legacy'),
      async (running) => {
        for (const [{ name }, { url }] of running) {
          await bench.load.open({ name, url, era: 'legacy', connections: CONNECTIONS, tools: [] })
          await bench.load.run({ name, ms: bench.effort.warmMs, calls: Infinity })
        }
        for (let round = 0; round < bench.effort.rounds; round++) {
          for (const [{ name }, { pid = backend.pid }] of running) {
            const cpu = treeCpuUs(pid)
            const { calls, p50, seconds } = await bench.load.run({ name, ms: bench.effort.runMs, calls: Infinity })
            note(rounds, name, {
              'cpu us': (treeCpuUs(pid) - cpu) / calls,
              'p50 us': p50,
              'lists/s': calls / seconds,
            })
          }
        }
        for (const { name } of running.keys()) await bench.load.close(name)
      },
    ),
  )
  const bare = rounds.get('bare')?.['cpu us']
  for (const row of rounds.values()) {
    const compared = ratio(row['cpu us'], bare)
    if (compared) row['cpu x bare'] = compared
  }
  return figuresOf('list', `${tools} tools`, rounds)
}
