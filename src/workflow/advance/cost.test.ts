import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'

import type { Plan, PlannedStep } from '../plan.ts'
import { createRun, isOver, type RunState } from '../run-state.ts'
import { advance } from './advance.ts'
import type { Command, Event } from './event.ts'

const STEPS = 100
/** Far above what is measured on a quiet machine, or a busy one would fail it. */
const MOST_US = 100
const MOST_BYTES = 20 * 1024 * 1024
const RESULT = { output: { text: 'x'.repeat(200) } }

/** The last step is a question. `after`: the dependencies of the others. */
function planOf(after: (place: number) => number[], maxParallel = 10): Plan {
  const common = { timeoutMs: 300_000, onError: { action: 'abort', retries: 0, delayMs: 0 } } as const
  const steps: PlannedStep[] = Array.from({ length: STEPS - 1 }, (_, place) => ({
    ...common,
    id: `step-${place}`,
    kind: 'tool',
    tool: 'tool',
    repeatable: false,
    after: after(place),
    condition: ({ params }) => params['x'] === 1,
    arguments: ({ steps }) => ({ seen: Object.keys(steps).length }),
  }))
  steps.push({
    ...common,
    id: 'question',
    kind: 'question',
    after: steps.map((_, place) => place),
    onDecline: 'abort',
    onCancel: 'abort',
    ask: () => ({ mode: 'form', message: 'Go on?', schema: { type: 'object', properties: {} } }),
  })
  return { name: 'cost', steps, timeoutMs: 1e9, failureMode: 'abort', maxParallel }
}

/** Up to the question. Returns the run and how many events that took. */
function drive(plan: Plan, id: string): { run: RunState; events: number } {
  let run = createRun(plan, { id, params: { x: 1 }, at: 0 })
  const open: Command[] = []
  let events = 0
  const feed = (event: Event) => {
    const next = advance(plan, run, event)
    run = next.run
    events++
    for (const command of next.commands) if (command.type === 'call') open.push(command)
  }
  feed({ type: 'start', at: 0 })
  for (let call = open.shift(); call; call = open.shift()) {
    if (call.type === 'call') feed({ type: 'ended', at: events, path: call.path, attempt: 1, result: RESULT })
  }
  return { run, events }
}

const SHAPES: [string, Plan][] = [
  ['one after the other', planOf((place) => (place === 0 ? [] : [place - 1]))],
  ['side by side, ten at once', planOf(() => [])],
  ['side by side, all at once', planOf(() => [], 100)],
  ['all after the first', planOf((place) => (place === 0 ? [] : [0]))],
  ['each after all before it', planOf((place) => Array.from({ length: place }, (_, other) => other))],
]

test.each(SHAPES)(`a transition of ${STEPS} steps, %s, is cheap`, (_, plan) => {
  for (let run = 0; run < 30; run++) drive(plan, `warm-${run}`)
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const started = process.cpuUsage()
    let events = 0
    for (let run = 0; run < 20; run++) events += drive(plan, `run-${run}`).events
    const { user, system } = process.cpuUsage(started)
    best = Math.min(best, (user + system) / events)
  }
  expect(best).toBeLessThan(MOST_US)
})

test('a thousand runs that wait for their users are small, also when they come from a file', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const plan = planOf(() => [])
  const weigh = (make: (index: number) => RunState): number => {
    collect()
    const before = process.memoryUsage().heapUsed
    const runs = Array.from({ length: 1_000 }, (_, index) => make(index))
    collect()
    const bytes = process.memoryUsage().heapUsed - before
    expect(runs.some(isOver)).toBe(false)
    return bytes
  }
  const half = {
    ...plan,
    steps: plan.steps.map((step, place) => ({ ...step, after: place < 50 || place > 98 ? [] : [99] })),
  }
  const shared = weigh((index) => drive(half, `run-${index}`).run)
  const text = JSON.stringify(drive(half, 'run').run)
  const parsed = weigh(() => JSON.parse(text) as RunState)
  expect(shared).toBeLessThan(MOST_BYTES)
  expect(parsed).toBeLessThan(MOST_BYTES)
})
