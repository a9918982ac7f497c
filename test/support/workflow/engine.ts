import { Cancellation } from '../../../src/model/cancellation.ts'
import type { JsonObject, JsonValue } from '../../../src/model/json.ts'
import { parseJson } from '../../../src/protocol/json.ts'
import type { Plan, PlannedLoop, PlannedQuestion, PlannedStep, PlannedTool } from '../../../src/workflow/plan.ts'
import { createEngine, type Engine } from '../../../src/workflow/run/engine.ts'
import { type RunCaller, type Clock, type Ports, type StepCall } from '../../../src/workflow/run/ports.ts'
import { DEFAULT_SETTINGS, type Settings } from '../../../src/workflow/run/settings.ts'
import { createMemoryStore } from '../../../src/workflow/store/memory-store.ts'
import type { RunStore } from '../../../src/workflow/store/run-store.ts'

const ABORT = { action: 'abort', retries: 0, delayMs: 0 } as const

export const tool = (id: string, after: number[] = [], more: Partial<PlannedTool> = {}): PlannedTool => ({
  kind: 'tool',
  id,
  after,
  tool: id,
  timeoutMs: 300_000,
  onError: ABORT,
  repeatable: false,
  arguments: () => ({}),
  ...more,
})

export const question = (id: string, after: number[] = [], more: Partial<PlannedQuestion> = {}): PlannedQuestion => ({
  kind: 'question',
  id,
  after,
  timeoutMs: 300_000,
  onError: ABORT,
  onDecline: 'abort',
  onCancel: 'abort',
  ask: () => ({ mode: 'form', message: `${id}?`, schema: { type: 'object', properties: {} } }),
  ...more,
})

export const loop = (id: string, items: JsonValue[], more: Partial<PlannedLoop> = {}): PlannedLoop => ({
  kind: 'forEach',
  id,
  after: [],
  timeoutMs: 1_800_000,
  onError: ABORT,
  collection: () => items,
  itemVar: 'item',
  maxParallel: 100,
  maxIterations: 10_000,
  step: tool('each'),
  ...more,
})

export const plan = (steps: PlannedStep[], more: Partial<Plan> = {}): Plan => ({
  name: 'deploy',
  steps,
  timeoutMs: 1_800_000,
  failureMode: 'abort',
  maxParallel: 10,
  ...more,
})

export interface FakeClock extends Clock {
  /** Lets so much time pass, and all that happens in it. */
  readonly pass: (ms: number) => Promise<void>
}

export function fakeClock(start = 1_000_000): FakeClock {
  let now = start
  let count = 0
  const timers = new Map<number, { at: number; callback: () => void }>()
  return {
    now: () => now,
    setTimer: (ms, callback) => {
      const id = ++count
      timers.set(id, { at: now + ms, callback })
      return () => timers.delete(id)
    },
    pass: async (ms) => {
      const end = now + ms
      for (;;) {
        await settled()
        const next = [...timers]
          .filter(([, { at }]) => at <= end)
          .toSorted(([, one], [, other]) => one.at - other.at)[0]
        if (!next) break
        const [id, { at, callback }] = next
        timers.delete(id)
        now = Math.max(now, at)
        callback()
      }
      now = end
      await settled()
    },
  }
}

/** All that was going to happen without time, and without a disk, has happened. */
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

interface Call extends StepCall<string> {
  readonly signal: Cancellation
  readonly give: (output: JsonValue, content?: JsonValue) => void
  readonly fail: (error: Error) => void
}

export interface World {
  readonly engine: Engine<string>
  readonly store: RunStore
  readonly clock: FakeClock
  /** Calls that nobody has ended, by the step that makes them. */
  readonly calls: Map<string, Call>
  /** All that were made, in order. */
  readonly made: Call[]
}

export interface WorldOptions {
  readonly plan: Plan | ((ended: readonly string[]) => { plan: Plan } | { faults: readonly string[] })
  readonly store?: RunStore
  readonly clock?: FakeClock
  readonly settings?: Partial<Settings>
  readonly check?: Ports<string>['check']
}

/** An engine whose steps end when the test says so. */
export function world({ plan: of, settings, check, ...given }: WorldOptions): World {
  const store = given.store ?? createMemoryStore(parseJson)
  const clock = given.clock ?? fakeClock()
  const calls = new Map<string, Call>()
  const made: Call[] = []
  const ports: Ports<string> = {
    ...clock,
    store,
    call: (step, signal) =>
      new Promise((resolve, reject) => {
        const end = (work: () => void) => () => {
          if (calls.get(step.step) === call) calls.delete(step.step)
          work()
        }
        const call: Call = {
          ...step,
          signal,
          give: (output, content) => end(() => resolve({ output, ...(content !== undefined && { content }) }))(),
          fail: (error) => end(() => reject(error))(),
        }
        calls.set(step.step, call)
        made.push(call)
        signal.onCancel((why) => call.fail(why))
      }),
    plan: (_, ended) => (typeof of === 'function' ? of(ended) : { plan: of }),
    check: check ?? (() => undefined),
  }
  return { engine: createEngine(ports, { ...DEFAULT_SETTINGS, ...settings }), store, clock, calls, made }
}

export const caller = (more: Partial<RunCaller<string>> = {}): RunCaller<string> => ({
  context: 'ann with claims',
  signal: new Cancellation(),
  takes: () => true,
  returns: false,
  ...more,
})

export const beginning = (of: Plan, by: RunCaller<string> = caller(), params: JsonObject = {}) => ({
  plan: of,
  definition: { name: of.name },
  params,
  owner: 'ann',
  caller: by,
})
