import type { Call, Caller, Context, Outcome } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { pause } from '../../model/pause.ts'
import type { Answers } from '../../workflow/run/answers.ts'
import type { Turn } from '../../workflow/run/ports.ts'
import { knowsTasks, requireTasks } from '../tasks/extension.ts'
import { unknownTask } from '../tasks/requests.ts'
import type { TaskIds } from '../tasks/task-ids.ts'
import { callerOf } from './caller.ts'
import { contextWithout, lastingContext } from './lasting-context.ts'
import { Performed } from './performed.ts'
import { answersIn } from './questions.ts'
import type { RunRecord, Runs } from './runs.ts'
import { handleOf, taskOf } from './task-of-run.ts'

/** A call that has come to something by then is answered with that. */
const AT_ONCE_MS = 2000
/** How long until another look whether answers have been written. */
const WRITTEN_MS = 10
/** How long until another attempt to answer a run that goes on elsewhere. */
const AGAIN_MS = 250

export interface RunTasksParts {
  runs: () => Runs
  ids: TaskIds
  /** Whether this caller may still use the composite tool in this way. */
  mayUse: (workflow: string, args: JsonObject, caller: Caller) => boolean
}

/**
 * The runs of modern clients that know tasks (the tasks extension): a call is answered with a handle when it takes long, and
 * the run goes on without it, with the credentials that its owner's latest request shows.
 */
export class RunTasks {
  readonly #parts: RunTasksParts
  readonly #performed: Performed
  readonly #listeners: ((run: string) => void)[] = []

  constructor(parts: RunTasksParts) {
    this.#parts = parts
    this.#performed = new Performed(parts.runs, (run) => this.#changed(run))
  }

  get runs(): Runs {
    return this.#parts.runs()
  }

  /** What a call comes to that makes this run go on: its turn, when that is soon, or the handle of a task. */
  async turnOrHandle(
    run: string,
    context: Context,
    start: (context: Context) => Promise<Turn>,
  ): Promise<Turn | Result> {
    const { context: lasting, answered } = lastingContext(context)
    const turn = start(lasting)
    this.#performed.add(run, lasting, turn)
    try {
      for (;;) {
        const first = await Promise.race([turn, pause(AT_ONCE_MS, context.signal)])
        if (first) return first
        // It ends soon.
        if (context.signal.cancelled) return await turn
        const record = await this.runs.record(run, context.principal)
        // Only what lies in the store can be asked about.
        if (record) return answer(handleOf(this.#parts.ids.shownRun(run, context.principal), record))
      }
    } finally {
      answered()
    }
  }

  /** `tasks/get`, `tasks/update` and `tasks/cancel` of a run. Answers all ids that mean nothing to the caller alike. */
  async ask({ verb, id, params }: Call & { kind: 'task' }, run: string, context: Context): Promise<Outcome> {
    requireTasks(context)
    if (!knowsTasks(context)) throw unknownTask()
    switch (verb) {
      case 'get': {
        const task = await this.task(run, id, context)
        if (!task) throw unknownTask()
        this.#performed.showAs(run, context)
        return answer({ resultType: 'complete', ...task })
      }
      case 'update':
        await this.#update(run, params['inputResponses'], context)
        return DONE
      case 'cancel':
        if (!(await this.runs.record(run, context.principal))) throw unknownTask()
        await this.runs.cancel(run, context.principal)
        this.#changed(run)
        return DONE
      case 'result':
        throw unknownTask()
    }
  }

  /** Where a run is, which goes on if it had to wait for its owner. `undefined`: this caller has no such task. */
  async task(run: string, id: string, caller: Caller): Promise<JsonObject | undefined> {
    const record = await this.#record(run, caller)
    if (!record) return undefined
    if (!record.isDue) return taskOf(id, record)
    this.#goOn(run, caller)
    return taskOf(id, { ...record, look: { kind: 'running', runId: run, isPerformed: true } })
  }

  /** Calls the listener from now on when a run has changed here. */
  onChange(listener: (run: string) => void): void {
    this.#listeners.push(listener)
  }

  /** Resolves when the answers are written. Throws `PARAMS_INVALID` for one that does not fit its question. */
  async #update(run: string, inputResponses: unknown, context: Context): Promise<void> {
    if (!isObject(inputResponses)) {
      throw new GatewayError('PARAMS_INVALID', 'Invalid params: "inputResponses" must be an object')
    }
    for (;;) {
      const record = await this.#record(run, context)
      if (!record) throw unknownTask()
      const answers = answersIn(inputResponses, record.open)
      // Answers to anything else are ignored ("Task Update Requests").
      if (Object.keys(answers).length === 0 || (await this.#taken(run, answers, context))) break
      // It goes on elsewhere, and takes answers when it rests.
      await pause(AGAIN_MS, context.signal)
      context.signal.throwIfCancelled()
    }
    this.#changed(run)
  }

  async #taken(run: string, answers: Answers, context: Context): Promise<boolean> {
    const turn = this.#resume(run, answers, context)
    for (;;) {
      const over = await Promise.race([turn, pause(WRITTEN_MS, context.signal)])
      if (over) return over.kind !== 'unknown'
      const record = await this.runs.record(run, context.principal)
      if (!record?.open.some((question) => Object.hasOwn(answers, question))) return true
      context.signal.throwIfCancelled()
    }
  }

  #goOn(run: string, caller: Caller): void {
    // What comes of it is seen with the next look.
    if (!this.#performed.has(run)) this.#resume(run, {}, caller).catch(() => {})
  }

  #resume(run: string, answers: Answers, caller: Caller): Promise<Turn> {
    const context = contextWithout(caller)
    const turn = this.runs.resume(run, answers, callerOf({}, context, true))
    this.#performed.add(run, context, turn)
    return turn
  }

  async #record(run: string, caller: Caller): Promise<RunRecord | undefined> {
    const record = await this.runs.record(run, caller.principal)
    return record && this.#parts.mayUse(record.workflow, record.arguments, caller) ? record : undefined
  }

  #changed(run: string): void {
    for (const listener of this.#listeners) listener(run)
  }
}

type Result = Outcome & { kind: 'result' }

const answer = (value: JsonObject): Result => ({ kind: 'result', value, era: 'modern' })
const DONE = answer({ resultType: 'complete' })
