import type { JsonValue } from '../../model/json.ts'
import { EvaluationError, type Evaluate } from '../plan.ts'
import type { AuthoredStep, Gap } from './draft.ts'
import { readDuration } from './durations.ts'
import { readOnError } from './failing.ts'
import type { Path } from './faults.ts'
import type { Pen } from './reading.ts'
import { conditionOf, isConstant, isLiteral, readText } from './texts.ts'

/** What all kinds of step have. */
export function readCommon(step: AuthoredStep, path: Path, pen: Pen) {
  const { ledger, world } = pen.reading
  const condition =
    step.condition === undefined ? undefined : readCondition(step.condition, [...path, 'condition'], pen)
  const timeoutMs = readDuration(step.timeout, [...path, 'timeout'], world.limits.stepMs, ledger)
  const onError = readOnError(step, path, ledger)
  const defaults = step.defaultResults as JsonValue | undefined
  const gaps: Gap[] = []
  if (condition) gaps.push({ why: 'may be skipped' })
  if (onError.action === 'continue') gaps.push({ why: 'may fail while the run goes on' })
  const planned = {
    id: step.id,
    ...(condition ? { condition: condition.evaluate } : {}),
    timeoutMs,
    onError,
    ...(defaults === undefined ? {} : { defaults }),
  }
  return { planned, never: condition?.never === true, gaps, defaults }
}

function readCondition(
  source: string,
  path: Path,
  pen: Pen,
): { evaluate: Evaluate<boolean>; never: boolean } | undefined {
  const text = readText(source, path, 'condition', pen)
  if (!text) return undefined
  const evaluate = conditionOf(text, pen)
  if (!isConstant(text)) return { evaluate, never: false }
  const { error } = pen.reading.ledger
  let always: boolean
  try {
    always = evaluate({ params: {}, steps: {}, workflow: {} }, 0)
  } catch (problem) {
    if (!(problem instanceof EvaluationError)) throw problem
    const hint = isLiteral(text) ? 'write a template, such as {{ params.wanted }}' : undefined
    error({ path }, `the condition is neither true nor false: ${problem.message}`, hint)
    return undefined
  }
  if (always) error({ path }, 'the condition is always true', 'leave it out')
  else error({ path }, 'the condition is always false, so the step never runs', 'leave the step out')
  return { evaluate, never: !always }
}
