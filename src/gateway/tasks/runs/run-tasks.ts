import type { Call, Caller, Context, Outcome } from '../../../model/call.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { isObject } from '../../../model/json.ts'
import { pause } from '../../../model/pause.ts'
import type { RunView, Turn } from '../../../workflow/run/ports.ts'
import { knowsTasks } from '../extension.ts'
import { unknownTask } from '../requests.ts'
import type { TaskIds } from '../task-ids.ts'
import { callerOf } from '../../workflows/caller.ts'
import { contextWithout, lastingContext } from '../../workflows/lasting-context.ts'
import { answersIn } from '../../workflows/questions.ts'
import type { Runs } from '../../workflows/runs.ts'
import { handleOf, taskOf } from './task-of-run.ts'

/** A call that has come to something by then is answered with that. */
const AT_ONCE_MS = 2000
/** How long until another attempt to answer a run that goes on elsewhere. */
const AGAIN_MS = 250

export interface RunTasksParts {
  runs: Runs
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

  constructor(parts: RunTasksParts) {
    this.#parts = parts
  }

  get runs(): Runs {
    return this.#parts.runs
  }

  /** What a call comes to that makes this run go on: its turn, when that is soon, or the handle of a task. */
  async turnOrHandle(
    run: string,
    context: Context,
    start: (context: Context) => Promise<Turn>,
  ): Promise<Turn | Result> {
    const { context: lasting, answered } = lastingContext(context)
    const turn = start(lasting)
    // Nobody may wait for it any more when it fails.
    turn.catch(() => {})
    try {
      for (;;) {
        const first = await Promise.race([turn, pause(AT_ONCE_MS, context.signal)])
        if (first) return first
        // It ends soon.
        if (context.signal.cancelled) return await turn
        const view = await this.runs.look(run, context.principal)
        // Only what lies in the store can be asked about.
        if (view) return answer(handleOf(this.#parts.ids.shownRun(run, context.principal), view))
      }
    } finally {
      answered()
    }
  }

  /** `tasks/get`, `tasks/update` and `tasks/cancel` of a run. Answers all ids that mean nothing to the caller alike. */
  async ask({ verb, id, params }: Call & { kind: 'task' }, run: string, context: Context): Promise<Outcome> {
    if (!knowsTasks(context)) throw unknownTask()
    switch (verb) {
      case 'get': {
        const task = await this.task(run, id, context)
        if (!task) throw unknownTask()
        this.runs.refresh(run, context)
        return answer({ resultType: 'complete', ...task })
      }
      case 'update':
        await this.#update(run, params['inputResponses'], context)
        return DONE
      case 'cancel':
        if (!(await this.runs.look(run, context.principal))) throw unknownTask()
        await this.runs.cancel(run, context.principal)
        return DONE
      case 'result':
        throw unknownTask()
    }
  }

  /** Where a run is, which goes on if it had to wait for its owner. `undefined`: this caller has no such task. */
  async task(run: string, id: string, caller: Caller): Promise<JsonObject | undefined> {
    const view = await this.#view(run, caller)
    if (!view) return undefined
    if (!view.isDue) return taskOf(id, view)
    // What comes of it is seen with the next look.
    this.runs.resume(run, {}, lastingCaller(caller)).catch(() => {})
    return taskOf(id, { ...view, kind: 'running' })
  }

  /** Resolves when the answers are written. Throws `PARAMS_INVALID` for one that does not fit its question. */
  async #update(run: string, inputResponses: unknown, context: Context): Promise<void> {
    if (!isObject(inputResponses)) {
      throw new GatewayError('PARAMS_INVALID', 'Invalid params: "inputResponses" must be an object')
    }
    for (;;) {
      const view = await this.#view(run, context)
      if (!view) throw unknownTask()
      const answers = answersIn(inputResponses, view.open)
      // Answers to anything else are ignored ("Task Update Requests").
      if (Object.keys(answers).length === 0) return
      if (await this.runs.answer(run, answers, lastingCaller(context))) return
      // It goes on elsewhere, and takes answers when it rests.
      await pause(AGAIN_MS, context.signal)
      context.signal.throwIfCancelled()
    }
  }

  async #view(run: string, caller: Caller): Promise<RunView | undefined> {
    const view = await this.runs.look(run, caller.principal)
    return view && this.#parts.mayUse(view.workflow, view.params, caller) ? view : undefined
  }
}

/** Whoever asks about a run makes it go on, and waits for nothing. */
const lastingCaller = (caller: Caller) => callerOf({}, contextWithout(caller), true)

type Result = Outcome & { kind: 'result' }

const answer = (value: JsonObject): Result => ({ kind: 'result', value, era: 'modern' })
const DONE = answer({ resultType: 'complete' })
