import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, expect, test } from 'vitest'

import { beginning, loop, plan, question, tool } from '../../../test/support/workflow/engine.ts'
import { sealingWith, TEST_KEY } from '../../../test/support/workflow/sealing.ts'
import { parseJson } from '../../../test/support/workflow/json.ts'
import type { Plan } from '../plan.ts'
import { createEngine } from './engine.ts'
import { CLOCK, type StepResult } from './ports.ts'
import { openFileStore } from '../store/file-store.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import type { RunStore } from '../store/run-store.ts'

const root = mkdtempSync(join(tmpdir(), 'vmcp-cost-'))
afterAll(() => rmSync(root, { recursive: true }))

const STEPS = 100
/** Goals are 50 and 200; a busy machine, and one that has compiled nothing yet, needs more. */
const MOST_US = { memory: 150, file: 600 }
const RESULT: StepResult = { output: { text: 'x'.repeat(200) }, content: { text: 'x'.repeat(200) } }

const engineOf = (of: Plan, store: RunStore, call: () => Promise<StepResult>) =>
  createEngine<string>({ ...CLOCK, store, call, plan: () => ({ plan: of }), check: () => undefined })

const chain = plan(
  Array.from({ length: STEPS }, (_, place) =>
    tool(`s${place}`, place === 0 ? [] : [place - 1], {
      arguments: ({ steps }) => ({ seen: Object.keys(steps).length }),
    }),
  ),
)
const wide = plan(
  Array.from({ length: STEPS }, (_, place) => tool(`s${place}`)),
  { maxParallel: STEPS },
)
const looping = plan([
  loop(
    'all',
    Array.from({ length: STEPS }, (_, index) => index),
    { maxParallel: 10 },
  ),
])

/** CPU time of all threads per step, of the best of some rounds, in microseconds. */
async function cost(of: Plan, store: RunStore, atOnce: number): Promise<number> {
  const engine = engineOf(of, store, () => new Promise((resolve) => setImmediate(resolve, RESULT)))
  const many = () => Promise.all(Array.from({ length: atOnce }, () => engine.begin(beginning(of))))
  await many()
  let best = Infinity
  for (let round = 0; round < 4; round++) {
    const before = process.cpuUsage()
    await many()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / (STEPS * atOnce))
  }
  await engine.close()
  await store.close()
  return Math.round(best)
}

test('a step costs little with either store, whatever the shape', { timeout: 60_000 }, async () => {
  const figures: Record<string, number> = {}
  for (const [name, of] of Object.entries({ chain, wide, looping })) {
    const folder = mkdtempSync(join(root, 'f-'))
    const file = () => openFileStore({ folder, sealing: sealingWith(TEST_KEY), parse: parseJson })
    figures[`memory, ${name}`] = await cost(of, createMemoryStore(parseJson), 10)
    figures[`file, ${name}`] = await cost(of, await file(), 10)
    figures[`file, ${name}, one run`] = await cost(of, await file(), 1)
  }
  if (process.env['VMCP_FIGURES']) console.log(figures)
  for (const [name, us] of Object.entries(figures)) {
    expect(us, name).toBeLessThan(name.startsWith('memory') ? MOST_US.memory : MOST_US.file)
  }
})

test.each([
  [100, 1],
  [10, 10],
])('100 steps, %i at once, take the time of the slowest, %i times', async (maxParallel, waves) => {
  const of = { ...wide, maxParallel }
  const slowest = 60
  const engine = engineOf(of, createMemoryStore(parseJson), async () => {
    await sleep(slowest)
    return RESULT
  })
  const started = performance.now()
  await engine.begin(beginning(of))
  const ms = performance.now() - started
  expect(ms).toBeGreaterThanOrEqual(slowest * waves - 5)
  expect(ms).toBeLessThan(slowest * waves * 1.5 + 50)
  await engine.close()
})

test('a thousand runs that wait for their users are small', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const steps = Array.from({ length: 20 }, (_, place) => tool(`s${place}`))
  const of = plan([...steps, question('ok', [...steps.keys()])], { maxParallel: 100 })
  const engine = engineOf(of, createMemoryStore(parseJson), () =>
    Promise.resolve({ output: { text: 'x'.repeat(200) }, content: { text: 'x'.repeat(200) } }),
  )
  await engine.begin(beginning(of))
  collect()
  const before = process.memoryUsage()
  for (let run = 0; run < 1_000; run++) {
    const turn = await engine.begin({ ...beginning(of), owner: `owner-${run % 20}` })
    expect(turn.kind).toBe('asking')
  }
  collect()
  const after = process.memoryUsage()
  const bytes = after.heapUsed - before.heapUsed + (after.external - before.external)
  if (process.env['VMCP_FIGURES']) console.log({ suspended: bytes })
  expect(bytes).toBeLessThan(20 * 1024 * 1024)
  await engine.close()
})
