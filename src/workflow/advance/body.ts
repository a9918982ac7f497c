import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isEntrance, type Plan, type PlannedLoop } from '../plan.ts'
import type { Body, Failure, LoopState, StepState } from '../run-state.ts'

type Draft<Value> = { -readonly [Name in keyof Value]: Value[Name] }

export interface BodyDraft extends Omit<Draft<Body>, 'steps' | 'live'> {
  steps: (StepState | null)[]
  live: number[]
}

export interface LoopDraft extends Omit<Draft<LoopState>, 'iterations' | 'live'> {
  iterations: StepState[]
  live: number[]
}

/** A copy that is changed until it is handed out. */
export const draftBody = (body: Body): BodyDraft => ({ ...body, steps: [...body.steps], live: [...body.live] })

export const draftLoop = (loop: LoopState): LoopDraft => ({
  ...loop,
  iterations: [...loop.iterations],
  live: [...loop.live],
})

export function hasEnded(step: StepState): boolean {
  return step.status !== 'running' && step.status !== 'waiting'
}

/** How many calls in it are under way, or wait to be made again. */
function slotsOf(step: StepState | null | undefined): number {
  if (!step) return 0
  const inside = step.body ?? step.loop
  if (inside) return inside.slots
  return step.status === 'running' || step.dueAt !== undefined ? 1 : 0
}

/** Puts the next state of a step in its place; when it has ended, those that waited only for it become live. */
export function putStep(plan: Plan, draft: BodyDraft, place: number, step: StepState): void {
  draft.slots += slotsOf(step) - slotsOf(draft.steps[place])
  draft.steps[place] = step
  if (!hasEnded(step)) return
  remove(draft.live, place)
  for (const next of successorsOf(plan)[place] ?? []) {
    if (plan.steps[next]?.after.every((other) => isPast(draft.steps[other]))) insert(draft.live, next)
  }
  if (step.skipsRest) draft.skipping = true
  const planned = plan.steps[place]
  // Whoever may not enter goes over nothing.
  if (step.blocks && (plan.failureMode === 'abort' || isEntrance(planned))) {
    draft.failure = failureOf(step, isEntrance(planned) ? undefined : planned?.id)
  }
}

/** Puts the next state of an iteration in its place. */
export function putIteration(draft: LoopDraft, index: number, step: StepState, planned: PlannedLoop): void {
  draft.slots += slotsOf(step) - slotsOf(draft.iterations[index])
  draft.iterations[index] = step
  if (!hasEnded(step)) {
    insert(draft.live, index)
    return
  }
  remove(draft.live, index)
  if (step.blocks && !isTolerant(planned)) draft.failure = failureOf(step, `iteration ${index}`)
}

/** Whether a loop goes on over an iteration that fails: it says so, or what it repeats does. */
const isTolerant = (planned: PlannedLoop): boolean =>
  planned.onError.action === 'continue' || planned.step.onError.action === 'continue'

export const isLoopOver = (loop: LoopState): boolean =>
  loop.live.length === 0 && loop.iterations.length === loop.items.length

/** Also of a loop that was cut short: iterations that never began are not in it. */
export function loopOutput({ items, iterations }: LoopState): JsonObject {
  const ended = (...statuses: readonly string[]) => iterations.filter(({ status }) => statuses.includes(status)).length
  return {
    iterations: iterations.map(({ status, output, error }, index) => ({
      index,
      item: items[index] as JsonValue,
      status,
      ...(output !== undefined && { output }),
      ...(error !== undefined && { error }),
    })),
    count: items.length,
    completed: ended('completed'),
    failed: ended('failed', 'unknown'),
  }
}

/** In terms of what it is inside of. */
export const within = ({ step, message, kind }: Failure): Failure => ({
  message: step === undefined ? message : `${step}: ${message}`,
  kind,
})

const failureOf = ({ error = '', kind = 'error' }: StepState, step: string | undefined): Failure => ({
  message: error,
  kind,
  ...(step !== undefined && { step }),
})

const isPast = (step: StepState | null | undefined): boolean => !!step && hasEnded(step)

function insert(places: number[], place: number): void {
  let index = places.length
  while (index > 0 && (places[index - 1] ?? 0) > place) index--
  if (places[index - 1] !== place) places.splice(index, 0, place)
}

function remove(places: number[], place: number): void {
  const index = places.indexOf(place)
  if (index >= 0) places.splice(index, 1)
}

const successors = new WeakMap<Plan, readonly (readonly number[])[]>()

/** By place: the places of those that come right after. */
function successorsOf(plan: Plan): readonly (readonly number[])[] {
  let found = successors.get(plan)
  if (!found) {
    const made = plan.steps.map((): number[] => [])
    for (const [place, { after }] of plan.steps.entries()) for (const other of new Set(after)) made[other]?.push(place)
    found = made
    successors.set(plan, found)
  }
  return found
}
