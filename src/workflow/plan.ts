import type { JsonObject, JsonValue } from '../model/json.ts'

/** What templates of one run see. Own members only are reached. */
export interface Scope {
  readonly params: JsonObject
  readonly steps: Readonly<Record<string, StepView>>
  readonly workflow: JsonObject
  /** Of the iteration that is meant: the item under its names, and `index`. */
  readonly forEach?: JsonObject
}

/** One step as templates see it. */
export interface StepView {
  readonly status: StepStatus
  readonly output?: JsonValue
  /** The parts of a tool result by name (`text`, `text_1`, ...). */
  readonly content?: JsonValue
  readonly error?: string
}

export type StepStatus =
  | 'pending'
  | 'running'
  | 'waiting'
  | 'completed'
  | 'failed'
  | 'skipped'
  | 'cancelled'
  | 'unknown'

/** Evaluated with the time of the event that it is evaluated for, milliseconds since the epoch. Throws `EvaluationError`. */
export type Evaluate<Value> = (scope: Scope, at: number) => Value

/** A template gave no value where one is needed, or one of a wrong type. `message` is for the author. */
export class EvaluationError extends Error {}

interface PlannedCommon {
  readonly id: string
  /** Places in `Plan.steps` of the steps that must have ended: named by `dependsOn`, or by a template. */
  readonly after: readonly number[]
  /** Absent: it always runs. */
  readonly condition?: Evaluate<boolean>
  /** Of one attempt. Waiting for a person does not count. */
  readonly timeoutMs: number
  readonly onError: OnError
  /** Its output when it is skipped, or has failed and the run goes on. */
  readonly defaults?: JsonValue
}

export interface OnError {
  readonly action: 'abort' | 'continue' | 'retry'
  /** Further attempts. */
  readonly retries: number
  /** Before the first of them; grows by half each time, 60 times at most. */
  readonly delayMs: number
}

export interface PlannedTool extends PlannedCommon {
  readonly kind: 'tool'
  /** Shown name, or that which it would have. */
  readonly tool: string
  readonly arguments: Evaluate<JsonObject>
  /** Running it once more does no harm: its author, or a trusted hint of the tool, says so. */
  readonly repeatable: boolean
  /** Its author says how long it may take. */
  readonly ownTimeout?: boolean
  /** Name of the workflow into which it is written. Absent: the outermost. */
  readonly workflow?: string
  /** It calls nothing, but asks whether its caller may run this workflow, of which it is the first step. */
  readonly enters?: string
}

/** What becomes of the run when the user does not answer. */
export type Unanswered = 'abort' | 'continue' | 'skip_remaining'

export interface PlannedQuestion extends PlannedCommon {
  readonly kind: 'question'
  readonly ask: Evaluate<
    { mode: 'form'; message: string; schema: JsonObject } | { mode: 'url'; message: string; url: string }
  >
  /** Also when the client cannot be asked. */
  readonly onDecline: Unanswered
  /** Also when nobody answers in time, or what is answered does not fit. */
  readonly onCancel: Unanswered
  /** Its author says how long the user may take: `timeoutMs`. */
  readonly ownTimeout?: boolean
}

export interface PlannedLoop extends PlannedCommon {
  readonly kind: 'forEach'
  readonly collection: Evaluate<readonly JsonValue[]>
  readonly itemVar: string
  readonly maxParallel: number
  readonly maxIterations: number
  /** Its `after` is empty, its condition is asked for each item. */
  readonly step: PlannedTool | PlannedNested
}

export interface PlannedNested extends PlannedCommon {
  readonly kind: 'workflow'
  readonly plan: Plan
  readonly arguments: Evaluate<JsonObject>
}

export type PlannedStep = PlannedTool | PlannedQuestion | PlannedLoop | PlannedNested

/** Whether nobody has written this step: it stands before the others of a workflow within a workflow. */
export const isEntrance = (step: PlannedStep | undefined): boolean => step?.kind === 'tool' && step.enters !== undefined

/** A composite tool, proven acyclic: each step comes behind those it depends on. */
export interface Plan {
  readonly name: string
  readonly steps: readonly PlannedStep[]
  /** Of active time: while it only waits for a person, no time runs. */
  readonly timeoutMs: number
  /** `continue`: a step that fails with `abort` ends nothing but what depends on it. */
  readonly failureMode: 'abort' | 'continue'
  readonly maxParallel: number
  /** Absent: the output of the last step that completed. Throws `EvaluationError`. */
  readonly output?: Evaluate<JsonObject>
}
