import { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import { advance } from '../advance/advance.ts'
import { hasEnded } from '../advance/body.ts'
import type { CallCommand, Command, Event, Reply } from '../advance/event.ts'
import type { Plan } from '../plan.ts'
import { isOver, type RunState, stepReports } from '../run-state.ts'
import type { RunBody, StoredRun } from '../store/run-store.ts'
import { type Answers, checkAnswers, digest, sortAnswers, toReply } from './answers.ts'
import { type Attempt, type AttemptEnd, startAttempt } from './attempt.ts'
import { BackendQuestions } from './backend-questions.ts'
import { type AskedQuestion, type Caller, EngineError, type Ports, type Turn, UNKNOWN } from './ports.ts'
import { progressOf } from './progress.ts'
import type { Settings } from './settings.ts'
import { storable } from './storable.ts'

export interface PerformanceOptions<Context> {
  readonly ports: Ports<Context>
  readonly settings: Settings
  /** Of this process: it holds the leases. */
  readonly holder: string
  readonly plan: Plan
  /** As it lies in the store; of a new run, as it would. */
  readonly stored: StoredRun & { readonly body: RunBody }
  readonly isNew: boolean
  /** Nothing goes on here any more. */
  readonly onGone: () => void
}

type Asking<Context> = NonNullable<Caller<Context>['ask']>

/**
 * A run that goes on in this process. Each event takes it over into its next state at once; the state is written, and
 * only then is performed what follows from it. What happens while the store is busy is written together.
 */
export class Performance<Context> {
  readonly owner: string
  readonly #options: PerformanceOptions<Context>
  #plan: Plan
  /** As it lies in the store. */
  #stored: StoredRun & { readonly body: RunBody }
  #isNew: boolean
  #run: RunState
  #answered: Readonly<Record<string, string>>
  /** To be performed once the state is written. */
  #commands: Command[] = []
  #isWriting = false
  #written: Promise<void> = Promise.resolve()
  #caller: Caller<Context> | undefined
  /** Those who wait for the turn, and what happens when they do so no more. */
  readonly #parties = new Map<Cancellation, () => void>()
  #turn: PromiseWithResolvers<Turn> | undefined
  readonly #attempts = new Map<string, Attempt>()
  /** Questions that the client has been asked. */
  readonly #asks = new Map<string, Cancellation>()
  readonly #backends = new BackendQuestions()
  #stopWake: (() => void) | undefined
  #done = 0
  /** It goes on elsewhere, or cannot go on. */
  #isLost = false

  constructor(options: PerformanceOptions<Context>) {
    const { plan, stored, isNew } = options
    this.#options = options
    this.#plan = plan
    this.#stored = stored
    this.#isNew = isNew
    this.#run = stored.body.run
    this.#answered = stored.body.answered
    this.owner = stored.owner
  }

  get returns(): boolean {
    return this.#stored.returns
  }

  /** As it is now, written or not. `caller`: the latest. */
  get now(): {
    readonly definition: StoredRun['definition']
    readonly ids: readonly string[]
    readonly run: RunState
    readonly caller: Caller<Context> | undefined
  } {
    const { definition, body } = this.#stored
    return { definition, ids: body.ids, run: this.#run, caller: this.#caller }
  }

  /** All that the user can answer now. */
  get questions(): readonly AskedQuestion[] {
    return [...askedQuestions(this.#run), ...this.#backends.list]
  }

  /** The turn that is under way, or a new one. */
  join(caller: Caller<Context>): Promise<Turn> {
    this.#caller = caller
    this.#turn ??= Promise.withResolvers<Turn>()
    const { signal } = caller
    const { promise } = this.#turn
    if (!this.#parties.has(signal)) {
      const leave = (): void => {
        this.#parties.delete(signal)
        if (this.#parties.size === 0) this.stop('cancelled', 'The caller has cancelled it')
      }
      this.#parties.set(signal, leave)
      signal.onCancel(leave)
    }
    return promise
  }

  /** Throws `EngineError` of kind `invalid`. */
  resume(answers: Answers, caller: Caller<Context>): Promise<Turn> {
    const sorted = sortAnswers(answers, this.questions, this.#answered)
    if (sorted.open.length === 0) {
      const mayWait = sorted.isRepeated || (sorted.isEmpty && (this.returns || this.#run.status === 'suspended'))
      if (!mayWait) return this.#refuse()
      const turn = this.join(caller)
      this.#pump()
      return turn
    }
    checkAnswers(sorted, this.#options.ports.check)
    const turn = this.join(caller)
    const replies: Reply[] = []
    for (const { question, answer } of sorted.open) {
      this.#answered = { ...this.#answered, [question.id]: digest(answer) }
      const reply = question.mode === 'backend' ? undefined : toReply(question.id, answer)
      if (reply) replies.push(reply)
      else this.#backends.answer(question.id, answer)
    }
    if (replies.length > 0) this.feed({ type: 'answered', at: this.#now(), answers: replies })
    return turn
  }

  /** Answers that are refused because others came first, which count only once they are written. */
  async #refuse(): Promise<Turn> {
    await this.flushed()
    if (this.#isLost) throw lost()
    return UNKNOWN
  }

  feed(event: Event): void {
    const { endedAt = Infinity } = this.#run
    // What was erased is not written again.
    if (this.#isLost || endedAt < this.#now() - this.#options.settings.valuesMs) return
    this.#advance(event)
    this.#settle()
    this.#pump()
  }

  stop(as: 'cancelled' | 'interrupted' | 'failed', message: string): void {
    this.feed({ type: 'stop', at: this.#now(), as, message })
  }

  /** From now on by this plan. */
  replan(plan: Plan): void {
    this.#plan = plan
  }

  /** Resolves when all that has happened is written. */
  async flushed(): Promise<void> {
    while (this.#isWriting) await this.#written
  }

  /** Leaves it to whoever comes next. */
  async detach(): Promise<void> {
    await this.flushed()
    if (this.#isLost || isOver(this.#run)) return
    const after = { ...this.#stored, revision: this.#stored.revision + 1 }
    const lease = { holder: this.#options.holder, until: this.#now() - 1 }
    await this.#options.ports.store.update(this.#stored, { ...after, lease })
    this.#abandon(new EngineError('stopping', 'The gateway is stopping'))
  }

  #now(): number {
    return this.#options.ports.now()
  }

  #advance(event: Event): void {
    const { run, commands } = advance(this.#plan, this.#run, event)
    this.#run = run
    for (const command of commands) {
      const made = command.type === 'cancel' ? this.#commands.findIndex((other) => isCallOf(other, command)) : -1
      // Nobody has made that call yet, and now nobody will.
      if (made >= 0) this.#commands.splice(made, 1)
      else this.#commands.push(command)
    }
  }

  /** What follows from who the caller is. */
  #settle(): void {
    const caller = this.#turn && this.#caller
    while (this.#run.status === 'suspended') {
      if (!caller) return
      const answers = this.#run.questions.flatMap(({ id, question }): Reply[] =>
        caller.takes(question.mode) ? [] : [{ question: id, action: 'unaskable' }],
      )
      if (answers.length === 0) return
      this.#advance({ type: 'answered', at: this.#now(), answers })
    }
    if (caller || !this.#commands.some(({ type }) => type === 'call')) return
    this.#advance({ type: 'stop', at: this.#now(), as: 'interrupted', message: 'Its caller is gone' })
  }

  #pump(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    this.#written = this.#work().then(
      () => {
        this.#isWriting = false
        if (this.#isDirty) this.#pump()
        else this.#rest()
      },
      (error: unknown) => {
        this.#isWriting = false
        this.#abandon(error instanceof EngineError ? error : new EngineError('store', messageOf(error)))
      },
    )
  }

  get #isDirty(): boolean {
    const isWritten = !this.#isNew && this.#run === this.#stored.body.run
    return !this.#isLost && !(isWritten && this.#commands.length === 0)
  }

  async #work(): Promise<void> {
    while (this.#isDirty) {
      const commands = this.#commands
      this.#commands = []
      const before = this.#stored.body.run
      if (this.#isNew || this.#run !== before) await this.#write(commands)
      for (const command of commands) this.#perform(command)
      this.#report(before)
    }
  }

  async #write(commands: readonly Command[]): Promise<void> {
    const { ports, settings, holder } = this.#options
    const run = this.#run
    const waits = run.status === 'suspended'
    const isHere = !waits || this.#caller?.ask !== undefined || this.#goesOnAfter(commands)
    const now = this.#now()
    const after = storable(this.#stored, run, this.#answered, now, {
      isNew: this.#isNew,
      ...(waits && { openUntil: now + (isHere ? settings.askMs : settings.questionMs) }),
      ...(isHere && { lease: { holder, until: now + settings.leaseMs } }),
    })
    if (!this.#isNew) {
      if (!(await ports.store.update(this.#stored, after))) {
        throw lost()
      }
    } else {
      const created = await ports.store.create(after, { all: settings.maxOpen, perOwner: settings.maxOpenPerOwner })
      if (created === 'exists') throw new EngineError('store', 'The id of the run is taken')
      if (created !== 'created')
        throw tooMany(created === 'full' ? 'that have not ended' : 'of this caller that have not ended')
      this.#isNew = false
    }
    this.#stored = after
  }

  /** Whether calls are left that are under way when these commands have been performed. */
  #goesOnAfter(commands: readonly Command[]): boolean {
    const cancelled = commands.flatMap((command) => (command.type === 'cancel' ? keyOf(command) : []))
    return [...this.#attempts.keys()].some((key) => !cancelled.includes(key))
  }

  #perform(command: Command): void {
    switch (command.type) {
      case 'call':
        return this.#call(command)
      case 'cancel': {
        const why = new EngineError('stopping', 'The workflow has no use for it any more')
        if (command.question !== undefined) this.#asks.get(command.question)?.cancel(why)
        else this.#endAttempt(keyOf(command), why)
        return
      }
      case 'wake': {
        const { setTimer } = this.#options.ports
        this.#stopWake?.()
        this.#stopWake = setTimer(Math.max(0, command.at - this.#now()), () => {
          this.feed({ type: 'woken', at: this.#now() })
        })
        return
      }
      // `#rest` does it, when nothing else is left to do.
      case 'ask':
      case 'finish':
        return
    }
  }

  #call(command: CallCommand): void {
    const { ports } = this.#options
    const caller = this.#caller
    if (!caller || this.#isLost) return
    const { path, attempt, step, tool, idempotencyKey, ownTimeout } = command
    const key = keyOf(command)
    const started = startAttempt({
      timeoutMs: command.timeoutMs,
      clock: ports,
      call: async (signal) =>
        ports.call(
          {
            runId: this.#run.id,
            workflow: this.#run.workflow,
            step,
            attempt,
            tool,
            arguments: command.arguments,
            idempotencyKey,
            ownTimeout,
            context: caller.context,
            depth: caller.depth + 1,
            ask: (question, signal) => this.#park(command, key, question, signal),
          },
          signal,
        ),
      onEnd: (end: AttemptEnd) => {
        if (this.#attempts.get(key) === started) this.#attempts.delete(key)
        this.#backends.withdraw(key, 'The call has ended')
        this.feed({ type: 'ended', at: this.#now(), path, attempt, ...end })
      },
    })
    this.#attempts.set(key, started)
  }

  #park(command: CallCommand, key: string, question: JsonObject, signal?: Cancellation): Promise<JsonObject> {
    const { path, attempt, step } = command
    const running = this.#attempts.get(key)
    if (!running) return Promise.reject(new EngineError('stopping', 'The call has ended'))
    const goOn = running.hold()
    const release = (): void => {
      goOn()
      if (this.#attempts.has(key)) this.feed({ type: 'resumed', at: this.#now(), path, attempt })
    }
    const { asked, answer } = this.#backends.ask(step, key, question, release, signal)
    this.feed({ type: 'parked', at: this.#now(), path, attempt })
    const ask = this.#caller?.ask
    // The backend may be less patient than the rest of the run.
    if (ask) void this.#put(asked, ask)
    return answer
  }

  #endAttempt(key: string, why: Error): void {
    const attempt = this.#attempts.get(key)
    if (!attempt) return
    this.#attempts.delete(key)
    attempt.cancel(why)
    this.#backends.withdraw(key, why.message)
  }

  /** Everything is written and performed. */
  #rest(): void {
    if (this.#isLost) return
    if (isOver(this.#run)) {
      const { ids } = this.#stored.body
      const { outcome } = this.#run
      this.#leave()
      if (outcome) this.#endTurn({ kind: 'finished', runId: this.#run.id, outcome, reports: reportsOf(ids, this.#run) })
      return
    }
    if (this.#run.status !== 'suspended') return
    this.#stopWake?.()
    if (!this.#turn) return
    const { settings, ports } = this.#options
    const ask = this.#caller?.ask
    if (ask) {
      for (const question of this.questions) if (!this.#asks.has(question.id)) void this.#put(question, ask)
      return
    }
    this.#backends.expireIn(settings.askMs, ports)
    if (this.#attempts.size === 0) this.#leave()
    const { id: runId, revision } = this.#run
    this.#endTurn({ kind: 'asking', runId, revision, questions: this.questions })
  }

  /** Puts a question to a caller who answers at once. */
  async #put(question: AskedQuestion, ask: Asking<Context>): Promise<void> {
    const { ports, settings } = this.#options
    const { id, mode } = question
    const signal = new Cancellation()
    this.#asks.set(id, signal)
    const stopTimer = ports.setTimer(settings.askMs, () => {
      signal.cancel(new EngineError('invalid', 'Nobody answered in time'))
      if (mode === 'backend') this.#backends.answer(id, new EngineError('invalid', 'Nobody answered in time'))
      else this.feed({ type: 'answered', at: this.#now(), answers: [{ question: id, action: 'expired' }] })
    })
    try {
      const answer = await ask(question, signal)
      if (signal.cancelled) return
      checkAnswers({ open: [{ question, answer }] }, ports.check)
      if (mode === 'backend') this.#backends.answer(id, answer)
      else {
        const reply = toReply(id, answer)
        if (reply) this.feed({ type: 'answered', at: this.#now(), answers: [reply] })
      }
    } catch (error) {
      if (signal.cancelled) return
      const isInvalid = error instanceof EngineError && error.kind === 'invalid'
      if (mode === 'backend') this.#backends.answer(id, error instanceof Error ? error : new Error(messageOf(error)))
      else if (isInvalid)
        this.feed({ type: 'answered', at: this.#now(), answers: [{ question: id, action: 'cancel' }] })
      else this.stop('interrupted', `Its caller is gone: ${messageOf(error)}`)
    } finally {
      stopTimer()
      this.#asks.delete(id)
    }
  }

  #report(before: RunState): void {
    const report = this.#caller?.progress
    if (!report || before === this.#run) return
    const { done, message } = progressOf(this.#stored.body.ids, before, this.#run)
    if (done <= this.#done) return
    this.#done = done
    report(done, this.#run.body.steps.length, message)
  }

  #endTurn(turn: Turn): void {
    this.#turn?.resolve(turn)
    this.#turn = undefined
    for (const [signal, leave] of this.#parties) signal.offCancel(leave)
    this.#parties.clear()
  }

  #leave(): void {
    this.#stopWake?.()
    this.#options.onGone()
  }

  /** It does not go on here. */
  #abandon(error: EngineError): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#leave()
    for (const key of this.#attempts.keys()) this.#endAttempt(key, error)
    for (const signal of this.#asks.values()) signal.cancel(error)
    this.#turn?.reject(error)
    this.#endTurn(UNKNOWN)
  }
}

export const lost = (): EngineError => new EngineError('lost', 'Another process goes on with this run')

export function tooMany(which: string): EngineError {
  return new EngineError('busy', `There are too many workflow runs ${which}; try again later`)
}

/** Those that its user has been asked. */
export function askedQuestions({ questions }: RunState): AskedQuestion[] {
  return questions.flatMap(({ id, step, question, askedAt }) =>
    askedAt === undefined ? [] : [{ id, step, ...question }],
  )
}

export const reportsOf = (ids: readonly string[], run: RunState) =>
  stepReports({ steps: ids.map((id) => ({ id })) }, run)

export function endedSteps(ids: readonly string[], run: RunState): string[] {
  return ids.filter((_, place) => {
    const step = run.body.steps[place]
    return step && hasEnded(step)
  })
}

/** Those whose one call is under way. */
export function callingSteps(ids: readonly string[], run: RunState): string[] {
  return ids.filter((_, place) => {
    const step = run.body.steps[place]
    return step?.status === 'running' && !step.loop && !step.body
  })
}

const keyOf = ({ path, attempt }: { path: readonly number[]; attempt: number }): string =>
  `${path.join('.')}@${attempt}`

const isCallOf = (other: Command, cancel: Command & { type: 'cancel' }): boolean =>
  other.type === 'call' && cancel.question === undefined && keyOf(other) === keyOf(cancel)

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
