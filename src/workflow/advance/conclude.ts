import type { JsonValue } from '../../model/json.ts'
import type { Plan, PlannedLoop, PlannedNested, PlannedStep } from '../plan.ts'
import type { Body, LoopState, StepState } from '../run-state.ts'
import { isLoopOver, loopOutput, within } from './body.ts'
import { cancelInside } from './cancel.ts'
import { completed, failed, type StepFailure } from './outcome.ts'
import { evaluateOutput } from './scope.ts'
import type { Site, Transition } from './transition.ts'

/** What a body has come to: nothing yet, a failure, or an output. */
export function endOfBody(
  transition: Transition,
  plan: Plan,
  body: Body,
): StepFailure | { output: JsonValue } | undefined {
  if (body.failure) return within(body.failure)
  if (body.live.length > 0) return undefined
  if (!plan.output) return { output: body.steps.findLast((step) => step?.status === 'completed')?.output ?? {} }
  const output = evaluateOutput(transition, plan, body, plan.output)
  return 'fault' in output ? { message: `Output: ${output.fault}`, kind: 'template' } : { output: output.value }
}

/** A nested run, or the end to which this body brings it. */
export function withBody(
  transition: Transition,
  site: Site,
  planned: PlannedNested,
  step: StepState,
  body: Body,
): StepState {
  const next = { ...step, body }
  const end = endOfBody(transition, planned.plan, body)
  if (!end) return next
  if ('output' in end) return completed(transition, next, end.output)
  return failedInside(transition, site, planned, next, end)
}

/** A loop, or the end to which this state brings it. */
export function withLoop(
  transition: Transition,
  site: Site,
  planned: PlannedLoop,
  step: StepState,
  loop: LoopState,
): StepState {
  const next = { ...step, loop }
  if (loop.failure) return failedInside(transition, site, planned, next, within(loop.failure))
  return isLoopOver(loop) ? completed(transition, next, loopOutput(loop)) : next
}

/** What is under way in it ends with it. */
export function failedInside(
  transition: Transition,
  site: Site,
  planned: PlannedStep,
  step: StepState,
  failure: StepFailure,
): StepState {
  const still = cancelInside(transition, planned, step, site.path)
  const partial = still.loop && loopOutput(still.loop)
  return failed(transition, site, planned, still, partial ? { ...failure, partial } : failure)
}
