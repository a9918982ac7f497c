import { advance } from '../advance/advance.ts'
import type { Command, Event, Reply } from '../advance/event.ts'
import type { Plan } from '../plan.ts'
import { isOver, type RunState } from '../run-state.ts'
import type { StoredRun } from '../store/run-store.ts'
import { type Answers, checkAnswers, digest, sortAnswers, toReply } from './answers.ts'
import { Asking } from './asking.ts'
import { keyOf } from './attempt.ts'
import { Attempts } from './attempts.ts'
import { HeldResults } from './held-results.ts'
import { type AskedQuestion, EngineError, lost, type Ports, type RunCaller, type Turn, UNKNOWN } from './ports.ts'
import { progressOf } from './progress.ts'
import { askedQuestions, closesAt, expiredQuestions, reportsOf } from './run-views.ts'
import type { Settings } from './settings.ts'
import type { Waiting } from './storable.ts'
import { WaitingCallers } from './waiting-callers.ts'
import { type StoredWithBody, WriteAhead } from './write-ahead.ts'

export interface RunExecutionOptions<Context> {
  readonly ports: Ports<Context>
  readonly settings: Settings
  /** Of this process: it holds the leases. */
  readonly holder: string
  readonly plan: Plan
  /** As it lies in the store; of a new run, as it would. */
  readonly stored: StoredWithBody
  readonly isNew: boolean
  /** What its owner sees of it has changed, and is written. */
  readonly onChange: () => void
  /** Nothing goes on here any more. */
  readonly onGone: () => void
}

/**
 * A run that goes on in this process. Each event takes it over into its next state at once; the state is written, and
 * only then is performed what follows from it.
 */
export class RunExecution<Context> {
  readonly owner: string
  readonly returns: boolean
  readonly #options: RunExecutionOptions<Context>
  #plan: Plan
  readonly #journal: WriteAhead
  readonly #callers: WaitingCallers<Context>
  readonly #asking: Asking
  readonly #attempts: Attempts<Context>
  #stopWake: (() => void) | undefined
  #done = 0
  /** Why it does not go on here: it goes on elsewhere, or cannot go on. */
  #lost: EngineError | undefined

  constructor(options: RunExecutionOptions<Context>) {
    const { plan, stored, isNew, ports, settings } = options
    this.#options = options
    this.#plan = plan
    this.owner = stored.owner
    this.returns = stored.returns
    this.#journal = new WriteAhead({
      store: ports.store,
      now: ports.now,
      settings,
      stored,
      isNew,
      marks: (run, commands) => this.#marks(run, commands),
      perform: (command) => this.#perform(command),
      onWritten: (before) => this.#report(before),
      onRest: () => this.#rest(),
      onFail: (error) => this.#abandon(error),
    })
    const results = new HeldResults(stored.body.run, settings.resultBytes)
    this.#callers = new WaitingCallers(() => this.stop('cancelled', 'The caller has cancelled it'))
    this.#attempts = new Attempts<Context>({
      ports,
      caller: () => this.#callers.latest,
      feed: (event) => this.feed(event.type === 'ended' ? results.admit(event, this.#journal.run) : event),
      onQuestion: (question) => {
        const ask = this.#callers.latest?.ask
        // The backend may be less patient than the rest of the run.
        if (ask) this.#asking.put(question, ask)
      },
    })
    this.#asking = new Asking({
      ports,
      askMs: () => settings.askMs,
      onReply: (reply) => this.#answered([reply]),
      onBackendAnswer: (question, answer) => void this.#attempts.questions.answer(question, answer),
      onGone: (why) => this.stop('interrupted', `Its caller is gone: ${why.message}`),
    })
  }

  /** What it is to be planned again for. `caller`: the latest. */
  get planned(): {
    readonly definition: StoredRun['definition']
    readonly ids: readonly string[]
    readonly run: RunState
    readonly caller: RunCaller<Context> | undefined
  } {
    const { definition, body } = this.#journal.stored
    return { definition, ids: body.ids, run: this.#journal.run, caller: this.#callers.latest }
  }

  /** All that the user can answer now. */
  get questions(): readonly AskedQuestion[] {
    return [...askedQuestions(this.#journal.run), ...this.#attempts.questions.list]
  }

  /** The turn that is under way, or a new one. */
  join(caller: RunCaller<Context>): Promise<Turn> {
    return this.#callers.join(caller)
  }

  /** Throws `EngineError` of kind `invalid`. */
  resume(answers: Answers, caller: RunCaller<Context>): Promise<Turn> {
    const expired = this.#expired()
    const open = this.questions.filter(({ id }) => !expired.some(({ question }) => question === id))
    const sorted = sortAnswers(answers, open, this.#journal.answered)
    if (sorted.open.length === 0 && expired.length === 0) {
      const mayWait =
        sorted.isRepeated || (sorted.isEmpty && (this.returns || this.#journal.run.status === 'suspended'))
      if (!mayWait) return this.#refuse()
      const turn = this.join(caller)
      this.#journal.pump()
      return turn
    }
    checkAnswers(sorted, this.#options.ports.check)
    const turn = this.join(caller)
    const replies: Reply[] = expired
    for (const { question, answer } of sorted.open) {
      this.#journal.count(question.id, digest(answer))
      const reply = question.mode === 'backend' ? undefined : toReply(question.id, answer)
      if (reply) replies.push(reply)
      else this.#attempts.questions.answer(question.id, answer)
    }
    if (replies.length > 0) this.#answered(replies)
    return turn
  }

  /** How long the user may take when nobody says so. */
  get #patienceMs(): number {
    const { askMs, questionMs } = this.#options.settings
    return this.#callers.latest?.ask ? askMs : questionMs
  }

  #expired(): Reply[] {
    return expiredQuestions(this.#journal.run, this.#patienceMs, this.#now())
  }

  #answered(answers: readonly Reply[]): void {
    this.feed({ type: 'answered', at: this.#now(), answers })
  }

  /** Answers that are refused because others came first, which count only once they are written. */
  async #refuse(): Promise<Turn> {
    await this.written()
    return UNKNOWN
  }

  feed(event: Event): void {
    const { endedAt = Infinity } = this.#journal.run
    // What was erased is not written again.
    if (this.#lost || endedAt < this.#now() - this.#options.settings.valuesMs) return
    this.#advance(event)
    this.#settle()
    this.#journal.pump()
  }

  stop(as: 'cancelled' | 'interrupted' | 'failed', message: string): void {
    this.feed({ type: 'stop', at: this.#now(), as, message })
  }

  /** From now on by this plan. */
  replan(plan: Plan): void {
    this.#plan = plan
  }

  /** What is called from now on is called in this context. */
  refresh(change: (context: Context) => Context): void {
    const { latest } = this.#callers
    if (latest) this.#callers.latest = { ...latest, context: change(latest.context) }
  }

  /** Resolves when all that has happened is written, or never will be. */
  flushed(): Promise<void> {
    return this.#journal.flushed()
  }

  /** Resolves when all that has happened is written. Rejects with the `EngineError` for which it does not go on here. */
  async written(): Promise<void> {
    await this.flushed()
    if (this.#lost) throw this.#lost
  }

  /** As it lies in the store, while this process holds it there. */
  get held(): StoredRun | undefined {
    const { isNew, stored } = this.#journal
    return !isNew && stored.lease?.holder === this.#options.holder ? stored : undefined
  }

  /** It is not as this process held it. What was being written then may have come later, and tells itself. */
  async giveUp(held: StoredRun): Promise<void> {
    await this.flushed()
    if (this.#journal.stored === held) this.#abandon(lost())
  }

  /** Leaves it to whoever comes next. */
  async detach(): Promise<void> {
    await this.flushed()
    if (this.#lost || isOver(this.#journal.run)) return
    const { ports, holder } = this.#options
    const { stored } = this.#journal
    const lease = { holder, until: this.#now() - 1 }
    await ports.store.update(stored, { ...stored, revision: stored.revision + 1, lease })
    this.#abandon(new EngineError('stopping', 'The gateway is stopping'))
  }

  #now(): number {
    return this.#options.ports.now()
  }

  #advance(event: Event): void {
    const { run, commands } = advance(this.#plan, this.#journal.run, event)
    this.#journal.put(run, commands)
  }

  /** What follows from who the caller is. */
  #settle(): void {
    const caller = this.#callers.isTurn ? this.#callers.latest : undefined
    while (this.#journal.run.status === 'suspended') {
      if (!caller) return
      const unaskable = this.#journal.run.questions.flatMap(({ id, question }): Reply[] =>
        caller.takes(question.mode) ? [] : [{ question: id, action: 'unaskable' }],
      )
      const answers = [...this.#expired(), ...unaskable]
      if (answers.length === 0) return
      this.#advance({ type: 'answered', at: this.#now(), answers })
    }
    if (caller || !this.#journal.hasCalls) return
    this.#advance({ type: 'stop', at: this.#now(), as: 'interrupted', message: 'Its caller is gone' })
  }

  /** Who goes on with it when it lies in the store and these have been performed. */
  #marks(run: RunState, commands: readonly Command[]): Omit<Waiting, 'isNew'> {
    const { settings, holder } = this.#options
    const waits = run.status === 'suspended'
    const isHere = !waits || this.#callers.latest?.ask !== undefined || this.#attempts.goOnAfter(commands)
    const now = this.#now()
    const ends = run.questions.map((question) => closesAt(question, this.#patienceMs))
    return {
      ...(waits && { openUntil: ends.length > 0 ? Math.min(...ends) : now + settings.askMs }),
      ...(isHere && { lease: { holder, until: now + settings.leaseMs } }),
    }
  }

  #perform(command: Command): void {
    switch (command.type) {
      case 'call':
        if (!this.#lost) this.#attempts.start(command, this.#journal.run)
        return
      case 'cancel': {
        const why = new EngineError('withdrawn', 'The workflow has no use for it any more')
        if (command.question !== undefined) this.#asking.withdraw(command.question, why)
        else this.#attempts.end(keyOf(command), why)
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
    }
  }

  /** Everything is written and performed. */
  #rest(): void {
    if (this.#lost) return
    const { run } = this.#journal
    if (isOver(run)) {
      const { ids } = this.#journal.stored.body
      const { id: runId, outcome } = run
      this.#leave()
      if (outcome) this.#callers.end({ kind: 'finished', runId, outcome, reports: reportsOf(ids, run) })
      return
    }
    if (run.status !== 'suspended') return
    this.#stopWake?.()
    if (!this.#callers.isTurn) return
    const { settings, ports } = this.#options
    const ask = this.#callers.latest?.ask
    if (ask) {
      for (const question of this.questions) this.#asking.put(question, ask)
      return
    }
    this.#attempts.questions.expireIn(settings.askMs, ports)
    if (this.#attempts.size === 0) this.#leave()
    const { id: runId, revision } = run
    if (this.#attempts.questions.list.length > 0) this.#options.onChange()
    this.#callers.end({ kind: 'asking', runId, revision, questions: this.questions })
  }

  /** Tells what has been written. */
  #report(before: RunState): void {
    const { run, stored } = this.#journal
    const { status, questions } = stored.body.run
    if (status !== before.status || questions !== before.questions) this.#options.onChange()
    const report = this.#callers.latest?.progress
    if (!report || before === run) return
    const { done, message } = progressOf(stored.body.ids, before, run)
    if (done <= this.#done) return
    this.#done = done
    report(done, run.body.steps.length, message)
  }

  #leave(): void {
    this.#stopWake?.()
    this.#options.onGone()
  }

  /** It does not go on here. */
  #abandon(error: EngineError): void {
    if (this.#lost) return
    this.#lost = error
    this.#journal.stop()
    this.#leave()
    this.#attempts.endAll(error)
    this.#asking.withdrawAll(error)
    this.#callers.fail(error)
    this.#options.onChange()
  }
}
