import type { Ask, Call, Context, Core, Outcome } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { checkQuestion } from '../../protocol/capabilities.ts'
import { legacyQuestion } from '../../protocol/legacy-question.ts'

/** A server that asks again and again must not ask for ever. */
const MAX_ROUNDS = 10

/**
 * Goes on with a call for a caller that is asked with real requests: what the call needs from the user is asked on the
 * caller's stream, and the call repeated with the answers, 10 times at most. Throws `BACKEND_PROTOCOL` when it never ends.
 */
export async function askAndRepeat(
  core: Core,
  call: Call,
  context: Context,
  needed: Outcome & { kind: 'needs-input' },
): Promise<Exclude<Outcome, { kind: 'needs-input' }>> {
  let { value } = needed
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { inputRequests, requestState } = value
    const params: JsonObject = { ...call.params }
    if (inputRequests !== undefined) params['inputResponses'] = await answersTo(inputRequests, context)
    if (requestState !== undefined) params['requestState'] = requestState
    const outcome = await core.invoke({ ...call, params }, context)
    if (outcome.kind !== 'needs-input') return outcome
    value = outcome.value
  }
  throw new GatewayError('BACKEND_PROTOCOL', `the backend asked ${MAX_ROUNDS} times without an end`)
}

async function answersTo(inputRequests: unknown, context: Context): Promise<JsonObject> {
  const { ask } = context
  if (!ask)
    throw new GatewayError('BACKEND_PROTOCOL', 'the backend asks for input, which this client cannot be asked for')
  if (!isObject(inputRequests))
    throw new GatewayError('BACKEND_PROTOCOL', 'the backend asks for input in a broken form')
  const signal = new Cancellation()
  context.signal.onCancel((reason) => signal.cancel(reason))
  try {
    const answers = await Promise.all(
      Object.entries(inputRequests).map(async ([key, request]) => [key, await answerTo(request, context, ask, signal)]),
    )
    return Object.fromEntries(answers) as JsonObject
  } catch (error) {
    // The other questions are taken back.
    signal.cancel(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

async function answerTo(
  request: unknown,
  { profile, revision }: Context,
  ask: Ask,
  signal: Cancellation,
): Promise<JsonObject> {
  if (!isObject(request) || typeof request['method'] !== 'string') {
    throw new GatewayError('BACKEND_PROTOCOL', 'the backend asks for input in a broken form')
  }
  const { method } = request
  const params = isObject(request['params']) ? request['params'] : {}
  checkQuestion(profile, method, params)
  return ask(legacyQuestion({ method, params }, revision), signal)
}
