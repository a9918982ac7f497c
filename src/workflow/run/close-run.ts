import type { Body, Outcome, RunState, StepState } from '../run-state.ts'

/**
 * Ends a run that nobody performs, from what is known of it alone: without a plan, for there may be none any more. What
 * was under way is `unknown`.
 */
export function closeRun(run: RunState, at: number, outcome: Exclude<Outcome, { status: 'completed' }>): RunState {
  return {
    ...run,
    status: outcome.status,
    revision: run.revision + 1,
    activeSince: null,
    wakeAt: null,
    body: closeBody(run.body, at),
    questions: [],
    endedAt: at,
    outcome,
  }
}

function closeBody(body: Body, at: number): Body {
  return { ...body, steps: body.steps.map((step) => step && closeStep(step, at)), live: [], slots: 0 }
}

function closeStep(step: StepState, at: number): StepState {
  if (step.status !== 'running' && step.status !== 'waiting') return step
  const { dueAt: _due, deadlineMs: _deadline, parked: _parked, ...rest } = step
  const closed = { ...rest, ms: Math.max(0, at - step.startedAt) }
  if (step.body) return { ...closed, status: 'cancelled', body: closeBody(step.body, at) }
  if (step.loop) {
    const iterations = step.loop.iterations.map((iteration) => closeStep(iteration, at))
    return { ...closed, status: 'cancelled', loop: { ...step.loop, iterations, live: [], slots: 0 } }
  }
  if (step.status === 'waiting') return { ...closed, status: 'cancelled' }
  const error = 'The call was made, and how it ended is not known'
  return { ...closed, status: 'unknown', unconfirmed: true, error, kind: 'lost' }
}
