import { isOver, type RunState, stepReports } from '../run-state.ts'
import type { Lease, RunBody, StoredRun } from '../store/run-store.ts'

export interface Waiting {
  /** It does not lie in the store yet. */
  readonly isNew: boolean
  readonly openUntil?: number
  readonly lease?: Lease
}

/** What a store is to hold of a run from now on. */
export function storable(
  before: StoredRun & { readonly body: RunBody },
  run: RunState,
  answered: RunBody['answered'],
  now: number,
  { isNew, openUntil, lease }: Waiting,
): StoredRun & { readonly body: RunBody } {
  const { ids } = before.body
  return {
    id: before.id,
    owner: before.owner,
    workflow: before.workflow,
    definition: before.definition,
    revision: isNew ? before.revision : before.revision + 1,
    status: run.status,
    createdAt: before.createdAt,
    updatedAt: now,
    returns: before.returns,
    ...(isOver(run)
      ? historyOf(ids, run, now)
      : { ...(openUntil !== undefined && { openUntil }), ...(lease && { lease }) }),
    body: run === before.body.run && answered === before.body.answered ? before.body : { run, ids, answered },
  }
}

/** What is known of a run when its values are not. */
function historyOf(ids: readonly string[], run: RunState, now: number): Partial<StoredRun> {
  const { outcome, endedAt = now } = run
  const steps = stepReports({ steps: ids.map((id) => ({ id })) }, run).map(({ id, status, ms }) => ({ id, status, ms }))
  if (!outcome || outcome.status === 'completed') return { endedAt, steps }
  const { kind, step } = outcome.error
  return { endedAt, steps, failure: { kind, ...(step !== undefined && { step }) } }
}
