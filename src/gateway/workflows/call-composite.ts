import type { Call, Context, Outcome } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { metaOf } from '../../protocol/envelope.ts'
import type { Sealer } from '../../protocol/sealed.ts'
import type { Caller, Turn } from '../../workflow/run/ports.ts'
import { applyDefaults } from '../../workflow/schema/defaults.ts'
import { validateOutput } from '../../workflow/schema/validate.ts'
import { needsInput } from '../questions/needs-input.ts'
import { openState, sealState } from '../questions/request-state.ts'
import type { Composite } from './composites.ts'
import { argumentsResult, awayResult, resultOf } from './outcome.ts'
import { answersIn, askingOf, inputRequests } from './questions.ts'
import type { Runs } from './runs.ts'

export interface CompositeCallParts {
  runs: () => Runs
  sealer: () => Sealer
}

/**
 * Calls a composite tool: begins a run, or goes on with one that waits for the answers that the request brings. Throws
 * `PARAMS_INVALID` for answers that mean nothing, `BACKEND_BUSY` for too many runs, and `STORE_UNAVAILABLE`.
 */
export async function callComposite(
  composite: Composite,
  call: Call & { kind: 'tool' },
  context: Context,
  parts: CompositeCallParts,
): Promise<Outcome> {
  const { requestState, inputResponses } = call.params
  const isReturn = requestState !== undefined || inputResponses !== undefined
  return isReturn ? resume(composite, call, context, parts) : begin(composite, call, context, parts)
}

async function begin(
  { workflow, compiled, definition, away }: Composite,
  call: Call & { kind: 'tool' },
  context: Context,
  parts: CompositeCallParts,
): Promise<Outcome> {
  const { plan, inputSchema } = compiled
  if (away || !plan) return awayResult(workflow, away?.why ?? '', away?.waiting ?? false)
  const given = call.params['arguments']
  const params = applyDefaults(inputSchema, isObject(given) ? given : {})
  const problem = argumentProblem(inputSchema, params)
  if (problem !== undefined) return argumentsResult(workflow, problem)
  const turn = await parts.runs().begin({ plan, definition, params, caller: callerOf(call, context) })
  return outcomeOf(turn, workflow, call, context, parts)
}

async function resume(
  { workflow }: Composite,
  call: Call & { kind: 'tool' },
  context: Context,
  parts: CompositeCallParts,
): Promise<Outcome> {
  const { requestState, inputResponses } = call.params
  const state = openState(parts.sealer(), requestState, call, context)
  if (state?.kind !== 'run') throw unknownRun()
  const answers = answersIn(inputResponses, state.questions)
  const turn = await parts.runs().resume(state.id, answers, callerOf(call, context))
  return outcomeOf(turn, workflow, call, context, parts)
}

function outcomeOf(
  turn: Turn,
  workflow: string,
  call: Call & { kind: 'tool' },
  context: Context,
  { sealer }: CompositeCallParts,
): Outcome {
  switch (turn.kind) {
    case 'finished':
      return resultOf(turn, workflow)
    case 'asking': {
      const { runId: id, revision, questions } = turn
      const state = { kind: 'run', id, revision, questions: questions.map((question) => question.id) } as const
      return needsInput(inputRequests(questions), sealState(sealer(), state, call, context))
    }
    case 'unknown':
      throw unknownRun()
  }
}

function unknownRun(): GatewayError {
  return new GatewayError(
    'PARAMS_INVALID',
    'Invalid params: no run waits for these answers: make the call without them',
  )
}

function callerOf({ params }: Call, context: Context): Caller<Context> {
  const { emit, signal } = context
  const progressToken = metaOf(params)?.['progressToken']
  return {
    context,
    signal,
    ...askingOf(context),
    ...(emit &&
      progressToken !== undefined && {
        progress: (progress, total, message) => {
          const said = { progressToken, progress, total, ...(message !== '' && { message }) }
          emit({ method: 'notifications/progress', params: said })
        },
      }),
    returns: false,
    depth: 0,
  }
}

const validators = new WeakMap<JsonObject, ReturnType<typeof validateOutput>>()

function argumentProblem(schema: JsonObject, params: JsonObject): string | undefined {
  let validate = validators.get(schema)
  if (!validate) validators.set(schema, (validate = validateOutput(schema)))
  return validate(params)
}
