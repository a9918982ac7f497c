import type { Plan, PlannedStep } from '../plan.ts'
import type { Body, LoopState, OpenQuestion, Path, StepState } from '../run-state.ts'
import { draftBody, draftLoop, hasEnded } from './body.ts'
import { isWithin, type Transition } from './transition.ts'

/** Ends all that is under way in it; what has not begun stays so. */
export function cancelBody(transition: Transition, plan: Plan, body: Body, path: Path): Body {
  const draft = draftBody(body)
  for (const place of body.live) {
    const step = body.steps[place]
    const planned = plan.steps[place]
    if (step && planned && !hasEnded(step)) draft.steps[place] = cancelStep(transition, planned, step, [...path, place])
  }
  draft.live = []
  draft.slots = 0
  return draft
}

/** Ends what is under way in a loop or a nested run, whatever becomes of itself. */
export function cancelInside(transition: Transition, planned: PlannedStep, step: StepState, path: Path): StepState {
  if (planned.kind === 'workflow' && step.body) {
    return { ...step, body: cancelBody(transition, planned.plan, step.body, path) }
  }
  if (planned.kind === 'forEach' && step.loop) {
    return { ...step, loop: cancelLoop(transition, planned.step, step.loop, path) }
  }
  return step
}

/** The question of this step is no more. */
export function closeQuestion(transition: Transition, path: Path): void {
  const open = (question: OpenQuestion) => !transition.closed.has(question.id) && isWithin(question.path, path)
  const question = transition.run.questions.find(open) ?? transition.opened.find(open)
  if (!question) return
  transition.closed.add(question.id)
  if (question.askedAt !== undefined)
    transition.commands.push({ type: 'cancel', path, attempt: 1, question: question.id })
}

function cancelLoop(transition: Transition, planned: PlannedStep, loop: LoopState, path: Path): LoopState {
  const draft = draftLoop(loop)
  for (const index of loop.live) {
    const step = loop.iterations[index]
    if (step) draft.iterations[index] = cancelStep(transition, planned, step, [...path, index])
  }
  draft.live = []
  draft.slots = 0
  return draft
}

function cancelStep(transition: Transition, planned: PlannedStep, step: StepState, path: Path): StepState {
  const { dueAt: _due, parked: _parked, deadlineMs: _deadline, ...rest } = cancelInside(transition, planned, step, path)
  const cancelled: StepState = { ...rest, status: 'cancelled', ms: Math.max(0, transition.at - step.startedAt) }
  if (planned.kind === 'question') closeQuestion(transition, path)
  if (planned.kind !== 'tool' || step.status !== 'running') return cancelled
  const made = transition.commands.findIndex((command) => command.type === 'call' && isWithin(command.path, path))
  if (made >= 0) {
    // Nobody has made the call yet, and now nobody will.
    transition.commands.splice(made, 1)
    return cancelled
  }
  if (transition.event.type === 'restart') return { ...cancelled, unconfirmed: true, status: 'unknown' }
  transition.commands.push({ type: 'cancel', path, attempt: step.attempt })
  return { ...cancelled, unconfirmed: true }
}
