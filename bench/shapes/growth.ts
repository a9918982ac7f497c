import { openClient } from '../client.ts'
import { treeRss } from '../cpu.ts'
import { difference, figuresOf, median, note, type Figure, type Rounds } from '../figures.ts'
import { using, usingSubjects, type Bench, type Shape } from '../shape.ts'
import { startBackend, type Backend, type SubjectName } from '../subjects.ts'

const SLICES = 20
const SUBJECTS = new Set<SubjectName>(['bare', 'vmcp'])

export const growth: Shape = {
  name: 'growth',
  about: 'memory over many calls: the median of the last quarter less the median of the second',
  async run(bench) {
    if (!bench.effort.short) await bench.attempt('growth', () => measure(bench))
  },
}

async function measure(bench: Bench): Promise<Figure[]> {
  const rounds: Rounds = new Map()
  let backend: Backend
  const begin = async () => {
    backend = await startBackend([{ era: 'legacy', answer: 'json', tools: 2, count: 1 }])
    return backend
  }
  const subjects = bench.subjects.filter(({ name }) => SUBJECTS.has(name))
  await using([begin], () =>
    usingSubjects(
      subjects,
      ({ start }) => start(backend.urls, 'legacy'),
      async (running) => {
        for (const [{ name }, { url, pid = backend.pid }] of running) {
          const tools = (await (await openClient(url, 'legacy')).tools()).filter((tool) => tool.endsWith('echo'))
          await bench.load.open({ name, url, era: 'legacy', connections: 16, tools: tools.slice(0, 1) })
          const sizes: number[] = []
          for (let slice = 0; slice < SLICES; slice++) {
            bench.say(`growth ${name} ${slice + 1}/${SLICES}`)
            const calls = Math.ceil(bench.effort.growthCalls / SLICES)
            await bench.load.run({ name, ms: 300_000, calls })
            sizes.push(treeRss(pid) / 2 ** 20)
          }
          const quarter = SLICES / 4
          note(rounds, name, {
            'growth MB': median(sizes.slice(-quarter)) - median(sizes.slice(quarter, 2 * quarter)),
            'rss MB': sizes.at(-1) ?? Number.NaN,
          })
          await bench.load.close(name)
        }
      },
    ),
  )
  const bare = rounds.get('bare')?.['growth MB']
  for (const row of rounds.values()) {
    const compared = difference(row['growth MB'], bare)
    if (compared) row['growth - bare MB'] = compared
  }
  return figuresOf('growth', `${bench.effort.growthCalls} calls`, rounds)
}
