import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { parseJson } from '../../src/protocol/json.ts'
import type { Plan, PlannedStep } from '../../src/workflow/plan.ts'
import { StepError, type Turn } from '../../src/workflow/run/ports.ts'
import { createMemoryStore } from '../../src/workflow/store/memory-store.ts'
import { apply, diff, type Patch } from '../../src/workflow/store/patch.ts'
import type { RunStore } from '../../src/workflow/store/run-store.ts'
import { beginning, caller, fakeClock, settled, world, type World } from '../support/workflow/engine.ts'
import { digest, planOf, planSpecs } from '../support/workflow/plans.ts'

const RUNS = 200
const MOST = 2_000

/** Labels of tools, without the numbers of iterations, and whether they may be repeated. */
function toolsOf(plan: Plan, outer = ''): Map<string, boolean> {
  const found = new Map<string, boolean>()
  const look = (step: PlannedStep, label: string) => {
    if (step.kind === 'tool') found.set(label, step.repeatable)
    if (step.kind === 'forEach') look(step.step, `${label}[]`)
    if (step.kind === 'workflow') for (const [inner, may] of toolsOf(step.plan, `${label}.`)) found.set(inner, may)
  }
  for (const step of plan.steps) look(step, `${outer}${step.id}`)
  return found
}

/** Writes as a file does: only what has changed. Past `die`, nobody hears of it. */
function journaling(base: RunStore): { store: RunStore; die: () => void } {
  let isDead = false
  const alive = <Value>(work: () => Promise<Value>): Promise<Value> => (isDead ? new Promise(() => {}) : work())
  const copy = (value: unknown) => parseJson(JSON.stringify(value))
  const store: RunStore = {
    ...base,
    read: (id) => alive(() => base.read(id)),
    create: (run, room) => alive(() => base.create(run, room)),
    update: (before, after) =>
      alive(() => {
        expect(after.revision).toBe(before.revision + 1)
        const patch = copy(diff(before.body as unknown as JsonValue, after.body as unknown as JsonValue))
        const body = apply(copy(before.body), patch as unknown as Patch)
        expect(JSON.stringify(body)).toBe(JSON.stringify(after.body))
        return base.update(before, { ...after, body: body as unknown as NonNullable<typeof after.body> })
      }),
    renew: (holder, until) => alive(() => base.renew(holder, until)),
  }
  return { store, die: () => void (isDead = true) }
}

async function drive(plan: Plan, seed: number, choices: readonly number[]): Promise<string> {
  const base = createMemoryStore(parseJson)
  const clock = fakeClock()
  const may = toolsOf(plan)
  const confirmed = new Set<string>()
  const uncertain = new Set<string>()
  const by = () => caller({ returns: true })
  let journal = journaling(base)
  let it: World
  let seen = 0
  let turn: Turn | undefined
  const enter = () => {
    journal = journaling(base)
    it = world({ plan, store: journal.store, clock })
    seen = 0
  }
  const wait = (promise: Promise<Turn>) => {
    turn = undefined
    promise.then(
      (now) => (turn = now),
      () => {},
    )
  }
  enter()
  wait(it!.engine.begin({ ...beginning(plan, by(), { x: 1 }), id: 'run' }))
  for (let count = 0; count < MOST; count++) {
    await settled()
    for (const call of it!.made.slice(seen)) {
      const { step, idempotencyKey: key } = call
      if (may.get(step.replace(/\[\d+\]/g, '[]')) === false) {
        expect(confirmed, step).not.toContain(key)
        expect(uncertain, step).not.toContain(key)
      }
      call.signal.onCancel(() => uncertain.add(key))
    }
    seen = it!.made.length
    if (turn?.kind === 'finished') return turn.outcome.status
    expect(turn?.kind).not.toBe('unknown')
    const choice = choices[count % choices.length] ?? 0
    const calls = [...it!.calls.values()]
    if (choice % 11 === 0) {
      journal.die()
      for (const { idempotencyKey } of calls) uncertain.add(idempotencyKey)
      await clock.pass(40_000)
      enter()
      wait(it!.engine.resume('run', 'ann', {}, by()))
    } else if (turn?.kind === 'asking') {
      const { questions } = turn
      const some = questions.filter((_, index) => index === choice % questions.length || choice % 3 === 0)
      const answers = some.map(({ id }): [string, JsonObject] => [
        id,
        choice % 4 === 0 ? { action: 'decline' } : { action: 'accept', content: { x: id } },
      ])
      wait(it!.engine.resume('run', 'ann', Object.fromEntries(answers), by()))
    } else if (calls.length > 0 && choice % 7 === 5) {
      // A question of the backend, which is asked with those of the run.
      calls[choice % calls.length]?.ask({ method: 'elicitation/create' }).catch(() => {})
    } else if (calls.length > 0) {
      const call = calls[choice % calls.length]
      const drawn = digest(`${seed} ${call?.step} ${call?.attempt}`)
      if (drawn % 5 < 2) call?.fail(new StepError(drawn % 2 ? 'error' : 'timeout', `no ${drawn % 100}`))
      else {
        confirmed.add(call?.idempotencyKey ?? '')
        call?.give(`yes ${drawn % 100}`)
      }
      if (drawn % 7 === 0) await clock.pass(1_000)
    } else await clock.pass(3_600_000)
  }
  throw new Error('It never ends')
}

test('random plans, ends, answers and deaths of the process: it ends, repeats nothing that it may not, loses nothing', async () => {
  const ends = new Set<string>()
  await fc.assert(
    fc.asyncProperty(
      planSpecs('any'),
      fc.integer({ min: 0, max: 1e6 }),
      fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 20, maxLength: 40 }),
      async (spec, seed, choices) => {
        ends.add(await drive(planOf(spec, 'any'), seed, choices.includes(1) ? choices : [...choices, 1]))
      },
    ),
    { numRuns: RUNS },
  )
  expect(ends).toContain('completed')
  expect(ends).toContain('failed')
})
