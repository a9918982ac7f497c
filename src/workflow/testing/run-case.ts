import { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import type { AskedQuestion } from '../run/ports.ts'
import { DEFAULT_SETTINGS, type Settings } from '../run/settings.ts'
import { createEngine } from '../run/engine.ts'
import { applyDefaults } from '../schema/defaults.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { callTools, type RealCalls } from './call-tools.ts'
import type { Problem, WorkflowCase } from './case.ts'
import { checkCase } from './check-case.ts'
import { judge, type Seen } from './judge.ts'
import { stepOutcomes } from './step-outcomes.ts'
import type { Subject } from './subject.ts'
import { answerOf } from './user.ts'
import { virtualClock } from './virtual-clock.ts'
import { watched } from './watched-store.ts'

/** What came of a case. */
export interface CaseOutcome {
  readonly passed: boolean
  /** Why not. */
  readonly problems: readonly Problem[]
  /** Absent: it did not come to a run. Of one that could not go on, what there is of it. */
  readonly seen?: Seen
}

/** Of cases that do not say when they take place, and call nothing real. */
const START = Date.UTC(2026, 0, 1)
/** Nothing is waited for, and nobody else looks at the store. */
const SETTINGS: Settings = {
  ...DEFAULT_SETTINGS,
  questionMs: Infinity,
  askMs: Infinity,
  leaseMs: Infinity,
  graceMs: Infinity,
  upkeepMs: Infinity,
}

/**
 * Runs a case, which takes no time but that of real calls. When its run needs an answer that the case does not have, the
 * case has not passed, whatever the workflow makes of that.
 */
export async function runCase<Context>(
  one: WorkflowCase,
  subject: Subject,
  real?: RealCalls<Context>,
): Promise<CaseOutcome> {
  const wrong = checkCase(one, subject, real !== undefined)
  if (wrong.length > 0) return outcomeOf(wrong)
  const { plan, names, keyOf } = subject
  const isReal = one.real === true || one.real.length > 0
  const clock = virtualClock(one.now ?? (isReal ? Date.now() : START))
  const signal = new Cancellation()
  const problems: Problem[] = []
  const giveUp = (problem: Problem): Promise<never> => {
    if (!problems.some((other) => isAlike(other, problem))) problems.push(problem)
    // What begins at the same time may have problems of its own.
    queueMicrotask(() => signal.cancel(new Error('The case cannot go on')))
    return new Promise(() => {})
  }
  const tools = callTools({ one, subject, real, clock, giveUp })
  const ask = async (question: AskedQuestion): Promise<JsonObject> => {
    const answered = answerOf(question, one, subject)
    return 'answer' in answered ? answered.answer : giveUp(answered.why)
  }
  const { store, last } = watched(createMemoryStore(JSON.parse))
  const ports = { ...clock, store, call: tools.call, plan: () => ({ plan }), check: () => undefined }
  const engine = createEngine<undefined>(ports, SETTINGS)
  const turn = await clock.until(
    engine.begin({
      plan,
      definition: { name: plan.name },
      params: applyDefaults(subject.inputSchema, one.arguments),
      owner: 'case',
      caller: { context: undefined, signal, takes: () => true, ask, returns: false },
      // Of it come the delays before retries, so they are always the same; and the keys by which backends know what they
      // have done already, so what is real is never the same.
      ...(!isReal && { id: 'case' }),
    }),
  )
  await engine.close()
  const run = last()
  if (turn.kind !== 'finished' || !run) throw new Error('The run has not come to an end')
  const seen: Seen = { outcome: turn.outcome, steps: stepOutcomes(plan, run), calls: tools.made }
  if (problems.length > 0) return outcomeOf(problems, seen)
  const isMeant = ({ step, tool }: Seen['calls'][number], name: string): boolean =>
    [...names.namesOf(step), tool].includes(keyOf(name))
  return outcomeOf(judge(one.expect, seen, isMeant), seen)
}

/** To be mended by the same words: calls of many iterations want one answer. */
const isAlike = (one: Problem, other: Problem): boolean =>
  one.hint === other.hint && one.path.join('\0') === other.path.join('\0')

const MOST_PROBLEMS = 20

function outcomeOf(problems: readonly Problem[], seen?: Seen): CaseOutcome {
  const told = problems.slice(0, MOST_PROBLEMS)
  const more = problems.length - told.length
  if (more > 0) told.push({ path: [], message: `there are ${more} more problems` })
  return { passed: problems.length === 0, problems: told, ...(seen && { seen }) }
}
