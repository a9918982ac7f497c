import type { Plan, PlannedStep } from '../plan.ts'
import type { Body, StepState } from '../run-state.ts'

/** What a run waits for. */
export interface Survey {
  /** A call is under way, or will be made again. */
  isBusy: boolean
  /** When the next attempt is due that waits, milliseconds since the epoch. */
  dueAt: number
  /** When the next time limit is reached, in active time. */
  deadlineMs: number
}

export function survey(plan: Plan, body: Body): Survey {
  const seen: Survey = { isBusy: false, dueAt: Infinity, deadlineMs: plan.timeoutMs }
  surveyBody(plan, body, seen)
  return seen
}

function surveyBody(plan: Plan, body: Body, seen: Survey): void {
  for (const place of body.live) {
    const planned = plan.steps[place]
    const step = body.steps[place]
    if (planned && step) surveyStep(planned, step, seen)
  }
}

function surveyStep(planned: PlannedStep, step: StepState, seen: Survey): void {
  if (step.dueAt !== undefined) {
    seen.isBusy = true
    seen.dueAt = Math.min(seen.dueAt, step.dueAt)
  } else if (planned.kind === 'tool') {
    // One that is parked waits for the user.
    if (!step.parked) seen.isBusy = true
  } else if (step.deadlineMs !== undefined) {
    seen.deadlineMs = Math.min(seen.deadlineMs, step.deadlineMs)
    if (planned.kind === 'workflow' && step.body) surveyBody(planned.plan, step.body, seen)
    if (planned.kind === 'forEach') {
      for (const index of step.loop?.live ?? []) {
        const iteration = step.loop?.iterations[index]
        if (iteration) surveyStep(planned.step, iteration, seen)
      }
    }
  }
}
