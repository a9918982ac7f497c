import type { JsonObject, JsonValue } from '../../../src/model/json.ts'
import type { Event } from '../../../src/workflow/advance/event.ts'
import { backoff } from '../../../src/workflow/advance/retry.ts'
import { idempotencyKey } from '../../../src/workflow/advance/transition.ts'
import { EvaluationError, type Plan, type PlannedStep, type Scope, type StepView } from '../../../src/workflow/plan.ts'

/*
 * The rules of a run once more, without any of the care of the engine: one mutable tree, searched from its root until
 * nothing more is to be done.
 */

interface Body {
  plan: Plan
  params: JsonObject
  path: number[]
  steps: Step[]
  parent?: Step
  skipping: boolean
  failure?: { message: string; kind: string; step?: string }
}

interface Step {
  planned: PlannedStep
  body: Body
  path: number[]
  after: readonly number[]
  item?: { value: JsonValue; index: number; loop: Step }
  status: string
  attempt: number
  retried: number
  startedAt: number
  output?: JsonValue | undefined
  error?: string | undefined
  kind?: string | undefined
  dueAt?: number | undefined
  deadline?: number | undefined
  parked?: boolean
  unconfirmed?: boolean
  blocks?: boolean
  question?: string
  nested?: Body
  loop?: { items: readonly JsonValue[]; iterations: Step[]; failure?: { message: string; kind: string } }
}

const hasEnded = (step: Step) => !['pending', 'running', 'waiting'].includes(step.status)

export function createReference(plan: Plan, id: string, params: JsonObject) {
  const root = bodyOf(plan, params, [])
  let status = 'running'
  let result: unknown
  let revision = 0
  let active = 0
  let since: number | null = null
  let now = 0

  function bodyOf(plan: Plan, params: JsonObject, path: number[], parent?: Step): Body {
    const body: Body = { plan, params, path, steps: [], skipping: false, ...(parent && { parent }) }
    body.steps = plan.steps.map((planned, place) => stepOf(planned, body, [...path, place], planned.after))
    return body
  }

  function stepOf(planned: PlannedStep, body: Body, path: number[], after: readonly number[]): Step {
    return { planned, body, path, after, status: 'pending', attempt: 0, retried: 0, startedAt: 0 }
  }

  const inside = (step: Step): Step[] => (hasEnded(step) ? [] : (step.nested?.steps ?? step.loop?.iterations ?? []))
  const all = (steps: Step[]): Step[] => steps.flatMap((step) => [step, ...all(inside(step))])
  const everything = () => all(root.steps)
  const isSkipping = (body: Body): boolean =>
    body.skipping || (body.parent !== undefined && isSkipping(body.parent.body))

  const isUnderWay = (step: Step) => step.planned.kind === 'tool' && ['running', 'waiting'].includes(step.status)
  const freeIn = (body: Body): number => {
    const own = body.plan.maxParallel - all(body.steps).filter(isUnderWay).length
    return body.parent ? Math.min(own, freeIn(body.parent.body)) : own
  }

  function scopeOf(step: Step): Scope {
    const steps: Record<string, StepView> = {}
    for (const place of step.after) steps[step.body.plan.steps[place]!.id] = viewOf(step.body.steps[place]!)
    const { item } = step
    return {
      params: step.body.params,
      steps,
      workflow: {},
      ...(item && { forEach: { it: item.value, item: item.value, index: item.index } }),
    }
  }
  const viewOf = (step: Step) =>
    ({
      status: step.status,
      ...(step.output !== undefined && { output: step.output }),
      ...(step.error !== undefined && { error: step.error }),
    }) as StepView

  function attempt(step: Step): void {
    const { planned } = step
    step.status = 'running'
    step.attempt++
    step.error = step.kind = step.dueAt = undefined
    step.parked = step.unconfirmed = false
    delete step.nested
    delete step.loop
    try {
      const scope = scopeOf(step)
      if (planned.kind === 'tool') planned.arguments(scope, now)
      if (planned.kind === 'question') {
        planned.ask(scope, now)
        step.status = 'waiting'
        step.question = `${step.path.join('.')}@${revision + 1}`
      }
      if (planned.kind === 'workflow') {
        step.nested = bodyOf(planned.plan, planned.arguments(scope, now), step.path, step)
        step.deadline = active + Math.min(planned.timeoutMs, planned.plan.timeoutMs)
      }
      if (planned.kind === 'forEach') {
        const items = planned.collection(scope, now)
        if (items.length > planned.maxIterations) {
          throw new EvaluationError(`The collection has ${items.length} items, more than ${planned.maxIterations}`)
        }
        const iterations = items.map((value, index) => ({
          ...stepOf(planned.step, step.body, [...step.path, index], step.after),
          item: { value, index, loop: step },
        }))
        step.loop = { items, iterations }
        step.deadline = active + planned.timeoutMs
      }
    } catch (error) {
      fail(step, (error as Error).message, 'template')
    }
  }

  function begin(step: Step): void {
    const seen = step.after.map((place) => step.body.steps[place]!)
    step.startedAt = now
    if (!step.item && seen.some(({ blocks }) => blocks)) return skip(step, true)
    if (isSkipping(step.body)) return skip(step, false)
    try {
      if (step.planned.condition && !step.planned.condition(scopeOf(step), now)) return skip(step, false)
    } catch (error) {
      if (seen.some(({ status, output }) => status === 'skipped' && output === undefined)) return skip(step, false)
      step.attempt = 1
      return fail(step, (error as Error).message, 'template')
    }
    attempt(step)
  }

  function skip(step: Step, blocks: boolean): void {
    step.output = step.planned.defaults
    step.blocks = blocks
    end(step, 'skipped')
  }

  function end(step: Step, status: string): void {
    step.status = status
    step.dueAt = undefined
    step.parked = false
    if (!step.blocks) return
    const failure = { message: step.error ?? '', kind: step.kind ?? '' }
    if (step.item) {
      const { loop } = step.item
      const isTolerated = loop.planned.onError.action === 'continue' || step.planned.onError.action === 'continue'
      if (!isTolerated && loop.loop)
        loop.loop.failure ??= { ...failure, message: `iteration ${step.item.index}: ${failure.message}` }
    } else if (step.body.plan.failureMode === 'abort') {
      step.body.failure ??= { ...failure, step: step.planned.id }
    }
  }

  const isHarmless = (step: Step): boolean => {
    if (step.planned.kind === 'tool')
      return step.planned.repeatable || (step.status !== 'completed' && !step.unconfirmed)
    return [...(step.nested?.steps ?? []), ...(step.loop?.iterations ?? [])].every(isHarmless)
  }

  function fail(step: Step, message: string, kind: string): void {
    const { planned } = step
    if (planned.kind !== 'tool') cancelAll(inside(step))
    step.error = message
    step.kind = kind
    step.parked = false
    if (planned.kind === 'tool' && (kind === 'timeout' || kind === 'lost')) step.unconfirmed = true
    const mayPass = ['error', 'limited', 'unavailable', 'timeout', 'lost'].includes(kind)
    const { action, retries } = planned.onError
    const canBegin = planned.kind === 'tool' || !isSkipping(step.body)
    if (action === 'retry' && step.retried < retries && mayPass && canBegin && isHarmless(step)) {
      const seed = `${idempotencyKey(id, step.path)}.${step.attempt}`
      step.dueAt = now + backoff(planned.onError, step.retried++, seed)
      step.status = 'waiting'
      return
    }
    giveUp(step, 'failed')
  }

  function giveUp(step: Step, status: string): void {
    const partial = step.loop && loopOutput(step)
    if (step.planned.onError.action === 'continue') step.output = step.planned.defaults ?? partial
    else {
      step.output = partial
      step.blocks = true
    }
    end(step, status)
  }

  function loopOutput({ loop }: Step): JsonValue {
    const begun = loop!.iterations.filter(({ status }) => status !== 'pending')
    return {
      iterations: begun.map((step, index) => ({ index, item: loop!.items[index]!, ...viewOf(step) })) as JsonValue[],
      count: loop!.items.length,
      completed: begun.filter(({ status }) => status === 'completed').length,
      failed: begun.filter(({ status }) => status === 'failed' || status === 'unknown').length,
    }
  }

  function cancelAll(steps: Step[]): void {
    for (const step of all(steps).reverse()) {
      if (step.status !== 'running' && step.status !== 'waiting') continue
      const isMade = step.planned.kind === 'tool' && step.status === 'running' && !isFresh(step)
      step.unconfirmed = isMade
      step.status = isMade && isRestart ? 'unknown' : 'cancelled'
      step.dueAt = undefined
      step.parked = false
    }
  }

  /** Attempts that began in this very turn have not been made. */
  let isRestart = false
  let before = new Map<string, number>()
  const isFresh = (step: Step) => before.get(step.path.join('.')) !== step.attempt

  /** Loops and nested runs that have come to their end, innermost first. */
  function close(): void {
    for (let again = true; again;) {
      again = false
      for (const step of everything().reverse()) {
        if (step.status !== 'running') continue
        const { nested, loop } = step
        if (nested?.failure) {
          const { step: at, message, kind } = nested.failure
          fail(step, `${at}: ${message}`, kind)
        } else if (loop?.failure) fail(step, loop.failure.message, loop.failure.kind)
        else if (nested?.steps.every(hasEnded)) {
          const output = outputOf(nested)
          if ('error' in output) fail(step, output.error, 'template')
          else {
            step.output = output.output
            end(step, 'completed')
          }
        } else if (loop?.iterations.every(hasEnded)) {
          step.output = loopOutput(step)
          end(step, 'completed')
        } else continue
        again = true
        break
      }
    }
  }

  function outputOf(body: Body): { output: JsonValue } | { error: string } {
    const { plan, steps } = body
    if (!plan.output) return { output: steps.findLast(({ status }) => status === 'completed')?.output ?? {} }
    try {
      const views = Object.fromEntries(steps.map((step) => [step.planned.id, viewOf(step)]))
      return { output: plan.output({ params: body.params, steps: views, workflow: {} }, now) }
    } catch (error) {
      return { error: `Output: ${(error as Error).message}` }
    }
  }

  /** Does the first thing that can be done, in the order of the definition. */
  function beginOne(steps: Step[]): boolean {
    for (const step of steps) {
      const skipping = isSkipping(step.body)
      if (step.status === 'pending') {
        const loop = step.item?.loop
        const isReady = loop
          ? loop.loop!.iterations.filter(({ status }) => status === 'running' || status === 'waiting').length <
            (skipping ? Infinity : (loop.planned as { maxParallel: number }).maxParallel)
          : step.after.every((place) => hasEnded(step.body.steps[place]!))
        if (isReady && (skipping || freeIn(step.body) > 0)) {
          begin(step)
          return true
        }
        if (isReady && !loop) return false
        if (loop) return false
      } else if (skipping && step.status === 'waiting' && step.planned.kind === 'question') {
        skip(step, false)
        return true
      } else if (skipping && step.status === 'waiting' && step.planned.kind !== 'tool') {
        fail(step, step.error ?? '', step.kind ?? '')
        return true
      } else if (step.status === 'running' && beginOne(inside(step))) return true
    }
    return false
  }

  function find(path: readonly number[]): Step | undefined {
    return everything().find((step) => step.path.join('.') === path.join('.'))
  }

  function touch(event: Event): void {
    if (event.type === 'ended' || event.type === 'parked' || event.type === 'resumed') {
      const step = find(event.path)
      if (!step || step.planned.kind !== 'tool' || step.status !== 'running' || step.attempt !== event.attempt) return
      if (event.type !== 'ended') step.parked = event.type === 'parked'
      else if ('failure' in event) fail(step, event.failure.message, event.failure.kind)
      else {
        step.output = event.result.output
        end(step, 'completed')
      }
    }
    if (event.type === 'answered') {
      for (const { question, action, content } of event.answers) {
        const step = everything().find((step) => step.status === 'waiting' && step.question === question)
        if (!step || step.planned.kind !== 'question' || root.failure) continue
        const declines = action === 'decline' || action === 'unaskable'
        const what = action === 'accept' ? action : declines ? 'decline' : 'cancel'
        const then = what === 'decline' ? step.planned.onDecline : step.planned.onCancel
        if (what !== 'accept' && then === 'abort') {
          step.error = REFUSALS[action as 'decline']
          step.kind = 'unanswered'
          step.blocks = true
          end(step, 'failed')
        } else {
          step.output = { action: what, ...(what === 'accept' && content && { content }) }
          if (what !== 'accept' && then === 'skip_remaining') {
            step.output = { action: what, skipped: true }
            step.body.skipping = true
          }
          end(step, 'completed')
        }
        close()
      }
    }
    if (event.type === 'woken' || event.type === 'restart') {
      for (const step of everything()) {
        if (root.failure || !isStillThere(step)) continue
        if (event.type === 'woken') {
          if (step.status === 'waiting' && step.dueAt !== undefined && step.dueAt <= now) attempt(step)
          else if (step.status === 'running' && step.deadline !== undefined && step.deadline <= active) {
            const limit = Math.min(step.planned.timeoutMs, step.nested?.plan.timeoutMs ?? Infinity)
            fail(step, `Took longer than ${limit} ms`, 'timeout')
          }
        } else if (step.planned.kind === 'tool' && step.status === 'running') {
          if (step.planned.repeatable) attempt(step)
          else {
            step.error = 'The call was made, and how it ended is not known'
            step.kind = 'lost'
            step.unconfirmed = true
            giveUp(step, 'unknown')
          }
        }
        close()
      }
    }
  }

  const questions = () =>
    everything().flatMap(({ status, question }) => (status === 'waiting' && question !== undefined ? [question] : []))

  function wakeAt(): number | null {
    if (since === null || status !== 'running') return null
    const under = everything()
    const due = under.flatMap(({ dueAt }) => dueAt ?? [])
    const deadlines = under.flatMap(({ status, deadline }) => (status === 'running' ? (deadline ?? []) : []))
    return Math.min(...due, since + Math.max(0, Math.min(plan.timeoutMs, ...deadlines) - active))
  }

  const isStillThere = (step: Step) => everything().includes(step)

  return {
    apply(event: Event): void {
      if (status !== 'running' && status !== 'suspended') return
      if ((event.type === 'start') !== (revision === 0) && event.type !== 'stop') return
      now = event.at
      isRestart = event.type === 'restart'
      const earlier = JSON.stringify(describe(root.steps, true))
      before = new Map(everything().map((step) => [step.path.join('.'), step.attempt]))
      const spent = since === null || event.type === 'restart' ? active : active + Math.max(0, now - since)
      const wasActive = active
      active = spent
      const finish = (as: string, what: unknown) => {
        cancelAll(root.steps)
        status = as
        result = what
        revision++
      }
      if (event.type === 'stop') return finish(event.as, { message: event.message, kind: 'ended' })
      if (event.type === 'woken' && active >= plan.timeoutMs) {
        return finish('timed_out', { message: `Took longer than ${plan.timeoutMs} ms`, kind: 'timeout' })
      }
      touch(event)
      close()
      const isSame = JSON.stringify(describe(root.steps, true)) === earlier
      if (isSame && event.type !== 'start' && (event.type !== 'restart' || status === 'suspended')) {
        active = wasActive
        return
      }
      while (!root.failure && beginOne(root.steps)) close()
      if (root.failure) return finish('failed', root.failure)
      if (root.steps.every(hasEnded)) {
        const output = outputOf(root)
        if ('error' in output) finish('failed', { message: output.error, kind: 'template' })
        else finish('completed', output.output)
        return
      }
      revision++
      const isBusy = everything().some(
        (step) =>
          (step.planned.kind === 'tool' && step.status === 'running' && !step.parked) || step.dueAt !== undefined,
      )
      status = isBusy ? 'running' : 'suspended'
      since = isBusy ? now : null
    },
    /** Something has changed that it knows nothing of. */
    passOver: () => void revision++,
    state: () => ({ status, revision, result, steps: describe(root.steps), questions: questions(), wakeAt: wakeAt() }),
  }
}

const REFUSALS = {
  decline: 'The user declined to answer',
  cancel: 'The user cancelled the question',
  expired: 'Nobody answered in time',
  unaskable: 'The client cannot be asked this question',
}

export interface Described {
  status: string
  attempt: number
  output?: JsonValue | undefined
  error?: string | undefined
  due?: number | undefined
  parked: boolean
  inside?: (Described | null)[]
}

/** What both must agree on. */
function describe(steps: Step[], withQuestions = false): (Described | null)[] {
  return steps.map((step) => {
    if (step.status === 'pending') return null
    const inner = step.nested?.steps ?? step.loop?.iterations
    return {
      status: step.status,
      attempt: step.attempt,
      output: step.output,
      error: step.error,
      due: step.dueAt,
      parked: step.parked === true,
      ...(withQuestions && { question: step.question }),
      ...(inner && { inside: describe(inner, withQuestions) }),
    }
  })
}
