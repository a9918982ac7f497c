import type { PlannedLoop, PlannedNested, PlannedQuestion, PlannedStep, PlannedTool } from '../plan.ts'
import { type LoopState, openBody, type StepState } from '../run-state.ts'
import { withLoop } from './conclude.ts'
import { begun, failed, skipped } from './outcome.ts'
import { afterOf, evaluate } from './scope.ts'
import { idempotencyKey, type Site, type Transition } from './transition.ts'

/** A step whose dependencies have ended: it is skipped, or its first attempt begins. */
export function begin(transition: Transition, site: Site, planned: PlannedStep): StepState {
  if (!site.item && isBlocked(site)) return skipped(transition, planned, true)
  if (site.skipping) return skipped(transition, planned, false)
  const step = begun(transition)
  if (planned.condition) {
    const condition = evaluate(transition, site, planned.condition, transition.at)
    if ('fault' in condition) {
      return seesNothing(site)
        ? skipped(transition, planned, false)
        : faulty(transition, site, planned, step, condition.fault)
    }
    if (!condition.value) return skipped(transition, planned, false)
  }
  return perform(transition, site, planned, step)
}

/** Comes after a step that failed, and over which the run may not go on. */
const isBlocked = (site: Site): boolean => afterOf(site).some((place) => site.body.steps[place]?.blocks)

/** Comes after a step that was skipped and has no output: a condition over that is false. */
const seesNothing = (site: Site): boolean =>
  afterOf(site).some((place) => {
    const step = site.body.steps[place]
    return step?.status === 'skipped' && step.output === undefined
  })

/** `step`: as its attempt begins. */
export function perform(transition: Transition, site: Site, planned: PlannedStep, step: StepState): StepState {
  switch (planned.kind) {
    case 'tool':
      return call(transition, site, planned, step)
    case 'question':
      return open(transition, site, planned, step)
    case 'workflow':
      return openNested(transition, site, planned, step)
    case 'forEach':
      return openLoop(transition, site, planned, step)
  }
}

function call(transition: Transition, site: Site, planned: PlannedTool, step: StepState): StepState {
  const made = evaluate(transition, site, planned.arguments, step.startedAt)
  if ('fault' in made) return faulty(transition, site, planned, step, made.fault)
  const { path, label } = site
  transition.commands.push({
    type: 'call',
    path,
    attempt: step.attempt,
    step: label,
    tool: planned.tool,
    workflow: planned.workflow ?? transition.run.workflow,
    ...(planned.enters !== undefined && { enters: planned.enters }),
    arguments: made.value,
    idempotencyKey: idempotencyKey(transition.run.id, path),
    timeoutMs: planned.timeoutMs,
    ownTimeout: planned.ownTimeout === true,
  })
  return step
}

function open(transition: Transition, site: Site, planned: PlannedQuestion, step: StepState): StepState {
  const question = evaluate(transition, site, planned.ask, step.startedAt)
  if ('fault' in question) return faulty(transition, site, planned, step, question.fault)
  const { path, label } = site
  const id = `${path.join('.')}@${transition.run.revision + 1}`
  const waitMs = planned.ownTimeout ? { waitMs: planned.timeoutMs } : {}
  transition.opened.push({ id, path, step: label, question: question.value, ...waitMs })
  return { ...step, status: 'waiting' }
}

function openNested(transition: Transition, site: Site, planned: PlannedNested, step: StepState): StepState {
  const params = evaluate(transition, site, planned.arguments, step.startedAt)
  if ('fault' in params) return faulty(transition, site, planned, step, params.fault)
  const deadlineMs = transition.activeMs + limitOf(planned)
  return { ...step, deadlineMs, body: openBody(planned.plan, params.value, transition.at) }
}

function openLoop(transition: Transition, site: Site, planned: PlannedLoop, step: StepState): StepState {
  const items = evaluate(transition, site, planned.collection, step.startedAt)
  if ('fault' in items) return faulty(transition, site, planned, step, items.fault)
  const { length } = items.value
  if (length > planned.maxIterations) {
    const fault = `The collection has ${length} items, more than ${planned.maxIterations}`
    return faulty(transition, site, planned, step, fault)
  }
  const deadlineMs = transition.activeMs + limitOf(planned)
  const loop: LoopState = { items: items.value, iterations: [], live: [], slots: 0 }
  return withLoop(transition, site, planned, { ...step, deadlineMs }, loop)
}

function faulty(transition: Transition, site: Site, planned: PlannedStep, step: StepState, message: string): StepState {
  return failed(transition, site, planned, step, { message, kind: 'template' })
}

/** The longest time, active, for one attempt of a loop or a nested run. */
export function limitOf(planned: PlannedStep): number {
  return planned.kind === 'workflow' ? Math.min(planned.timeoutMs, planned.plan.timeoutMs) : planned.timeoutMs
}
