import type { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { Plan } from '../plan.ts'
import type { CallFailure, Outcome, StepReport } from '../run-state.ts'
import type { RunStore } from '../store/run-store.ts'

/** What the engine needs of the world. `Context`: whatever a call needs to know of its caller; it is never stored. */
export interface Ports<Context> extends Clock {
  readonly store: RunStore
  /** Rejects with `StepError`; anything else is a failure of kind `error`. Past `signal` nobody waits for it. */
  readonly call: (step: StepCall<Context>, signal: Cancellation) => Promise<StepResult>
  /**
   * The plan of a definition with the tools that there are now for its caller. `ended`: ids of steps that have no need of
   * theirs any more. Steps must come out in the same order whatever tools there are.
   */
  readonly plan: (
    definition: JsonValue,
    ended: readonly string[],
    context: Context,
  ) => { plan: Plan } | { faults: readonly string[] }
  /** What is wrong with an answer; `undefined`: nothing. */
  readonly check: (question: AskedQuestion, answer: JsonObject) => string | undefined
}

export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Calls back once, at least so many milliseconds later, unless the returned function is called before. */
  readonly setTimer: (ms: number, callback: () => void) => () => void
}

/** The clock of this machine. Its timers keep no process alive. */
export const CLOCK: Clock = {
  now: Date.now,
  setTimer: (ms, callback) => {
    const timer = setTimeout(callback, Math.min(ms, LONGEST_TIMER_MS)).unref()
    return () => clearTimeout(timer)
  },
}

/** With more, timers of Node run at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Resolves after so long, or as soon as the signal is cancelled. */
export function wait({ setTimer }: Clock, ms: number, signal: Cancellation): Promise<void> {
  return new Promise((resolve) => {
    if (signal.cancelled) return resolve()
    const done = (): void => {
      stop()
      signal.offCancel(done)
      resolve()
    }
    const stop = setTimer(ms, done)
    signal.onCancel(done)
  })
}

/** Whoever waits for a turn. */
export interface RunCaller<Context> {
  readonly context: Context
  /** Cancelled: it wants the run no more. A client that merely is gone cancels nothing. */
  readonly signal: Cancellation
  /** Whether its client takes questions of this kind. */
  readonly takes: (mode: 'form' | 'url') => boolean
  /**
   * Puts a question to the user and waits for the result: `{action, content}`, or what the question of a backend asks for.
   * Rejects with `RefusedQuestion`, or, when the caller is gone, with anything else. Absent: the turn ends with the questions, and the caller comes back with answers.
   */
  readonly ask?: (question: AskedQuestion, signal: Cancellation) => Promise<JsonObject>
  /** `done` grows, to `total` at last. */
  readonly progress?: (done: number, total: number, message: string) => void
  /** It need not wait, but can come back whenever it likes: the run is a task. */
  readonly returns: boolean
}

/** A call that a step makes. */
export interface StepCall<Context> {
  readonly runId: string
  /** In which the step is written. */
  readonly workflow: string
  /** It calls nothing, but asks whether the caller may run this workflow. Resolve with anything. */
  readonly enters?: string
  /** Its id in words, such as `deploy[2].push`. */
  readonly step: string
  readonly attempt: number
  readonly tool: string
  readonly arguments: JsonObject
  /** The same for all attempts, and after a restart. */
  readonly idempotencyKey: string
  /** Its author says how long it may take; the engine sees to that. */
  readonly ownTimeout: boolean
  readonly context: Context
  /**
   * The backend asks the client something: `{method, params}`. Until it is answered the time of this call stands still.
   * A caller who has to come back is asked when the rest of the run has ended. Rejects when nobody answers. `signal`:
   * the backend wants it no more.
   */
  readonly ask: (question: JsonObject, signal?: Cancellation) => Promise<JsonObject>
}

export interface StepResult {
  readonly output: JsonValue
  /** The parts of the result by name. */
  readonly content?: JsonValue
}

/** A call of a step has failed. */
export class StepError extends Error {
  readonly kind: CallFailure['kind']
  /** Of `limited`: when to try again. */
  readonly retryAfterMs: number | undefined

  constructor(kind: CallFailure['kind'], message: string, retryAfterMs?: number) {
    super(message)
    this.kind = kind
    this.retryAfterMs = retryAfterMs
  }
}

/** A question as callers see it. `backend`: one that a backend asks inside of a step. Ids are unique within the run. */
export type AskedQuestion = { readonly id: string; readonly step: string } & (
  | ({ readonly mode: 'form'; readonly message: string; readonly schema: JsonObject } & Patience)
  | ({ readonly mode: 'url'; readonly message: string; readonly url: string } & Patience)
  | { readonly mode: 'backend'; readonly question: JsonObject }
)

interface Patience {
  /** How long the user may take, if the author says so. */
  readonly waitMs?: number
}

/** A client answers a question of a run with an error: it is there, and cannot be asked. */
export class RefusedQuestion extends Error {}

export type Turn =
  | { readonly kind: 'finished'; readonly runId: string; readonly outcome: Outcome; readonly reports: StepReport[] }
  /** `revision`: of the run, grows with each change. */
  | {
      readonly kind: 'asking'
      readonly runId: string
      readonly revision: number
      readonly questions: readonly AskedQuestion[]
    }
  /** No such run of this owner waits for such answers. */
  | { readonly kind: 'unknown' }

/** A run as its owner may see it, all of one moment. Times are milliseconds since the epoch. */
export type RunView = (Exclude<Turn, { kind: 'unknown' }> | { readonly kind: 'running'; readonly runId: string }) & {
  readonly workflow: string
  /** Of the call, with the defaults applied. */
  readonly params: JsonObject
  readonly createdAt: number
  readonly updatedAt: number
  /** When what it came to is erased. Absent: it goes on. */
  readonly erasedAt?: number
  /** Ids of questions that are kept open, whether or not it goes on beside them. */
  readonly open: readonly string[]
  /** Nobody performs it, or nobody has answered in time: whoever resumes it makes it go on. */
  readonly isDue: boolean
}

export const UNKNOWN: Turn & { kind: 'unknown' } = { kind: 'unknown' }

/**
 * `busy`: too many runs. `invalid`: an answer does not fit its question. `store`: the run cannot be written, so it does
 * not go on. `lost`: another process goes on with it. `stopping`: this process ends. What calls and questions are ended
 * with: `withdrawn`: nobody has use for them any more. `expired`: nobody answered in time.
 */
export class EngineError extends Error {
  readonly kind: 'busy' | 'invalid' | 'store' | 'lost' | 'stopping' | 'withdrawn' | 'expired'

  constructor(kind: EngineError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

export const lost = (): EngineError => new EngineError('lost', 'Another process goes on with this run')

export function tooMany(which: string): EngineError {
  return new EngineError('busy', `There are too many workflow runs ${which}; try again later`)
}
