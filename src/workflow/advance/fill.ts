import type { Plan, PlannedLoop, PlannedStep } from '../plan.ts'
import type { Body, LoopState, StepState } from '../run-state.ts'
import { begin } from './begin.ts'
import { type BodyDraft, draftBody, draftLoop, hasEnded, type LoopDraft, putIteration, putStep } from './body.ts'
import { closeQuestion } from './cancel.ts'
import { withBody, withLoop } from './conclude.ts'
import { failed, skipped } from './outcome.ts'
import { type Outer, siteIn, siteInLoop, type Site, type Transition } from './transition.ts'

/** Begins what can begin while no more than `free` calls are added. */
export function fillBody(transition: Transition, plan: Plan, body: Body, outer: Outer, free: number): Body {
  let draft: BodyDraft | undefined
  let now: Body = body
  const most = Math.min(free + body.slots, plan.maxParallel)
  const skipping = outer.skipping || body.skipping === true
  for (let index = 0; index < now.live.length;) {
    const place = now.live[index] ?? -1
    const planned = plan.steps[place]
    const step = now.steps[place] ?? null
    const left = most - now.slots
    const isOpen = skipping || (step ? isContainer(step) : left > 0)
    const next = planned && isOpen && fillStep(transition, siteIn(plan, now, outer, place), planned, step, left)
    if (!next || next === step) {
      index++
      continue
    }
    now = draft ??= draftBody(body)
    putStep(plan, draft, place, next)
    if (draft.failure) break
    if (!hasEnded(next)) index++
  }
  return now
}

const isContainer = (step: StepState): boolean => step.body !== undefined || step.loop !== undefined

function fillStep(
  transition: Transition,
  site: Site,
  planned: PlannedStep,
  step: StepState | null,
  free: number,
): StepState {
  if (!step) return fillInside(transition, site, planned, begin(transition, site, planned), free)
  if (site.skipping && step.status === 'waiting') return giveUp(transition, site, planned, step)
  return step.status === 'running' ? fillInside(transition, site, planned, step, free) : step
}

function fillInside(
  transition: Transition,
  site: Site,
  planned: PlannedStep,
  step: StepState,
  free: number,
): StepState {
  if (hasEnded(step)) return step
  if (planned.kind === 'workflow' && step.body) {
    const body = fillBody(transition, planned.plan, step.body, site, free)
    return body === step.body ? step : withBody(transition, site, planned, step, body)
  }
  if (planned.kind === 'forEach' && step.loop) {
    const loop = fillLoop(transition, site, planned, step.loop, free)
    return loop === step.loop ? step : withLoop(transition, site, planned, step, loop)
  }
  return step
}

function fillLoop(transition: Transition, site: Site, planned: PlannedLoop, loop: LoopState, free: number): LoopState {
  let draft: LoopDraft | undefined
  let now: LoopState = loop
  const most = free + loop.slots
  const put = (index: number, step: StepState) => {
    now = draft ??= draftLoop(loop)
    putIteration(draft, index, step, planned)
  }
  for (const index of loop.live) {
    const step = loop.iterations[index]
    if (!step || !(site.skipping || isContainer(step))) continue
    const next = fillStep(transition, siteInLoop(site, planned, loop, index), planned.step, step, most - now.slots)
    if (next !== step) put(index, next)
    if (now.failure) return now
  }
  while (now.iterations.length < loop.items.length && !now.failure) {
    if (!site.skipping && (most <= now.slots || now.live.length >= planned.maxParallel)) break
    const index = now.iterations.length
    put(index, fillStep(transition, siteInLoop(site, planned, loop, index), planned.step, null, most - now.slots))
  }
  return now
}

/** Nothing begins any more, and this one would have to. */
function giveUp(transition: Transition, site: Site, planned: PlannedStep, step: StepState): StepState {
  if (planned.kind === 'tool') return step
  if (planned.kind !== 'question') {
    return failed(transition, site, planned, step, { message: step.error ?? '', kind: step.kind ?? 'error' })
  }
  closeQuestion(transition, site.path)
  const { attempt, startedAt } = step
  return { ...skipped(transition, planned, false), attempt, startedAt, ms: Math.max(0, transition.at - startedAt) }
}
