import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { advance } from '../../src/workflow/advance/advance.ts'
import type { CallCommand, Event } from '../../src/workflow/advance/event.ts'
import type { Plan, PlannedStep } from '../../src/workflow/plan.ts'
import {
  type Answer,
  type Body,
  type CallFailure,
  createRun,
  isOver,
  type OpenQuestion,
  type Path,
  type RunState,
  type StepState,
  stepReports,
} from '../../src/workflow/run-state.ts'
import { digest, planOf, planSpecs } from '../support/workflow/plans.ts'
import { createReference, type Described } from '../support/workflow/reference.ts'

const RUNS = 1_000
const PARAMS: JsonObject = { x: 1 }

/** What the tools and the user do, whatever the order in which they are asked. */
interface World {
  readonly seed: number
  /** How the k-th call that ends at this place ends. */
  readonly end: (path: Path, k: number) => { result: { output: JsonValue } } | { failure: CallFailure }
  readonly answer: (path: Path) => { action: Answer; content?: JsonObject }
}

const KINDS: CallFailure['kind'][] = ['error', 'denied', 'timeout', 'lost', 'limited', 'unavailable', 'credential']
const ANSWERS: Answer[] = ['accept', 'accept', 'accept', 'decline', 'cancel', 'expired', 'unaskable']

function worldOf(seed: number): World {
  const draw = (what: string) => digest(`${seed} ${what}`)
  return {
    seed,
    end: (path, k) => {
      const number = draw(`${path.join('.')} ${k}`)
      const kind = KINDS[(number >> 4) % 12] ?? 'error'
      return number % 5 < 2
        ? { failure: { message: `no ${number % 100}`, kind } }
        : { result: { output: `yes ${path.join('.')} ${number % 100}` } }
    },
    answer: (path) => {
      const action = ANSWERS[draw(`q ${path.join('.')}`) % ANSWERS.length] ?? 'accept'
      return action === 'accept' ? { action, content: { x: path.join('.') } } : { action }
    },
  }
}

/** Performs what a run asks for, in an order that `choices` decides, and watches over every rule on the way. */
class Driver {
  run: RunState
  at = 1_000
  readonly calls = new Map<string, CallCommand & { parked?: boolean }>()
  /** What its user was asked last. */
  asked: readonly OpenQuestion[] = []
  /** Ends that were told, for those that are told again. */
  readonly told: Event[] = []
  readonly counts = new Map<string, number>()
  readonly succeeded = new Set<string>()
  readonly uncertain = new Set<string>()
  readonly keys = new Map<string, string>()
  finished = 0
  readonly plan: Plan
  readonly world: World
  readonly reference: ReturnType<typeof createReference>

  constructor(plan: Plan, world: World) {
    this.plan = plan
    this.world = world
    this.run = createRun(plan, { id: 'run', params: PARAMS, at: this.at })
    this.reference = createReference(plan, 'run', PARAMS)
  }

  feed(event: Event): void {
    const given = deepFreeze(JSON.parse(JSON.stringify(this.run)) as RunState)
    deepFreeze(event)
    const { run, commands } = advance(this.plan, given, event)
    const again = advance(this.plan, given, event)
    expect(again).toEqual(run === given ? { run, commands } : again.run === given ? null : { run, commands })
    expect(run.revision).toBe(given.revision + (run === given ? 0 : 1))
    const wasOver = isOver(given)
    for (const command of commands) {
      if (wasOver || isOver(run)) expect(command.type).toBe('cancel')
      if (command.type === 'call') this.#call(command)
      if (command.type === 'cancel' && command.question === undefined) {
        const key = command.path.join('.')
        expect(this.calls.get(key)?.attempt).toBe(command.attempt)
        this.calls.delete(key)
        this.uncertain.add(key)
      }
    }
    if (run.status === 'suspended') {
      expect([...this.calls.values()].filter(({ parked }) => !parked)).toEqual([])
      expect(run.questions.every(({ askedAt }) => askedAt !== undefined)).toBe(true)
      this.asked = run.questions
    }
    if (!wasOver && isOver(run)) this.finished++
    if (wasOver) expect(run.outcome).toEqual(given.outcome)
    this.run = run
    this.#check()
    this.reference.apply(event)
    const isLate = event.type === 'ended' && lateIn(run) > lateIn(given)
    if (isLate) this.reference.passOver()
    const { steps, status, revision, result, questions, wakeAt } = this.reference.state()
    expect({ status: run.status, steps: describeBody(this.plan, run.body) }).toEqual({ status, steps })
    expect(run.revision).toBe(revision)
    expect(run.questions.map(({ id }) => id)).toEqual(questions)
    expect(run.wakeAt).toBe(wakeAt)
    if (run.outcome) expect('output' in run.outcome ? run.outcome.output : run.outcome.error).toEqual(result)
  }

  #call(command: CallCommand): void {
    const key = command.path.join('.')
    const { planned } = plannedAt(this.plan, command.path)
    expect(this.calls.has(key)).toBe(false)
    if (planned.kind !== 'tool') throw new Error('only tools are called')
    if (!planned.repeatable) {
      expect(this.succeeded).not.toContain(key)
      expect(this.uncertain).not.toContain(key)
    }
    if (command.path.length === 1) expect(this.succeeded).not.toContain(key)
    expect(command.idempotencyKey).toBe(this.keys.get(key) ?? command.idempotencyKey)
    this.keys.set(key, command.idempotencyKey)
    expect(new Set(this.keys.values()).size).toBe(this.keys.size)
    this.calls.set(key, command)
  }

  #check(): void {
    const { run, plan } = this
    expect(this.finished).toBe(isOver(run) ? 1 : 0)
    for (const [prefix, most] of limits(plan, run)) {
      const inside = [...this.calls.keys()].filter((key) => `${key}.`.startsWith(prefix))
      expect(inside.length).toBeLessThanOrEqual(most)
    }
    if (isOver(run)) {
      expect(this.calls.size).toBe(0)
      expect(run.questions).toEqual([])
      expect(stepReports(plan, run).every(({ status }) => !['pending', 'running', 'waiting'].includes(status))).toBe(
        true,
      )
      return
    }
    const isBusy =
      [...this.calls.values()].some(({ parked }) => !parked) || JSON.stringify(run.body).includes('"dueAt"')
    expect(run.status).toBe(run.revision === 0 || isBusy ? 'running' : 'suspended')
    // No step is lost: something is always under way, waits for its time, or for the user.
    if (run.status === 'suspended') expect(run.questions.length + this.calls.size).toBeGreaterThan(0)
    if (run.status === 'running' && run.revision > 0) expect(run.wakeAt).not.toBeNull()
  }

  end(key: string): void {
    const call = this.calls.get(key)
    if (!call) return
    const k = this.counts.get(key) ?? 0
    this.counts.set(key, k + 1)
    this.calls.delete(key)
    const ended = this.world.end(call.path, k)
    if ('result' in ended) this.succeeded.add(key)
    else if (ended.failure.kind === 'timeout' || ended.failure.kind === 'lost') this.uncertain.add(key)
    const event: Event = { type: 'ended', at: this.at, path: call.path, attempt: call.attempt, ...ended }
    this.told.push(event)
    this.feed(event)
  }

  answer(open: readonly OpenQuestion[]): void {
    const replies = open.map(({ id, path }) => ({ question: id, ...this.world.answer(path) }))
    const again = replies.map(({ question }) => ({ question, action: 'cancel' as const }))
    const answers = [...replies, ...again, { question: 'none', action: 'accept' as const }]
    const event: Event = { type: 'answered', at: this.at, answers }
    this.told.push(event)
    this.feed(event)
  }

  wake(): void {
    this.at = Math.max(this.at, this.run.wakeAt ?? 0)
    this.feed({ type: 'woken', at: this.at })
  }

  crash(): void {
    for (const key of this.calls.keys()) this.uncertain.add(key)
    this.calls.clear()
    this.feed({ type: 'restart', at: this.at })
  }

  /** One thing that may happen next. */
  choose(choice: number, mayStop: boolean): void {
    const pick = <Item>(items: readonly Item[]): Item | undefined => items[(choice >> 8) % Math.max(1, items.length)]
    this.at += choice % 7
    const key = pick([...this.calls.keys()])
    const open = pick(this.run.questions.filter(({ askedAt }) => askedAt !== undefined))
    switch ((choice >> 3) % 16) {
      case 0:
      case 1:
        // The limits of runs that must come to the same end are too far away to be reached.
        return mayStop || (this.run.wakeAt ?? 0) < 1e9 ? this.wake() : undefined
      case 2: {
        const event = pick(this.told)
        if (event) this.feed({ ...event, at: this.at })
        return
      }
      case 3:
        // Too early.
        return this.feed({ type: 'woken', at: this.at })
      case 4:
        if (mayStop && (choice >> 8) % 8 === 0) this.feed({ type: 'stop', at: this.at, as: 'cancelled', message: 'No' })
        return
      case 5:
        if (mayStop || [...this.calls.values()].every((call) => isRepeatable(this.plan, call.path))) this.crash()
        return
      case 6: {
        const call = key === undefined ? undefined : this.calls.get(key)
        if (!call || key === undefined) return
        this.calls.set(key, { ...call, parked: !call.parked })
        return this.feed({
          type: call.parked ? 'resumed' : 'parked',
          at: this.at,
          path: call.path,
          attempt: call.attempt,
        })
      }
      case 7: {
        const call = key === undefined ? undefined : this.calls.get(key)
        if (!call) return
        const stale = { ...this.world.end(call.path, 0), path: call.path, attempt: call.attempt - 1 }
        return this.feed({ type: 'ended', at: this.at, ...stale })
      }
      case 8:
        return this.feed({
          type: 'ended',
          at: this.at,
          path: [choice % 3, choice % 2],
          attempt: 99,
          result: { output: 0 },
        })
      case 9:
        if (this.asked.length > 0) this.answer(this.asked)
        return
      case 10:
        if (open) this.answer([open])
        return
      case 11:
        return this.feed({ type: 'start', at: this.at })
      default:
        if (key !== undefined) this.end(key)
        else if (open) this.answer([open])
    }
  }

  /** Everything that is asked for is done: then it must end. */
  finish(): void {
    for (let count = 0; !isOver(this.run); count++) {
      if (count > 2_000) throw new Error(`It never ends: ${JSON.stringify(this.run)}`)
      const [key] = this.calls.keys()
      if (key !== undefined) this.end(key)
      else if (this.run.status === 'suspended') this.answer(this.run.questions)
      else this.wake()
    }
  }
}

function drive(plan: Plan, seed: number, choices: readonly number[], mayStop: boolean): RunState {
  const driver = new Driver(plan, worldOf(seed))
  driver.feed({ type: 'woken', at: driver.at })
  driver.feed({ type: 'start', at: driver.at })
  for (const choice of choices) driver.choose(choice, mayStop)
  driver.finish()
  for (const choice of choices) driver.choose(choice, mayStop)
  return driver.run
}

const choices = () => fc.array(fc.nat({ max: 2 ** 24 }), { maxLength: 60 })

test('every order of events is taken as the reference takes it, and breaks no rule', () => {
  fc.assert(
    fc.property(planSpecs('any'), fc.nat(), choices(), (spec, seed, choices) => {
      drive(planOf(spec, 'any'), seed, choices, true)
    }),
    { numRuns: RUNS },
  )
})

test('where nothing aborts, every order comes to the same end', () => {
  fc.assert(
    fc.property(planSpecs('same'), fc.nat(), choices(), (spec, seed, choices) => {
      const plan = planOf(spec, 'same')
      const run = drive(plan, seed, choices, false)
      const straight = evaluateAll(plan, PARAMS, worldOf(seed), [], new Map())
      expect(
        run.body.steps.map((step) => step && { status: step.status, output: step.output, error: step.error }),
      ).toEqual(straight.steps)
      expect(run.outcome).toEqual(straight.outcome)
    }),
    { numRuns: RUNS },
  )
})

// One step after the other, with no engine at all

interface Straight {
  status: string
  output?: JsonValue | undefined
  error?: string | undefined
}

type Site = { steps: Straight[]; plan: Plan; params: JsonObject; blocked: Set<number> }

function evaluateAll(plan: Plan, params: JsonObject, world: World, path: Path, counts: Map<string, number>) {
  const site: Site = { steps: [], plan, params, blocked: new Set() }
  for (const [place, planned] of plan.steps.entries()) {
    const step = evaluateStep(site, planned, planned.after, [...path, place], world, counts)
    if (step.blocks) site.blocked.add(place)
    site.steps.push({ status: step.status, output: step.output, error: step.error })
  }
  const last = site.steps.findLast(({ status }) => status === 'completed')
  try {
    const output = plan.output ? plan.output(scopeOf(site, [...plan.steps.keys()]), 0) : (last?.output ?? {})
    return { steps: site.steps, outcome: { status: 'completed', output } }
  } catch (error) {
    const message = `Output: ${(error as Error).message}`
    return { steps: site.steps, outcome: { status: 'failed', error: { message, kind: 'template' } } }
  }
}

function evaluateStep(
  site: Site,
  planned: PlannedStep,
  after: readonly number[],
  path: Path,
  world: World,
  counts: Map<string, number>,
  item?: JsonObject,
): Straight & { blocks?: boolean } {
  const scope = { ...scopeOf(site, after), ...(item && { forEach: item }) }
  const goesOn = planned.onError.action === 'continue'
  const skipped = { status: 'skipped', output: planned.defaults, error: undefined }
  const failed = (error: string) => ({
    status: 'failed',
    output: goesOn ? planned.defaults : undefined,
    error,
    blocks: !goesOn,
  })
  const completed = (output: JsonValue) => ({ status: 'completed', output, error: undefined })
  if (!item && after.some((place) => site.blocked.has(place))) return { ...skipped, blocks: true }
  try {
    if (planned.condition && !planned.condition(scope, 0)) return skipped
  } catch (error) {
    const seesNothing = after.some(
      (place) => site.steps[place]?.status === 'skipped' && site.steps[place].output === undefined,
    )
    return seesNothing ? skipped : failed((error as Error).message)
  }
  try {
    switch (planned.kind) {
      case 'tool': {
        planned.arguments(scope, 0)
        for (let retries = planned.onError.action === 'retry' ? planned.onError.retries : 0; ; retries--) {
          const key = path.join('.')
          const k = counts.get(key) ?? 0
          counts.set(key, k + 1)
          const end = world.end(path, k)
          if ('result' in end) return completed(end.result.output)
          const { kind, message } = end.failure
          const isSafe = planned.repeatable || !['timeout', 'lost'].includes(kind)
          if (retries === 0 || !isSafe || kind === 'denied' || kind === 'credential') return failed(message)
        }
      }
      case 'question': {
        planned.ask(scope, 0)
        const { action, content } = world.answer(path)
        if (action === 'accept') return completed({ action, content })
        const onDecline = action === 'decline' || action === 'unaskable'
        if ((onDecline ? planned.onDecline : planned.onCancel) === 'continue') {
          return completed({ action: onDecline ? 'decline' : 'cancel' })
        }
        return { ...failed(REFUSALS[action]), output: undefined, blocks: true }
      }
      case 'workflow': {
        const { outcome } = evaluateAll(planned.plan, planned.arguments(scope, 0), world, path, counts)
        return 'output' in outcome ? completed(outcome.output) : failed(outcome.error.message)
      }
      case 'forEach': {
        const items = planned.collection(scope, 0)
        if (items.length > planned.maxIterations) {
          return failed(`The collection has ${items.length} items, more than ${planned.maxIterations}`)
        }
        const iterations = items.map((value, index) => {
          const item = { it: value, item: value, index }
          const step = evaluateStep(site, planned.step, after, [...path, index], world, counts, item)
          const { status, output, error } = step
          return {
            index,
            item: value,
            status,
            ...(output !== undefined && { output }),
            ...(error !== undefined && { error }),
          }
        })
        const count = (status: string) => iterations.filter((iteration) => iteration.status === status).length
        return completed({
          iterations: iterations as JsonValue[],
          count: items.length,
          completed: count('completed'),
          failed: count('failed'),
        })
      }
    }
  } catch (error) {
    return failed((error as Error).message)
  }
}

const REFUSALS = {
  decline: 'The user declined to answer',
  cancel: 'The user cancelled the question',
  expired: 'Nobody answered in time',
  unaskable: 'The client cannot be asked this question',
}

function scopeOf({ steps, plan, params }: Site, after: readonly number[]) {
  const seen = after.map((place) => {
    const { status, output, error } = steps[place]!
    return [
      plan.steps[place]!.id,
      { status, ...(output !== undefined && { output }), ...(error !== undefined && { error }) },
    ]
  })
  return { params, steps: Object.fromEntries(seen) as Record<string, never>, workflow: {} }
}

// What is watched

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}

/** Follows the path, and says how much may be under way below each thing on it. */
function plannedAt(plan: Plan, path: Path): { planned: PlannedStep; limits: [string, number][] } {
  let inside: Plan | undefined = plan
  let planned: PlannedStep | undefined
  const limits: [string, number][] = []
  for (const [depth, place] of path.entries()) {
    const prefix = path
      .slice(0, depth)
      .map((place) => `${place}.`)
      .join('')
    if (planned?.kind === 'forEach' && !inside) {
      planned = planned.step
    } else {
      limits.push([prefix, inside!.maxParallel])
      planned = inside!.steps[place]
    }
    inside = planned?.kind === 'workflow' ? planned.plan : undefined
    if (planned?.kind === 'forEach' && planned.step.kind === 'tool') {
      limits.push([
        path
          .slice(0, depth + 1)
          .map((place) => `${place}.`)
          .join(''),
        planned.maxParallel,
      ])
    }
  }
  return { planned: planned!, limits }
}

function isRepeatable(plan: Plan, path: Path): boolean {
  const { planned } = plannedAt(plan, path)
  return planned.kind === 'tool' && planned.repeatable
}

function limits(plan: Plan, run: RunState): [string, number][] {
  return run.revision === 0 ? [] : pathsOf(plan, run.body).flatMap((path) => plannedAt(plan, path).limits)
}

function pathsOf(plan: Plan, body: Body, outer: Path = []): Path[] {
  return body.live.flatMap((place) => {
    const planned = plan.steps[place]
    const step = body.steps[place]
    return planned && step ? pathsIn(planned, step, [...outer, place]) : []
  })
}

function pathsIn(planned: PlannedStep, step: StepState, path: Path): Path[] {
  if (planned.kind === 'workflow' && step.body) return pathsOf(planned.plan, step.body, path)
  if (planned.kind === 'forEach' && step.loop) {
    const { iterations, live } = step.loop
    expect(live.length).toBeLessThanOrEqual(planned.maxParallel)
    return live.flatMap((index) => pathsIn(planned.step, iterations[index]!, [...path, index]))
  }
  return [path]
}

/** How many ends are recorded that came too late. */
const lateIn = (run: RunState): number => JSON.stringify(run.body).split('"late":').length

function describeBody(plan: Plan, body: Body): (Described | null)[] {
  return plan.steps.map((planned, place) => describeStep(planned, body.steps[place] ?? null))
}

function describeStep(planned: PlannedStep, step: StepState | null): Described | null {
  if (!step) return null
  const inside =
    planned.kind === 'workflow' && step.body
      ? describeBody(planned.plan, step.body)
      : planned.kind === 'forEach' && step.loop
        ? step.loop.items.map((_, index) => describeStep(planned.step, step.loop?.iterations[index] ?? null))
        : undefined
  const { status, attempt, output, error, dueAt, parked } = step
  return { status, attempt, output, error, due: dueAt, parked: parked === true, ...(inside && { inside }) }
}
