import { openClient } from '../client.ts'
import { peakRss, treeCpuUs, treeRss } from '../cpu.ts'
import { figuresOf, note, type Figure, type Rounds } from '../figures.ts'
import { using, type Bench, type Shape } from '../shape.ts'
import { startBackend, type Backend, type Running } from '../subjects.ts'

const MB = 2 ** 20

export const large: Shape = {
  name: 'large',
  about: 'one result of 1 MB and of 16 MB: memory while it passes, and how long before its end it begins to arrive',
  async run(bench) {
    for (const megabytes of bench.effort.short ? [16] : [1, 16]) {
      await bench.attempt(`large ${megabytes} MB`, () => measure(bench, megabytes))
    }
  },
}

/** So much passes first: code is compiled and the heap has its working size, but has never held a large result. */
const WARM = { calls: 20, bytes: MB / 4 }

async function measure(bench: Bench, megabytes: number): Promise<Figure[]> {
  const bytes = megabytes * MB
  const rounds: Rounds = new Map()
  const subjects = bench.subjects.filter(({ serves }) => serves('legacy', 'legacy'))
  let backend: Backend
  const begin = async () => {
    backend = await startBackend([{ era: 'legacy', answer: 'json', tools: 2, count: 1 }])
    return backend
  }
  await using([begin], async () => {
    for (let round = 0; round < bench.effort.rounds; round++) {
      for (const { name, start } of subjects) {
        const running = await start(backend.urls, 'legacy')
        await using([async () => running], async () => {
          note(rounds, name, await pass(running, backend, bytes))
        })
      }
    }
  })
  return figuresOf('large', `${megabytes} MB`, rounds)
}

async function pass({ url, pid: own }: Running, backend: Backend, bytes: number): Promise<Record<string, number>> {
  const pid = own ?? backend.pid
  const client = await openClient(url, 'legacy')
  const tool = (await client.tools()).find((each) => each.endsWith('big')) ?? 'big'
  for (let i = 0; i < WARM.calls; i++) await client.big(tool, { bytes: WARM.bytes })
  const before = treeRss(pid)
  const cpu = treeCpuUs(pid)
  let ms = 0
  const peak = await peakRss(pid, async () => {
    const { sentAt, lastAt } = await client.big(tool, { bytes })
    ms = lastAt - sentAt
  })
  const cpuMs = (treeCpuUs(pid) - cpu) / 1000
  const slow = await client.big(tool, { bytes, pieces: 16, delayMs: 5 })
  const { finishedAt } = (await backend.stats()).big
  return {
    'pass ms': ms,
    'cpu ms': cpuMs,
    'extra MB': (peak - before) / MB,
    'first byte ms': slow.firstAt - slow.sentAt,
    'ahead ms': finishedAt - slow.firstAt,
  }
}
