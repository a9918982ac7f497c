import type { Plan, PlannedLoop, PlannedStep } from '../plan.ts'
import type { Body, LoopState, Path, StepState } from '../run-state.ts'
import { limitOf, perform } from './begin.ts'
import { type BodyDraft, draftBody, draftLoop, hasEnded, type LoopDraft, putIteration, putStep } from './body.ts'
import { failedInside, withBody, withLoop } from './conclude.ts'
import type { Event } from './event.ts'
import { answered, begunAgain, completed, failed, unknown } from './outcome.ts'
import { type Outer, siteIn, siteInLoop, type Transition, type Site } from './transition.ts'

/** Brings the event of this transition to the step at `target`, or to all that are under way. */
export function touchBody(transition: Transition, plan: Plan, body: Body, outer: Outer, target?: Path): Body {
  let draft: BodyDraft | undefined
  for (const place of target ? [target[outer.path.length] ?? -1] : body.live) {
    const planned = plan.steps[place]
    const step = body.steps[place]
    if (!planned || !step || hasEnded(step)) continue
    const next = touchStep(transition, siteIn(plan, draft ?? body, outer, place), planned, step, target)
    if (next === step) continue
    draft ??= draftBody(body)
    putStep(plan, draft, place, next)
    if (draft.failure) break
  }
  return draft ?? body
}

function touchStep(
  transition: Transition,
  site: Site,
  planned: PlannedStep,
  step: StepState,
  target?: Path,
): StepState {
  if (target?.length === site.path.length) return hit(transition, site, planned, step, transition.event)
  if (transition.event.type === 'woken') {
    if (step.dueAt !== undefined && step.dueAt <= transition.at)
      return perform(transition, site, planned, begunAgain(step))
    if (step.deadlineMs !== undefined && step.deadlineMs <= transition.activeMs) {
      const failure = { message: `Took longer than ${limitOf(planned)} ms`, kind: 'timeout' } as const
      return failedInside(transition, site, planned, step, failure)
    }
  }
  if (step.status !== 'running') return step
  switch (planned.kind) {
    case 'tool':
      if (transition.event.type !== 'restart') return step
      return planned.repeatable
        ? perform(transition, site, planned, begunAgain(step))
        : unknown(transition, planned, step)
    case 'question':
      return step
    case 'workflow': {
      const body = step.body && touchBody(transition, planned.plan, step.body, site, target)
      return body === step.body || !body ? step : withBody(transition, site, planned, step, body)
    }
    case 'forEach': {
      const loop = step.loop && touchLoop(transition, site, planned, step.loop, target)
      return loop === step.loop || !loop ? step : withLoop(transition, site, planned, step, loop)
    }
  }
}

function touchLoop(
  transition: Transition,
  site: Site,
  planned: PlannedLoop,
  loop: LoopState,
  target?: Path,
): LoopState {
  let draft: LoopDraft | undefined
  for (const index of target ? [target[site.path.length] ?? -1] : loop.live) {
    const step = loop.iterations[index]
    if (!step || hasEnded(step)) continue
    const next = touchStep(transition, siteInLoop(site, planned, loop, index), planned.step, step, target)
    if (next === step) continue
    draft ??= draftLoop(loop)
    putIteration(draft, index, next, planned)
    if (draft.failure) break
  }
  return draft ?? loop
}

/** The step that the event is about. */
function hit(transition: Transition, site: Site, planned: PlannedStep, step: StepState, event: Event): StepState {
  if (planned.kind === 'question' && event.type === 'answered') {
    const [reply] = event.answers
    return reply ? answered(transition, planned, step, reply) : step
  }
  if (planned.kind !== 'tool' || step.status !== 'running') return step
  if (!('attempt' in event) || event.attempt !== step.attempt) return step
  switch (event.type) {
    case 'ended':
      return 'result' in event
        ? completed(transition, step, event.result.output, event.result.content)
        : failed(transition, site, planned, step, event.failure)
    case 'parked':
      return step.parked ? step : { ...step, parked: true }
    case 'resumed': {
      const { parked, ...rest } = step
      return parked ? rest : step
    }
  }
}
