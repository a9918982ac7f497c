import type { RunStatus } from '../../run-state.ts'
import type { Created, Erasure, ListedRun, Room, RunFilter, StoredRun } from '../run-store.ts'

/** A run as a row of the file. */
export interface Row {
  readonly id: string
  readonly owner: string
  readonly workflow: string
  /** Hash of its definition. */
  readonly definition: string
  readonly revision: number
  readonly status: string
  readonly created_at: number
  readonly updated_at: number
  readonly ended_at: number | null
  readonly open_until: number | null
  readonly holder: string | null
  readonly lease_until: number | null
  readonly returns: number
  readonly steps: string | null
  readonly failure: string | null
}

export interface SealedRun {
  readonly row: Row
  readonly definition: Uint8Array
  /** In the order in which they were written. */
  readonly entries: readonly { readonly revision: number; readonly sealed: Uint8Array }[]
}

/** Columns that change, the revision among them. Each that is named costs, and those of an index cost more. */
export type Change = Partial<Pick<Row, Changing>> & Pick<Row, 'revision'>

/** What the file is asked. `definition`: absent when it was written before. */
export type Request =
  | { readonly do: 'create'; row: Row; sealed: Uint8Array; definition: Uint8Array | undefined; room: Room }
  | { readonly do: 'update'; id: string; expected: number; change: Change; sealed: Uint8Array | undefined }
  | { readonly do: 'read'; id: string }
  | { readonly do: 'list'; filter: RunFilter }
  | { readonly do: 'renew'; holder: string; until: number }
  | { readonly do: 'erase'; erasure: Erasure }

/** `unknown definition`: it was left out, and is not there. */
export interface Answers {
  create: Created | 'unknown definition'
  update: boolean
  read: SealedRun | undefined
  list: Row[]
  renew: readonly string[]
  erase: undefined
}

type Changing = Exclude<keyof Row, 'id' | 'owner' | 'workflow' | 'definition' | 'created_at' | 'returns'>

/** What a run has in the columns that change. */
const CHANGING: { readonly [Name in Changing]: (run: StoredRun) => Row[Name] } = {
  revision: (run) => run.revision,
  status: (run) => run.status,
  updated_at: (run) => run.updatedAt,
  ended_at: (run) => run.endedAt ?? null,
  open_until: (run) => run.openUntil ?? null,
  holder: (run) => run.lease?.holder ?? null,
  lease_until: (run) => run.lease?.until ?? null,
  steps: (run) => (run.steps ? JSON.stringify(run.steps) : null),
  failure: (run) => (run.failure ? JSON.stringify(run.failure) : null),
}

export const CHANGING_COLUMNS = Object.keys(CHANGING) as readonly Changing[]

export function rowOf(run: StoredRun): Row {
  const changing = Object.fromEntries(CHANGING_COLUMNS.map((name) => [name, CHANGING[name](run)]))
  return {
    id: run.id,
    owner: run.owner,
    workflow: run.workflow,
    definition: run.definition.hash,
    created_at: run.createdAt,
    returns: run.returns ? 1 : 0,
    ...(changing as Pick<Row, Changing>),
  }
}

export function changeOf(before: StoredRun, after: StoredRun): Change {
  const change: Record<string, Row[Changing]> = { revision: after.revision }
  for (const name of CHANGING_COLUMNS) {
    const value = CHANGING[name](after)
    if (value !== CHANGING[name](before)) change[name] = value
  }
  return change as Change
}

export function runOf(row: Row): ListedRun {
  return {
    id: row.id,
    owner: row.owner,
    workflow: row.workflow,
    revision: row.revision,
    status: row.status as RunStatus,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    returns: row.returns === 1,
    ...(row.ended_at !== null && { endedAt: row.ended_at }),
    ...(row.open_until !== null && { openUntil: row.open_until }),
    ...(row.holder !== null && { lease: { holder: row.holder, until: row.lease_until ?? 0 } }),
    ...(row.steps !== null && { steps: JSON.parse(row.steps) as NonNullable<StoredRun['steps']> }),
    ...(row.failure !== null && { failure: JSON.parse(row.failure) as NonNullable<StoredRun['failure']> }),
  }
}
