import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isEntrance, type Plan, type PlannedStep, type StepStatus } from '../plan.ts'
import type { Body, RunState, StepState } from '../run-state.ts'

/** What became of one step. */
export interface StepOutcome {
  /** Its id in words, such as `deploy[2].push`. */
  readonly id: string
  readonly status: StepStatus
  /** 0: it did not begin. */
  readonly attempts: number
  readonly ms: number
  /** Of a nested workflow; those of calls are with the calls. */
  readonly arguments?: JsonObject
  readonly output?: JsonValue
  readonly error?: string
}

/** The steps of a run that is over in order of the plan, each before those that it consists of. */
export function stepOutcomes(plan: Plan, { body }: RunState): StepOutcome[] {
  const outcomes: StepOutcome[] = []
  inBody(plan, body, '', outcomes)
  return outcomes
}

function inBody(plan: Plan, body: Body, prefix: string, outcomes: StepOutcome[]): void {
  for (const [place, planned] of plan.steps.entries()) {
    if (!isEntrance(planned)) inStep(planned, body.steps[place] ?? NOT_BEGUN, `${prefix}${planned.id}`, outcomes)
  }
}

/** As reports of steps have it. */
const NOT_BEGUN: StepState = { status: 'cancelled', attempt: 0, startedAt: 0 }

function inStep(planned: PlannedStep, step: StepState, id: string, outcomes: StepOutcome[]): void {
  const { status, attempt, ms = 0, output, error, body, loop } = step
  outcomes.push({
    id,
    status,
    attempts: attempt,
    ms,
    ...(body && { arguments: body.params }),
    ...(output !== undefined && { output }),
    ...(error !== undefined && { error }),
  })
  if (planned.kind === 'workflow' && body) inBody(planned.plan, body, `${id}.`, outcomes)
  if (planned.kind !== 'forEach') return
  for (const [index, iteration] of (loop?.iterations ?? []).entries())
    inStep(planned.step, iteration, `${id}[${index}]`, outcomes)
}
