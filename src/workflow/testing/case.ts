import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { StepStatus } from '../plan.ts'

/** One run of a workflow with invented tools and users, and what is to come of it. */
export interface WorkflowCase {
  readonly name?: string
  readonly workflow: string
  /** Defaults of the workflow are filled in. */
  readonly arguments: JsonObject
  /** When it takes place, milliseconds since the epoch. */
  readonly now?: number
  /** By step, or by tool. */
  readonly tools: ReadonlyMap<string, Canned>
  /** Steps and tools that are really called; `true`: all that have no canned answer. */
  readonly real: true | readonly string[]
  /** What the user answers, by step. */
  readonly answers: ReadonlyMap<string, UserAnswer>
  readonly expect: Expectation
}

/** One answer for every call, or a list with one for each. */
export type Canned = CannedAnswer | readonly CannedAnswer[]

/** What a tool answers: structured, in parts, or with an error. */
export interface CannedAnswer {
  readonly output?: JsonValue
  /** Parts as in a tool's result. */
  readonly content?: readonly JsonValue[]
  readonly error?: string
  /** How long the tool takes, milliseconds. No one waits for it. */
  readonly takesMs?: number
  /** Only for a call whose arguments have these members. */
  readonly when?: JsonObject
}

export interface UserAnswer {
  readonly action: 'accept' | 'decline' | 'cancel'
  readonly content?: JsonObject
}

export interface Expectation {
  readonly status: 'completed' | 'failed' | 'timed_out'
  /** Part of the message with which the run ends. */
  readonly error?: string
  /** The output has this in it. */
  readonly output?: JsonValue
  /** The output has nothing else in it. */
  readonly exactly: boolean
  /** By step; within a loop or a nested workflow `deploy[2].push`. */
  readonly steps: ReadonlyMap<string, StepExpectation>
  /** Steps or tools in the order in which they are called, each attempt; or how often each is called. */
  readonly calls?: readonly string[] | ReadonlyMap<string, number>
}

export interface StepExpectation {
  readonly status?: StepStatus
  /** It is called with these in its arguments. */
  readonly arguments?: JsonObject
  readonly output?: JsonValue
  /** Part of the message. */
  readonly error?: string
  /** Arguments and output have nothing else in them. */
  readonly exactly: boolean
}

/** Why a case has not passed. */
export interface Problem {
  /** From the case to what is wrong, or is to be written. */
  readonly path: readonly (string | number)[]
  readonly message: string
  /** What to write. */
  readonly hint?: string
}
