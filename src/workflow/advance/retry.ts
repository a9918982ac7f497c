import type { OnError, PlannedStep } from '../plan.ts'
import type { Body, FailureKind, StepState } from '../run-state.ts'

/** Whether a failure of this kind may pass when the step is tried again. */
const PASSING: Record<FailureKind, boolean> = {
  error: true,
  limited: true,
  unavailable: true,
  timeout: true,
  lost: true,
  denied: false,
  credential: false,
  template: false,
  unanswered: false,
  ended: false,
}

/** The call may have had its effect all the same. */
const UNCONFIRMED: ReadonlySet<FailureKind> = new Set(['timeout', 'lost'])

export const isUnconfirmed = (kind: FailureKind): boolean => UNCONFIRMED.has(kind)

/** `step`: as the failed attempt left it. */
export function mayRetry(planned: PlannedStep, step: StepState, kind: FailureKind): boolean {
  const { action, retries } = planned.onError
  return action === 'retry' && (step.retried ?? 0) < retries && PASSING[kind] && isHarmless(planned, step)
}

/** Nothing that has had its effect, or may have had it, would have it twice. */
function isHarmless(planned: PlannedStep, step: StepState): boolean {
  switch (planned.kind) {
    case 'tool':
      return planned.repeatable || (step.status !== 'completed' && !step.unconfirmed)
    case 'question':
      return true
    case 'forEach':
      return !step.loop || step.loop.iterations.every((iteration) => isHarmless(planned.step, iteration))
    case 'workflow':
      return !step.body || planned.plan.steps.every((inner, place) => isHarmlessPlace(inner, step.body, place))
  }
}

function isHarmlessPlace(planned: PlannedStep, body: Body | undefined, place: number): boolean {
  const step = body?.steps[place]
  return !step || isHarmless(planned, step)
}

const GROWTH = 1.5
const LONGEST = 60

/** Milliseconds before the further attempt number `retry`, from 0; half as long to half as long again, by `seed`. */
export function backoff({ delayMs }: OnError, retry: number, seed: string): number {
  const longest = LONGEST * delayMs
  const jitter = 0.5 + fraction(seed)
  return Math.round(Math.min(longest, Math.min(longest, delayMs * GROWTH ** retry) * jitter))
}

/** From 0 to below 1, evenly: FNV-1a, finished as murmur3 is. */
function fraction(seed: string): number {
  let bits = 0x811c9dc5
  for (let index = 0; index < seed.length; index++) bits = Math.imul(bits ^ seed.charCodeAt(index), 0x01000193)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32
}
