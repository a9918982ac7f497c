import * as fc from 'fast-check'

import type { JsonObject, JsonValue } from '../../../src/model/json.ts'
import {
  EvaluationError,
  type OnError,
  type Plan,
  type PlannedNested,
  type PlannedStep,
  type PlannedTool,
  type Scope,
  type Unanswered,
} from '../../../src/workflow/plan.ts'

/** A plan as data, so that a counterexample can be read. */
export interface PlanSpec {
  failureMode: 'abort' | 'continue'
  maxParallel: number
  timeoutMs: number
  /** Whether its output is made by a template, and whether that can fail. */
  output: 'last' | 'made' | 'fragile'
  steps: StepSpec[]
}

interface StepSpec {
  kind: 'tool' | 'question' | 'forEach' | 'workflow'
  /** Counted back from its own place; those before the first step count for nothing. */
  back: number[]
  condition: 'none' | 'fair' | 'fragile' | 'broken'
  arguments: 'sound' | 'fragile' | 'broken'
  onError: OnError
  defaults?: JsonValue
  repeatable: boolean
  timeoutMs: number
  onDecline: Unanswered
  onCancel: Unanswered
  items: number
  maxParallel: number
  maxIterations: number
  inner: PlanSpec
}

/** How far the end depends on the order in which calls end: `same` not at all. */
export type Confluence = 'same' | 'any'

export function planSpecs(confluence: Confluence, depth = 2): fc.Arbitrary<PlanSpec> {
  const isSame = confluence === 'same'
  return fc.record({
    failureMode: isSame ? fc.constant('continue' as const) : fc.constantFrom('abort' as const, 'continue' as const),
    maxParallel: fc.integer({ min: 1, max: 4 }),
    timeoutMs: isSame ? fc.constant(1e12) : mostly(1e9, 40, 200),
    output: mostly<PlanSpec['output']>('last', 'made', 'made', 'fragile'),
    steps: fc.array(stepSpecs(confluence, depth), { minLength: 1, maxLength: depth === 2 ? 7 : 3 }),
  })
}

/** The first, four times out of five. */
function mostly<Value>(usual: Value, ...others: Value[]): fc.Arbitrary<Value> {
  return fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) })
}

const NO_PLAN: PlanSpec = { failureMode: 'abort', maxParallel: 1, timeoutMs: 1, output: 'last', steps: [] }

function stepSpecs(confluence: Confluence, depth: number): fc.Arbitrary<StepSpec> {
  const isSame = confluence === 'same'
  const unanswered: Unanswered[] = isSame ? ['abort', 'continue'] : ['abort', 'continue', 'skip_remaining']
  return fc.record(
    {
      kind:
        depth > 0
          ? fc.constantFrom<StepSpec['kind']>('tool', 'tool', 'tool', 'question', 'forEach', 'workflow')
          : fc.constantFrom<StepSpec['kind']>('tool', 'tool', 'question'),
      back: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
      condition: mostly<StepSpec['condition']>('none', 'fair', 'fair', 'fair', 'fragile', 'broken'),
      arguments: mostly<StepSpec['arguments']>('sound', 'fragile', 'broken'),
      onError: fc.record({
        action: fc.constantFrom<OnError['action']>('abort', 'continue', 'continue', 'retry', 'retry'),
        retries: fc.integer({ min: 0, max: 3 }),
        delayMs: fc.integer({ min: 0, max: 20 }),
      }),
      defaults: fc.constantFrom<JsonValue>('default', 7),
      repeatable: fc.boolean(),
      timeoutMs: isSame ? fc.constant(1e12) : mostly(1e9, 30, 100),
      onDecline: fc.constantFrom(...unanswered),
      onCancel: fc.constantFrom(...unanswered),
      items: fc.integer({ min: 0, max: 5 }),
      maxParallel: fc.integer({ min: 1, max: 3 }),
      maxIterations: fc.constantFrom(2, 5, 5, 5),
      inner: depth > 0 ? planSpecs(confluence, depth - 1) : fc.constant(NO_PLAN),
    },
    { requiredKeys: REQUIRED },
  ) as fc.Arbitrary<StepSpec>
}

const REQUIRED: (keyof StepSpec)[] = [
  'kind',
  'back',
  'condition',
  'arguments',
  'onError',
  'repeatable',
  'timeoutMs',
  'onDecline',
  'onCancel',
  'items',
  'maxParallel',
  'maxIterations',
  'inner',
]

/** `confluence` `same`: a loop goes on over each iteration that fails. */
export function planOf(spec: PlanSpec, confluence: Confluence, name = 'root'): Plan {
  const { failureMode, maxParallel, timeoutMs, output } = spec
  return {
    name,
    failureMode,
    maxParallel,
    timeoutMs,
    steps: spec.steps.map((step, place) => stepOf(step, place, confluence)),
    ...(output !== 'last' && { output: (scope: Scope) => read(scope, output === 'made' ? 'sound' : 'fragile') }),
  }
}

function stepOf(spec: StepSpec, place: number, confluence: Confluence): PlannedStep {
  const id = `s${place}`
  const { kind, timeoutMs, onError, condition, repeatable, onDecline, onCancel, maxParallel, maxIterations } = spec
  const after = spec.back.map((back) => place - back).filter((other) => other >= 0)
  const common = {
    id,
    after,
    timeoutMs,
    onError,
    ...(spec.defaults !== undefined && { defaults: spec.defaults }),
    ...(condition !== 'none' && {
      condition: (scope: Scope) => {
        const seen = read(scope, condition === 'fair' ? 'sound' : condition)
        return digest(JSON.stringify(seen)) % 3 !== 0
      },
    }),
  }
  const args = (scope: Scope) => read(scope, spec.arguments)
  const tool: PlannedTool = { ...common, kind: 'tool', tool: id, arguments: args, repeatable }
  const nested = (): PlannedNested => ({
    ...common,
    kind: 'workflow',
    plan: planOf(spec.inner, confluence, `${id}-plan`),
    arguments: args,
  })
  switch (kind) {
    case 'tool':
      return tool
    case 'workflow':
      return nested()
    case 'question':
      return {
        ...common,
        kind: 'question',
        onDecline,
        onCancel,
        ask: (scope) => ({ mode: 'form', message: JSON.stringify(args(scope)), schema: {} }),
      }
    case 'forEach': {
      const inner = spec.inner.steps.length > 1 ? nested() : tool
      const isTolerated = confluence === 'same' && onError.action !== 'continue'
      const { condition: _condition, ...outer } = common
      return {
        ...outer,
        kind: 'forEach',
        itemVar: 'it',
        maxParallel,
        maxIterations,
        collection: (scope) => {
          args(scope)
          return Array.from({ length: spec.items }, (_, index) => index * 10)
        },
        step: {
          ...inner,
          id: `${id}-each`,
          after: [],
          onError: isTolerated ? { ...onError, action: 'continue' } : onError,
        },
      }
    }
  }
}

/** All that is to be seen, but for times. `fragile`: fails where a step has no output. */
function read(scope: Scope, how: 'sound' | 'fragile' | 'broken'): JsonObject {
  if (how === 'broken') throw new EvaluationError('broken')
  const steps: JsonObject = {}
  for (const [id, step] of Object.entries(scope.steps)) {
    if (how === 'fragile' && step.output === undefined) throw new EvaluationError(`${id} has no output`)
    // Cut, or what is seen of what is seen would grow without end.
    steps[id] = `${step.status} ${digest(JSON.stringify([step.output, step.error, step.content]))}`
  }
  return { steps, params: digest(JSON.stringify(scope.params)), ...(scope.forEach && { item: scope.forEach['it'] }) }
}

export function digest(text: string): number {
  let bits = 7
  for (let index = 0; index < text.length; index++) bits = (Math.imul(bits, 31) + text.charCodeAt(index)) >>> 0
  return Math.imul(bits ^ (bits >>> 15), 0x2c1b3c6d) >>> 8
}
