import { randomUUID } from 'node:crypto'
import type { Call, Context, Outcome } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { Sealer } from '../../protocol/sealed.ts'
import type { Caller, Turn } from '../../workflow/run/ports.ts'
import { applyDefaults } from '../../workflow/schema/defaults.ts'
import { validateOutput } from '../../workflow/schema/validate.ts'
import { needsInput } from '../questions/needs-input.ts'
import { openState, sealState } from '../questions/request-state.ts'
import { knowsTasks } from '../tasks/extension.ts'
import { asksForTask, notAsTask } from '../tasks/tool-call.ts'
import { callerOf } from './caller.ts'
import type { Composite } from './composites.ts'
import { argumentsResult, awayResult, resultOf } from './outcome.ts'
import { answersIn, inputRequests } from './questions.ts'
import type { RunTasks } from './run-tasks.ts'
import type { Runs } from './runs.ts'

export interface CompositeCallParts {
  runs: () => Runs
  tasks: RunTasks
  sealer: () => Sealer
}

/**
 * Calls a composite tool: begins a run, or goes on with one that waits for the answers that the request brings. Throws
 * `PARAMS_INVALID` for answers that mean nothing, `BACKEND_BUSY` for too many runs, `STORE_UNAVAILABLE`, and `METHOD_UNKNOWN`
 * for a legacy client that wants a task.
 */
export async function callComposite(
  composite: Composite,
  call: Call & { kind: 'tool' },
  context: Context,
  parts: CompositeCallParts,
): Promise<Outcome> {
  const { requestState, inputResponses } = call.params
  if (asksForTask(call.params, context)) throw notAsTask()
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
  const id = randomUUID()
  return perform({ id, workflow, isTask: knowsTasks(context) }, call, context, parts, (caller) =>
    parts.runs().begin({ id, plan, definition, params, caller }),
  )
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
  const { id, isTask } = state
  return perform({ id, workflow, isTask }, call, context, parts, (caller) => parts.runs().resume(id, answers, caller))
}

/** A run that this request makes go on. */
interface Run {
  id: string
  workflow: string
  /** It began as one. */
  isTask: boolean
}

/** Whoever knows tasks now and did so at the beginning need not wait for the end. */
async function perform(
  run: Run,
  call: Call & { kind: 'tool' },
  context: Context,
  parts: CompositeCallParts,
  start: (caller: Caller<Context>) => Promise<Turn>,
): Promise<Outcome> {
  const goOn = (own: Context, returns: boolean): Promise<Turn> => start(callerOf(call.params, own, returns))
  if (!run.isTask || !knowsTasks(context)) return outcomeOf(await goOn(context, false), run, call, context, parts)
  const turn = await parts.tasks.turnOrHandle(run.id, context, (lasting) => goOn(lasting, true))
  return turn.kind === 'result' ? turn : outcomeOf(turn, run, call, context, parts)
}

function outcomeOf(
  turn: Turn,
  { workflow, isTask }: Run,
  call: Call & { kind: 'tool' },
  context: Context,
  { sealer }: CompositeCallParts,
): Outcome {
  switch (turn.kind) {
    case 'finished':
      return resultOf(turn, workflow)
    case 'asking': {
      const { runId: id, revision, questions } = turn
      const state = { kind: 'run', id, revision, questions: questions.map((question) => question.id), isTask } as const
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

const validators = new WeakMap<JsonObject, ReturnType<typeof validateOutput>>()

function argumentProblem(schema: JsonObject, params: JsonObject): string | undefined {
  let validate = validators.get(schema)
  if (!validate) validators.set(schema, (validate = validateOutput(schema)))
  return validate(params)
}
