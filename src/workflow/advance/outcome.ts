import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { PlannedQuestion, PlannedStep, Unanswered } from '../plan.ts'
import type { Answer, FailureKind, StepState } from '../run-state.ts'
import { backoff, isUnconfirmed, mayRetry } from './retry.ts'
import { idempotencyKey, type Site, type Transition } from './transition.ts'
import type { Reply } from './event.ts'

const ms = (transition: Transition, step: StepState): number => Math.max(0, transition.at - step.startedAt)

/** What an end, or the wait for a further attempt, leaves of a step. */
function settled(step: StepState): Omit<StepState, 'status'> {
  if (step.dueAt === undefined && step.deadlineMs === undefined && !step.parked && step.error === undefined) return step
  const { dueAt: _due, deadlineMs: _deadline, parked: _parked, error: _error, kind: _kind, ...rest } = step
  return rest
}

export function begun(transition: Transition): StepState {
  return { status: 'running', attempt: 1, startedAt: transition.at }
}

export function begunAgain(step: StepState): StepState {
  const { unconfirmed: _unconfirmed, body: _body, loop: _loop, ...rest } = settled(step)
  return { ...rest, status: 'running', attempt: step.attempt + 1 }
}

export function completed(transition: Transition, step: StepState, output: JsonValue, content?: JsonValue): StepState {
  const done = { ...settled(step), status: 'completed', ms: ms(transition, step), output } as const
  return content === undefined ? done : { ...done, content }
}

/** `blocks`: it is skipped because of what a step before it has failed of. */
export function skipped(transition: Transition, planned: PlannedStep, blocks: boolean): StepState {
  return {
    status: 'skipped',
    attempt: 0,
    startedAt: transition.at,
    ms: 0,
    ...(planned.defaults !== undefined && { output: planned.defaults }),
    ...(blocks && { blocks }),
  }
}

/** `partial`: its output when the author has given no other. */
export interface StepFailure {
  readonly message: string
  readonly kind: FailureKind
  readonly partial?: JsonValue
}

/** Either it waits for a further attempt, or it has ended. */
export function failed(
  transition: Transition,
  site: Site,
  planned: PlannedStep,
  step: StepState,
  failure: StepFailure,
): StepState {
  const { message, kind } = failure
  const told = { ...settled(step), error: message, kind, ...(isUnconfirmed(kind) && tool(planned) && UNCONFIRMED) }
  if (!site.skipping || tool(planned)) {
    if (mayRetry(planned, { ...told, status: 'running' }, kind)) {
      const retried = step.retried ?? 0
      const seed = `${idempotencyKey(transition.run.id, site.path)}.${step.attempt}`
      const dueAt = transition.at + backoff(planned.onError, retried, seed)
      return { ...told, status: 'waiting', retried: retried + 1, dueAt }
    }
  }
  return ended(transition, planned, { ...told, status: 'failed' }, failure.partial)
}

/** Whoever made its call is no more. It is as failed, and is not tried again. */
export function unknown(transition: Transition, planned: PlannedStep, step: StepState): StepState {
  const error = 'The call was made, and how it ended is not known'
  return ended(transition, planned, { ...settled(step), ...UNCONFIRMED, status: 'unknown', error, kind: 'lost' })
}

const UNCONFIRMED = { unconfirmed: true } as const

const tool = ({ kind }: PlannedStep): boolean => kind === 'tool'

function ended(transition: Transition, planned: PlannedStep, step: StepState, partial?: JsonValue): StepState {
  const goesOn = planned.onError.action === 'continue'
  const output = goesOn ? (planned.defaults ?? partial) : partial
  return {
    ...step,
    ms: ms(transition, step),
    ...(output !== undefined && { output }),
    ...(!goesOn && { blocks: true }),
  }
}

const REFUSALS: Record<Exclude<Answer, 'accept'>, { action: 'decline' | 'cancel'; error: string }> = {
  decline: { action: 'decline', error: 'The user declined to answer' },
  cancel: { action: 'cancel', error: 'The user cancelled the question' },
  expired: { action: 'cancel', error: 'Nobody answered in time' },
  unaskable: { action: 'decline', error: 'The client cannot be asked this question' },
}

export function answered(transition: Transition, planned: PlannedQuestion, step: StepState, reply: Reply): StepState {
  const { action, content, reason } = reply
  const heard: StepState = { ...step, answer: { action, ...(content !== undefined && { content }) } }
  if (action === 'accept') {
    return completed(transition, heard, { action, ...(content !== undefined && { content }) })
  }
  const refusal = { ...REFUSALS[action], ...(reason !== undefined && { error: reason }) }
  return AFTERWARDS[refusal.action === 'decline' ? planned.onDecline : planned.onCancel](transition, heard, refusal)
}

type Afterwards = (transition: Transition, step: StepState, refusal: { action: string; error: string }) => StepState

const AFTERWARDS: Record<Unanswered, Afterwards> = {
  // `onError` is not asked: what the user did not want is not an error that one may go on over.
  abort: (transition, step, { error }) => {
    return { ...step, status: 'failed', ms: ms(transition, step), error, kind: 'unanswered', blocks: true }
  },
  continue: (transition, step, { action }) => completed(transition, step, { action }),
  skip_remaining: (transition, step, { action }) => {
    const output: JsonObject = { action, skipped: true }
    return { ...completed(transition, step, output), skipsRest: true }
  },
}
