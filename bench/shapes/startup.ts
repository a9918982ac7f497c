import { connect } from 'node:net'

import { figuresOf, note, type Figure, type Rounds } from '../figures.ts'
import { using, type Bench, type Shape } from '../shape.ts'
import { startBackend, type Backend } from '../subjects.ts'

export const startup: Shape = {
  name: 'startup',
  about: 'from the start of the process until its port accepts a connection',
  run: (bench) => bench.attempt('startup', () => measure(bench)),
}

async function measure(bench: Bench): Promise<Figure[]> {
  const rounds: Rounds = new Map()
  const subjects = bench.subjects.filter(({ name, serves }) => name !== 'direct' && serves('legacy', 'legacy'))
  let backend: Backend
  const begin = async () => {
    backend = await startBackend([{ era: 'legacy', answer: 'json', tools: 10, count: 1 }])
    return backend
  }
  await using([begin], async () => {
    for (let round = 0; round < bench.effort.rounds; round++) {
      bench.say(`startup, round ${round + 1}`)
      for (const { name, start } of subjects) {
        const running = await start(backend.urls, 'legacy')
        await using([async () => running], async () => {
          const announced = performance.now()
          await reach(new URL(running.url))
          note(rounds, name, { 'ready ms': running.startMs + performance.now() - announced })
        })
      }
    }
  })
  return figuresOf('startup', 'port open', rounds)
}

function reach({ hostname, port }: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) })
    socket.on('error', reject)
    socket.on('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}
