import type { Failure, Outcome } from '../run-state.ts'
import type { ListedRun, RunBody, RunStore, StoredRun } from '../store/run-store.ts'
import { StoreError } from '../store/store-error.ts'
import type { Settings } from './settings.ts'

type End = (
  stored: StoredRun & { body: RunBody },
  outcome: Exclude<Outcome, { status: 'completed' }>,
) => Promise<boolean>

/** More are ended the next time. */
const AT_ONCE = 1_000

/** Ends the runs whose callers are gone, and erases what is old. Several processes may do so at once. */
export async function upkeep(store: RunStore, settings: Settings, now: number, end: End): Promise<void> {
  const { graceMs, questionMs, valuesMs, historyMs, historyRuns } = settings
  const isPatient = (run: ListedRun): boolean => run.returns && (run.lease?.until ?? 0) >= now - questionMs
  const dead = await store.list({ status: ['running', 'suspended'], leaseBefore: now - graceMs, limit: AT_ONCE })
  for (const run of dead) {
    if (!isPatient(run)) await interrupt(store, run, now, end, { message: 'Its caller is gone', kind: 'ended' })
  }
  // Who was to answer soon may still come for what came of it.
  const before = now - questionMs
  const open = await store.list({ status: ['suspended'], openBefore: now - graceMs, before, limit: AT_ONCE })
  for (const run of open) {
    if (run.lease) continue
    await interrupt(store, run, now, end, { message: 'Nobody answered in time', kind: 'unanswered' })
  }
  await store.erase({ valuesBefore: now - valuesMs, runsBefore: now - historyMs, keep: historyRuns })
}

async function interrupt(store: RunStore, listed: ListedRun, now: number, end: End, error: Failure): Promise<void> {
  try {
    const stored = await store.read(listed.id)
    // Somebody has come.
    if (!stored?.body || stored.revision !== listed.revision) return
    await end({ ...stored, body: stored.body }, { status: 'interrupted', error })
  } catch (problem) {
    // Whoever has written it goes on with it.
    if (problem instanceof StoreError && problem.kind === 'newer') return
    if (!(problem instanceof StoreError) || (problem.kind !== 'sealed' && problem.kind !== 'damaged')) throw problem
    // Nobody can ever read it again.
    const before = { ...listed, definition: { hash: '', value: null } }
    const { openUntil: _open, lease: _lease, ...rest } = before
    const ended = {
      status: 'interrupted',
      endedAt: now,
      updatedAt: now,
      steps: [],
      failure: { kind: error.kind },
    } as const
    await store.update(before, { ...rest, ...ended, revision: listed.revision + 1 })
  }
}
