import type { JsonValue } from '../../model/json.ts'
import type { FailureKind, RunState, RunStatus, StepReport } from '../run-state.ts'

/** A run as it lies in a store. Plain JSON, never changed. Times are milliseconds since the epoch. */
export interface StoredRun {
  readonly id: string
  /** Key of the principal that it belongs to. */
  readonly owner: string
  readonly workflow: string
  /** The one that it began with, whatever has become of it since. Never changes, and is shared by many runs. */
  readonly definition: Definition
  /** Grows by one with each write. */
  readonly revision: number
  readonly status: RunStatus
  readonly createdAt: number
  readonly updatedAt: number
  readonly endedAt?: number
  /** Only while it waits for its user: when nobody waits any longer. */
  readonly openUntil?: number
  /** Absent: nobody performs it. */
  readonly lease?: Lease
  /** Its owner can come back to it whenever they like: it is a task. */
  readonly returns: boolean
  /** Of a run that has ended: its steps without their values. */
  readonly steps?: readonly Omit<StepReport, 'error'>[]
  readonly failure?: { readonly kind: FailureKind; readonly step?: string }
  /** Absent: erased. */
  readonly body?: RunBody
}

export interface Definition {
  /** Equal for equal values. */
  readonly hash: string
  readonly value: JsonValue
}

/** Who performs a run. */
export interface Lease {
  readonly holder: string
  /** Past this, the holder is no more. */
  readonly until: number
}

/** Of `RunBody`. Another one as soon as what lies in stores means something else. */
export const BODY_FORMAT = 1

/** What is secret of it. */
export interface RunBody {
  readonly run: RunState
  /** Of its steps, by their place in the plan. */
  readonly ids: readonly string[]
  /** Digests of the answers that counted, by question. */
  readonly answered: Readonly<Record<string, string>>
}

/** A run in a list. */
export type ListedRun = Omit<StoredRun, 'definition' | 'body'>

/** What is not said is not asked. */
export interface RunFilter {
  readonly owner?: string
  readonly workflow?: string
  readonly status?: readonly RunStatus[]
  /** Created before, or at or after, this time. */
  readonly before?: number
  readonly after?: number
  /** Performed by somebody whose lease ended before this time. */
  readonly leaseBefore?: number
  /** Waits for its user, and did so only until before this time. */
  readonly openBefore?: number
  /** Of those that remain, the newest. Default: 100. */
  readonly limit?: number
}

export const DEFAULT_LIST = 100

/** How many runs may be open at once. */
export interface Room {
  readonly all: number
  readonly perOwner: number
}

export type Created = 'created' | 'exists' | 'full' | 'full for owner'

export interface Erasure {
  /** Values of runs that ended before are erased, the run stays. */
  readonly valuesBefore: number
  /** Runs that ended before are forgotten. */
  readonly runsBefore: number
  /** Of ended runs as many are kept, the newest. */
  readonly keep: number
}

/**
 * Where runs lie. Everything that is promised is kept when its promise resolves, also if the process ends right then.
 * All reject with `StoreError` when the store cannot be used. An id of a wrong form is that of no run.
 */
export interface RunStore {
  create(run: StoredRun, room: Room): Promise<Created>
  read(id: string): Promise<StoredRun | undefined>
  /**
   * Puts `after` in the place of `before`, if that is what lies there; `after` has the next revision. Whether it is, its
   * revision says: in all else `before` has to be as it was read or written, for only what differs is written.
   * False: it does not, and nothing has changed. Owner, workflow, definition and time of creation never change.
   */
  update(before: StoredRun, after: StoredRun): Promise<boolean>
  /** Newest first. */
  list(filter: RunFilter): Promise<ListedRun[]>
  /** All leases of this holder end at `until`. Resolves with the ids of their runs: those that it still holds. */
  renew(holder: string, until: number): Promise<readonly string[]>
  erase(erasure: Erasure): Promise<void>
  /** Writes what has been promised. Nothing may be asked afterwards. */
  close(): Promise<void>
}

const ID = /^[\w.:-]{1,128}$/

export const isRunId = (id: string): boolean => ID.test(id)

export function isOpen({ endedAt }: { readonly endedAt?: number }): boolean {
  return endedAt === undefined
}
