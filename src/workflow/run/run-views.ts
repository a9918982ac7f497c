import { hasEnded } from '../advance/body.ts'
import type { Reply } from '../advance/event.ts'
import { type OpenQuestion, type RunState, type StepReport, stepReports } from '../run-state.ts'
import type { RunBody, StoredRun } from '../store/run-store.ts'
import type { AskedQuestion, RunView } from './ports.ts'
import { isDue, standingOf } from './standing.ts'

/** Those that its user has been asked. */
export function askedQuestions({ questions }: RunState): AskedQuestion[] {
  return questions.flatMap(({ id, step, question, askedAt, waitMs }) =>
    askedAt === undefined ? [] : [{ id, step, ...question, ...(waitMs !== undefined && { waitMs }) }],
  )
}

/** Until when the user may answer it, once asked. `patienceMs`: how long, when its author does not say so. */
export const closesAt = ({ askedAt = Infinity, waitMs }: OpenQuestion, patienceMs: number): number =>
  askedAt + (waitMs ?? patienceMs)

/** Replies to those that nobody has answered in time. */
export const expiredQuestions = ({ questions }: RunState, patienceMs: number, now: number): Reply[] =>
  questions.flatMap((question) =>
    closesAt(question, patienceMs) <= now ? [{ question: question.id, action: 'expired' }] : [],
  )

/** `ids`: of the steps, by place. */
export const reportsOf = (ids: readonly string[], run: RunState): StepReport[] =>
  stepReports({ steps: ids.map((id) => ({ id })) }, run)

export function endedSteps(ids: readonly string[], run: RunState): string[] {
  return ids.filter((_, place) => {
    const step = run.body.steps[place]
    return step && hasEnded(step)
  })
}

/** Those whose one call is under way. */
export function callingSteps(ids: readonly string[], run: RunState): string[] {
  return ids.filter((_, place) => {
    const step = run.body.steps[place]
    return step?.status === 'running' && !step.loop && !step.body
  })
}

/** `live`: of a run that goes on in this process, what its user can answer now. */
export function viewOf(
  stored: StoredRun & { readonly body: RunBody },
  live: readonly AskedQuestion[] | undefined,
  now: number,
  valuesMs: number,
): RunView {
  const { id: runId, workflow, createdAt, updatedAt, endedAt } = stored
  const { run, ids } = stored.body
  const asked = askedQuestions(run)
  const about = {
    runId,
    workflow,
    params: run.body.params,
    createdAt,
    updatedAt,
    ...(endedAt !== undefined && { erasedAt: endedAt + valuesMs }),
    isDue: live === undefined && isDue(standingOf(stored, now)),
  }
  const open = asked.map(({ id }) => id)
  if (run.outcome) return { ...about, kind: 'finished', outcome: run.outcome, reports: reportsOf(ids, run), open }
  if (run.status === 'running') return { ...about, kind: 'running', open }
  const questions = live ?? asked
  const ofBackends = questions.flatMap(({ id, mode }) => (mode === 'backend' ? [id] : []))
  return { ...about, kind: 'asking', revision: run.revision, questions, open: [...open, ...ofBackends] }
}
