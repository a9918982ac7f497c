import type { StoredRun } from '../store/run-store.ts'

/**
 * Who goes on with a run. `performed`: a process does. `abandoned`: its process is gone. `waiting`: its user can.
 * `expired`: its user has not answered in time. `over`: nobody. Whoever resumes a run that is abandoned or expired makes it
 * go on.
 */
export type Standing = 'performed' | 'abandoned' | 'waiting' | 'expired' | 'over'

type Marks = Pick<StoredRun, 'endedAt' | 'lease' | 'openUntil'>

/** The one place that compares what the store says of a run with the time, in milliseconds since the epoch. */
export function standingOf(run: Marks, now: number): Standing {
  if (run.endedAt !== undefined) return 'over'
  if (run.lease) return run.lease.until >= now ? 'performed' : 'abandoned'
  return run.openUntil !== undefined && run.openUntil <= now ? 'expired' : 'waiting'
}

/** Nobody goes on with it, and somebody could. */
export const isDue = (standing: Standing): boolean => standing === 'abandoned' || standing === 'expired'
