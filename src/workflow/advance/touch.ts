import type { Plan, PlannedLoop, PlannedStep } from '../plan.ts'
import type { Body, LoopState, Path, StepState } from '../run-state.ts'
import { limitOf, perform } from './begin.ts'
import { type BodyDraft, draftBody, draftLoop, hasEnded, type LoopDraft, putIteration, putStep } from './body.ts'
import { failedInside, withBody, withLoop } from './conclude.ts'
import type { Event } from './event.ts'
import { answered, begunAgain, completed, failed, unknown } from './outcome.ts'
import { type Outer, siteIn, siteInLoop, type Turn, type Site } from './turn.ts'

/** Brings the event of this turn to the step at `target`, or to all that are under way. */
export function touchBody(turn: Turn, plan: Plan, body: Body, outer: Outer, target?: Path): Body {
  let draft: BodyDraft | undefined
  for (const place of target ? [target[outer.path.length] ?? -1] : body.live) {
    const planned = plan.steps[place]
    const step = body.steps[place]
    if (!planned || !step || hasEnded(step)) continue
    const next = touchStep(turn, siteIn(plan, draft ?? body, outer, place), planned, step, target)
    if (next === step) continue
    draft ??= draftBody(body)
    putStep(plan, draft, place, next)
    if (draft.failure) break
  }
  return draft ?? body
}

function touchStep(turn: Turn, site: Site, planned: PlannedStep, step: StepState, target?: Path): StepState {
  if (target?.length === site.path.length) return hit(turn, site, planned, step, turn.event)
  if (turn.event.type === 'woken') {
    if (step.dueAt !== undefined && step.dueAt <= turn.at) return perform(turn, site, planned, begunAgain(step))
    if (step.deadlineMs !== undefined && step.deadlineMs <= turn.activeMs) {
      const failure = { message: `Took longer than ${limitOf(planned)} ms`, kind: 'timeout' } as const
      return failedInside(turn, site, planned, step, failure)
    }
  }
  if (step.status !== 'running') return step
  switch (planned.kind) {
    case 'tool':
      if (turn.event.type !== 'restart') return step
      return planned.repeatable ? perform(turn, site, planned, begunAgain(step)) : unknown(turn, planned, step)
    case 'question':
      return step
    case 'workflow': {
      const body = step.body && touchBody(turn, planned.plan, step.body, site, target)
      return body === step.body || !body ? step : withBody(turn, site, planned, step, body)
    }
    case 'forEach': {
      const loop = step.loop && touchLoop(turn, site, planned, step.loop, target)
      return loop === step.loop || !loop ? step : withLoop(turn, site, planned, step, loop)
    }
  }
}

function touchLoop(turn: Turn, site: Site, planned: PlannedLoop, loop: LoopState, target?: Path): LoopState {
  let draft: LoopDraft | undefined
  for (const index of target ? [target[site.path.length] ?? -1] : loop.live) {
    const step = loop.iterations[index]
    if (!step || hasEnded(step)) continue
    const next = touchStep(turn, siteInLoop(site, planned, loop, index), planned.step, step, target)
    if (next === step) continue
    draft ??= draftLoop(loop)
    putIteration(draft, index, next, planned)
    if (draft.failure) break
  }
  return draft ?? loop
}

/** The step that the event is about. */
function hit(turn: Turn, site: Site, planned: PlannedStep, step: StepState, event: Event): StepState {
  if (planned.kind === 'question' && event.type === 'answered') {
    const [reply] = event.answers
    return reply ? answered(turn, planned, step, reply) : step
  }
  if (planned.kind !== 'tool' || step.status !== 'running') return step
  if (!('attempt' in event) || event.attempt !== step.attempt) return step
  switch (event.type) {
    case 'ended':
      return 'result' in event
        ? completed(turn, step, event.result.output, event.result.content)
        : failed(turn, site, planned, step, event.failure)
    case 'parked':
      return step.parked ? step : { ...step, parked: true }
    case 'resumed': {
      const { parked, ...rest } = step
      return parked ? rest : step
    }
  }
}
