import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { Answer, CallFailure, Path } from '../run-state.ts'

/** What has happened, `at` milliseconds since the epoch. One that means nothing in the state of the run changes nothing. */
export type Event = { readonly at: number } & (
  | { readonly type: 'start' }
  | ({ readonly type: 'ended' } & Attempt & CallEnd)
  /** The call waits for the user to answer its backend; nothing else of it goes on. `resumed`: it goes on. */
  | ({ readonly type: 'parked' | 'resumed' } & Attempt)
  /** Those that came together: the first of a question counts. */
  | { readonly type: 'answered'; readonly answers: readonly Reply[] }
  /** The time of the last `wake` has come. */
  | { readonly type: 'woken' }
  /** Whoever performed the commands is no more, and what it had not confirmed is not known. */
  | { readonly type: 'restart' }
  /** `cancelled`: the caller wants it no more. `interrupted`: the caller is gone. `failed`: it cannot go on. */
  | { readonly type: 'stop'; readonly as: 'cancelled' | 'interrupted' | 'failed'; readonly message: string }
)

interface Attempt {
  readonly path: Path
  readonly attempt: number
}

type CallEnd =
  | { readonly result: { readonly output: JsonValue; readonly content?: JsonValue } }
  | { readonly failure: CallFailure }

export interface Reply {
  readonly question: string
  readonly action: Answer
  readonly content?: JsonObject
  /** Why it is none that accepts, in place of the usual words. */
  readonly reason?: string
}

/** What is to be done once the run is stored. Whom to ask, and what it has come to, the run itself says. */
export type Command =
  | CallCommand
  /** The call, or the question that the user sees, is of no use any more. */
  | ({ readonly type: 'cancel'; readonly question?: string } & Attempt)
  /** Takes the place of the last one. */
  | { readonly type: 'wake'; readonly at: number }

export interface CallCommand extends Attempt {
  readonly type: 'call'
  /** Its id in words, such as `deploy[2].push`. */
  readonly step: string
  readonly tool: string
  /** In which the step is written. */
  readonly workflow: string
  /** See `PlannedTool`. */
  readonly enters?: string
  readonly arguments: JsonObject
  /** The same for all attempts. */
  readonly idempotencyKey: string
  readonly timeoutMs: number
  /** Its author has said so. */
  readonly ownTimeout: boolean
}
