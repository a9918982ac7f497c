import { randomUUID } from 'node:crypto'
import type { Call, Context, Outcome } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import { isObject } from '../../model/json.ts'
import type { Sealer } from '../../protocol/sealed.ts'
import type { RunCaller, Turn } from '../../workflow/run/ports.ts'
import { applyDefaults } from '../../workflow/schema/defaults.ts'
import { validatorFor } from '../../workflow/schema/validate.ts'
import { needsInput } from '../questions/needs-input.ts'
import { openState, sealState } from '../questions/request-state.ts'
import { knowsTasks } from '../tasks/extension.ts'
import { asksForTask, notAsTask } from '../tasks/tool-call.ts'
import { callerOf } from './caller.ts'
import type { Composite } from './compiled-composites.ts'
import { argumentsResult, notReadyResult, resultOf } from './outcome.ts'
import { answersIn, inputRequests } from './questions.ts'
import type { Runs } from './runs.ts'

export interface CompositeCallParts {
  runs: Runs
  tasks: TurnOrHandle
  sealer: () => Sealer
}

interface TurnOrHandle {
  /** What a call comes to that makes this run go on: its turn, when that is soon, or the handle of a task. */
  turnOrHandle: (
    run: string,
    context: Context,
    start: (context: Context) => Promise<Turn>,
  ) => Promise<Turn | (Outcome & { kind: 'result' })>
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
  { workflow, compiled, definition, status }: Composite,
  call: Call & { kind: 'tool' },
  context: Context,
  parts: CompositeCallParts,
): Promise<Outcome> {
  if (status.kind !== 'ready') return notReadyResult(workflow, status)
  const { plan } = status
  const { inputSchema } = compiled
  const given = call.params['arguments']
  const params = applyDefaults(inputSchema, isObject(given) ? given : {})
  const problem = validatorFor(inputSchema)(params)
  if (problem !== undefined) return argumentsResult(workflow, problem)
  const id = randomUUID()
  return perform({ id, workflow, isTask: knowsTasks(context) }, call, context, parts, (caller) =>
    parts.runs.begin({ id, plan, definition, params, caller }),
  )
}

async function resume(
  { workflow }: Composite,
  call: Call & { kind: 'tool' },
  context: Context,
  parts: CompositeCallParts,
): Promise<Outcome> {
  const state = openState(parts.sealer(), call, context)
  if (state?.kind !== 'run') throw unknownRun()
  const answers = answersIn(call.params['inputResponses'], state.questions)
  const { id, isTask } = state
  return perform({ id, workflow, isTask }, call, context, parts, (caller) => parts.runs.resume(id, answers, caller))
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
  start: (caller: RunCaller<Context>) => Promise<Turn>,
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
