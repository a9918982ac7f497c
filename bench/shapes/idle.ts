import { setTimeout as sleep } from 'node:timers/promises'

import { treeRss } from '../cpu.ts'
import { figuresOf, note, type Figure, type Rounds } from '../figures.ts'
import { using, type Bench, type Shape } from '../shape.ts'
import { startBackend, type Backend } from '../subjects.ts'

const SESSIONS = 1_000

export const idle: Shape = {
  name: 'idle',
  about: `memory that ${SESSIONS} idle legacy sessions with an open GET stream each add, in a fresh process per round`,
  run: (bench) => bench.attempt('idle', () => measure(bench)),
}

async function measure(bench: Bench): Promise<Figure[]> {
  const rounds: Rounds = new Map()
  const subjects = bench.subjects.filter(
    ({ name, serves }) => name !== 'direct' && serves('legacy', 'legacy') && !(bench.effort.short && name !== 'vmcp'),
  )
  for (let round = 0; round < Math.min(3, bench.effort.short ? 1 : bench.effort.rounds); round++) {
    for (const { name, start } of subjects) {
      bench.say(`idle ${name}, round ${round + 1}`)
      let backend: Backend
      const begin = async () => {
        backend = await startBackend([{ era: 'legacy', answer: 'json', tools: 10, count: 1 }])
        return backend
      }
      await using([begin], async () => {
        const running = await start(backend.urls, 'legacy')
        await using([async () => running], async () => {
          const { url, pid = backend.pid } = running
          // What the first sessions load and compile is not what a session costs.
          await bench.load.idle({ name: 'warm', url, sessions: 20 })
          await sleep(500)
          const before = treeRss(pid)
          await bench.load.idle({ name, url, sessions: SESSIONS })
          await sleep(1_500)
          note(rounds, name, { 'added MB': (treeRss(pid) - before) / 2 ** 20 })
          await bench.load.close(name)
          await bench.load.close('warm')
        })
      })
    }
  }
  return figuresOf('idle', `${SESSIONS} sessions`, rounds)
}
