import type { Body, StepState } from '../run-state.ts'
import type { Event } from './event.ts'

type Ended = Extract<Event, { type: 'ended' }>

/** Records the end of an attempt that counts no more, at the step that made it; the same object when it is not one. */
export function recordLate(body: Body, event: Ended, depth = 0): Body {
  const place = event.path[depth] ?? -1
  const step = body.steps[place]
  if (!step) return body
  const next = lateStep(step, event, depth + 1)
  return next === step ? body : { ...body, steps: body.steps.with(place, next) }
}

function lateStep(step: StepState, event: Ended, depth: number): StepState {
  const { path } = event
  if (depth === path.length) return isAwaited(step, event) ? { ...step, late: lateOf(event) } : step
  if (step.body) {
    const body = recordLate(step.body, event, depth)
    return body === step.body ? step : { ...step, body }
  }
  const index = path[depth] ?? -1
  const iteration = step.loop?.iterations[index]
  if (!step.loop || !iteration) return step
  const next = lateStep(iteration, event, depth + 1)
  if (next === iteration) return step
  return { ...step, loop: { ...step.loop, iterations: step.loop.iterations.with(index, next) } }
}

/** The one attempt whose true end is not known. While a further one waits or is under way, its own end counts. */
const isAwaited = (step: StepState, { attempt }: Ended): boolean =>
  step.unconfirmed === true && step.late === undefined && step.attempt === attempt && step.dueAt === undefined

function lateOf(event: Ended): NonNullable<StepState['late']> {
  if ('result' in event) return { at: event.at, output: event.result.output }
  return { at: event.at, error: event.failure.message }
}
