import type { Plan, PlannedStep } from '../plan.ts'
import type { Body, LoopState, OpenQuestion, Path, StepState } from '../run-state.ts'
import { draftBody, draftLoop, hasEnded } from './body.ts'
import { isWithin, type Turn } from './turn.ts'

/** Ends all that is under way in it; what has not begun stays so. */
export function cancelBody(turn: Turn, plan: Plan, body: Body, path: Path): Body {
  const draft = draftBody(body)
  for (const place of body.live) {
    const step = body.steps[place]
    const planned = plan.steps[place]
    if (step && planned && !hasEnded(step)) draft.steps[place] = cancelStep(turn, planned, step, [...path, place])
  }
  draft.live = []
  draft.slots = 0
  return draft
}

/** Ends what is under way in a loop or a nested run, whatever becomes of itself. */
export function cancelInside(turn: Turn, planned: PlannedStep, step: StepState, path: Path): StepState {
  if (planned.kind === 'workflow' && step.body) {
    return { ...step, body: cancelBody(turn, planned.plan, step.body, path) }
  }
  if (planned.kind === 'forEach' && step.loop) {
    return { ...step, loop: cancelLoop(turn, planned.step, step.loop, path) }
  }
  return step
}

/** The question of this step is no more. */
export function closeQuestion(turn: Turn, path: Path): void {
  const open = (question: OpenQuestion) => !turn.closed.has(question.id) && isWithin(question.path, path)
  const question = turn.run.questions.find(open) ?? turn.opened.find(open)
  if (!question) return
  turn.closed.add(question.id)
  if (question.askedAt !== undefined) turn.commands.push({ type: 'cancel', path, attempt: 1, question: question.id })
}

function cancelLoop(turn: Turn, planned: PlannedStep, loop: LoopState, path: Path): LoopState {
  const draft = draftLoop(loop)
  for (const index of loop.live) {
    const step = loop.iterations[index]
    if (step) draft.iterations[index] = cancelStep(turn, planned, step, [...path, index])
  }
  draft.live = []
  draft.slots = 0
  return draft
}

function cancelStep(turn: Turn, planned: PlannedStep, step: StepState, path: Path): StepState {
  const { dueAt: _due, parked: _parked, deadlineMs: _deadline, ...rest } = cancelInside(turn, planned, step, path)
  const cancelled: StepState = { ...rest, status: 'cancelled', ms: Math.max(0, turn.at - step.startedAt) }
  if (planned.kind === 'question') closeQuestion(turn, path)
  if (planned.kind !== 'tool' || step.status !== 'running') return cancelled
  const made = turn.commands.findIndex((command) => command.type === 'call' && isWithin(command.path, path))
  if (made >= 0) {
    // Nobody has made the call yet, and now nobody will.
    turn.commands.splice(made, 1)
    return cancelled
  }
  if (turn.event.type === 'restart') return { ...cancelled, unconfirmed: true, status: 'unknown' }
  turn.commands.push({ type: 'cancel', path, attempt: step.attempt })
  return { ...cancelled, unconfirmed: true }
}
