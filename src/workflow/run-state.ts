import type { JsonObject, JsonValue } from '../model/json.ts'
import type { Plan, StepStatus } from './plan.ts'

/**
 * The record of one run: plain JSON, never changed, made by `createRun` and `advance` alone. What `advance` returns is
 * what has to be stored before its commands are performed.
 */
export interface RunState {
  readonly id: string
  /** Name of the composite tool. */
  readonly workflow: string
  readonly status: RunStatus
  /** Grows by one with each change: what a compare-and-set compares. 0: not started. */
  readonly revision: number
  /** Milliseconds since the epoch, as all times here that are not called `Ms`. */
  readonly startedAt: number
  /** When it last began or ceased to wait for the user, or changed. Time from then on is active; null: none runs. */
  readonly activeSince: number | null
  /** Active time until `activeSince`. */
  readonly activeMs: number
  /** When the engine wants to be woken, if it does. */
  readonly wakeAt: number | null
  readonly body: Body
  /** Not answered yet. Whether the user has seen one, `askedAt` says. */
  readonly questions: readonly OpenQuestion[]
  readonly endedAt?: number
  readonly outcome?: Outcome
}

export const RUN_STATUSES = [
  'running',
  'suspended',
  'completed',
  'failed',
  'cancelled',
  'timed_out',
  'interrupted',
] as const
export type RunStatus = (typeof RUN_STATUSES)[number]

export type Outcome =
  | { readonly status: 'completed'; readonly output: JsonValue }
  | { readonly status: 'failed' | 'cancelled' | 'timed_out' | 'interrupted'; readonly error: Failure }

export interface Failure {
  readonly message: string
  readonly kind: FailureKind
  /** Id of the step that ended the run. */
  readonly step?: string
}

/**
 * `timeout` and `lost`: the call may have had its effect, so only a repeatable one is made again. `unavailable`: it has
 * not reached its backend. `template`: the definition gave no value. `unanswered`: the user did not want, or could not
 * be asked. `ended`: the run was stopped from outside.
 */
export type FailureKind = CallFailure['kind'] | 'template' | 'unanswered' | 'ended'

export interface CallFailure {
  readonly message: string
  readonly kind: 'error' | 'denied' | 'timeout' | 'lost' | 'limited' | 'unavailable' | 'credential'
}

/** Where a step is: place in the plan, then iteration, then place in the nested plan, and so on. */
export type Path = readonly number[]

/** The steps of a run, or of a nested run within its parent's step. */
export interface Body {
  readonly params: JsonObject
  readonly startedAt: number
  /** By place in the plan; null: not begun. */
  readonly steps: readonly (StepState | null)[]
  /** Places of steps that have not ended and depend on none that has not, ascending. */
  readonly live: readonly number[]
  /** Calls in it that are under way, or wait to be made again. */
  readonly slots: number
  /** A question said so: nothing begins any more. */
  readonly skipping?: true
  /** What has ended it. */
  readonly failure?: Failure
}

export interface StepState {
  readonly status: Exclude<StepStatus, 'pending'>
  /** The number of the last attempt, from 1; 0 when there was none. */
  readonly attempt: number
  /** How many of them were made because of `onError`. */
  readonly retried?: number
  readonly startedAt: number
  /** From its first attempt to its end. */
  readonly ms?: number
  readonly output?: JsonValue
  readonly content?: JsonValue
  /** Of the last attempt. */
  readonly error?: string
  readonly kind?: FailureKind
  /** When the next attempt is due. */
  readonly dueAt?: number
  /** Of a loop or a nested run, in active time of the run. */
  readonly deadlineMs?: number
  /** Its call waits for the user: a question of the backend. */
  readonly parked?: true
  readonly answer?: { readonly action: Answer; readonly content?: JsonObject }
  /** The answer skips the rest. */
  readonly skipsRest?: true
  /** It has failed and the run may not go on over it, or it was skipped for such a step. */
  readonly blocks?: true
  /** The last attempt ended here, but perhaps not where it was made. */
  readonly unconfirmed?: true
  /** What became of that attempt, as it turned out later. Nothing follows from it. */
  readonly late?: { readonly at: number; readonly output?: JsonValue; readonly error?: string }
  /** Of a nested run. */
  readonly body?: Body
  /** Of a `forEach`. */
  readonly loop?: LoopState
}

export interface LoopState {
  readonly items: readonly JsonValue[]
  /** By index, as far as they have begun. */
  readonly iterations: readonly StepState[]
  /** Indices of those under way, ascending. */
  readonly live: readonly number[]
  readonly slots: number
  readonly failure?: Failure
}

/** `expired`: nobody answered in time. `unaskable`: there is nobody to ask, or the client takes no such question. */
export type Answer = 'accept' | 'decline' | 'cancel' | 'expired' | 'unaskable'

type Question =
  | { readonly mode: 'form'; readonly message: string; readonly schema: JsonObject }
  | { readonly mode: 'url'; readonly message: string; readonly url: string }

export interface OpenQuestion {
  /** Unique within the run, over all its attempts. */
  readonly id: string
  readonly path: Path
  /** Its id in words, such as `deploy[2].approve`. */
  readonly step: string
  readonly question: Question
  readonly askedAt?: number
  /** How long the user may take, if its author says so. */
  readonly waitMs?: number
}

export interface StepReport {
  readonly id: string
  readonly status: StepStatus
  readonly ms: number
  readonly error?: string
}

/** A run that has not started. `params`: with the defaults applied. `at`: milliseconds since the epoch. */
export function createRun(plan: Plan, run: { id: string; params: JsonObject; at: number }): RunState {
  return {
    id: run.id,
    workflow: plan.name,
    status: 'running',
    revision: 0,
    startedAt: run.at,
    activeSince: null,
    activeMs: 0,
    wakeAt: null,
    body: openBody(plan, run.params, run.at),
    questions: [],
  }
}

export function openBody(plan: Plan, params: JsonObject, at: number): Body {
  const roots = plan.steps.flatMap((step, place) => (step.after.length === 0 ? [place] : []))
  return { params, startedAt: at, steps: plan.steps.map(() => null), live: roots, slots: 0 }
}

export function isOver(run: RunState): boolean {
  return run.status !== 'running' && run.status !== 'suspended'
}

/** What `_meta["vmcp/workflow"]` carries: the steps of the run itself, in the order of the definition. */
export function stepReports(plan: { readonly steps: readonly { readonly id: string }[] }, run: RunState): StepReport[] {
  return plan.steps.map(({ id }, place) => {
    const step = run.body.steps[place]
    if (!step) return { id, status: isOver(run) ? 'cancelled' : 'pending', ms: 0 }
    return { id, status: step.status, ms: step.ms ?? 0, ...(step.error !== undefined && { error: step.error }) }
  })
}
