import type { JsonObject } from '../../model/json.ts'
import { type Evaluate, EvaluationError, type Plan, type Scope, type StepView } from '../plan.ts'
import type { Body, RunState, StepState } from '../run-state.ts'
import type { Site, Transition } from './transition.ts'

export type Evaluated<Value> = { readonly value: Value } | { readonly fault: string }

/** `at`: of the first attempt of the step, so that each further one gets the same. */
export function evaluate<Value>(
  transition: Transition,
  site: Site,
  evaluator: Evaluate<Value>,
  at: number,
): Evaluated<Value> {
  return guarded(() => evaluator(scopeOf(transition, site, at), at))
}

/** Sees all steps. */
export function evaluateOutput(
  transition: Transition,
  plan: Plan,
  body: Body,
  output: Evaluate<JsonObject>,
): Evaluated<JsonObject> {
  return guarded(() =>
    output(scopeAfter(transition.run, plan, body, [...plan.steps.keys()], transition.at), transition.at),
  )
}

function guarded<Value>(evaluator: () => Value): Evaluated<Value> {
  try {
    return { value: evaluator() }
  } catch (error) {
    if (error instanceof EvaluationError) return { fault: error.message }
    return { fault: `Cannot be evaluated: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** The steps that it comes after, and no others: its templates mention no others. */
function scopeOf(transition: Transition, site: Site, at: number): Scope {
  const scope = scopeAfter(transition.run, site.plan, site.body, afterOf(site), at)
  const { item } = site
  if (!item) return scope
  return { ...scope, forEach: { [item.name]: item.value, item: item.value, index: item.index } }
}

/** Places of the steps that it comes after; an iteration comes after what its loop comes after. */
export function afterOf({ plan, path, item }: Site): readonly number[] {
  return plan.steps[path[path.length - (item ? 2 : 1)] ?? -1]?.after ?? []
}

function scopeAfter(run: RunState, plan: Plan, body: Body, after: readonly number[], at: number): Scope {
  const steps: Record<string, StepView> = Object.create(null) as Record<string, StepView>
  for (const place of after) {
    const planned = plan.steps[place]
    if (planned) steps[planned.id] = viewOf(body.steps[place])
  }
  return { params: body.params, steps, workflow: workflowOf(run, plan, body, at) }
}

function viewOf(step: StepState | null | undefined): StepView {
  if (!step) return { status: 'pending' }
  const { status, output, content, error } = step
  return {
    status,
    ...(output !== undefined && { output }),
    ...(content !== undefined && { content }),
    ...(error !== undefined && { error }),
  }
}

function workflowOf(run: RunState, plan: Plan, body: Body, at: number): JsonObject {
  return {
    id: run.id,
    name: plan.name,
    duration_ms: Math.max(0, at - body.startedAt),
    step_count: plan.steps.length,
    status: 'running',
    start_time: new Date(body.startedAt).toISOString(),
  }
}
