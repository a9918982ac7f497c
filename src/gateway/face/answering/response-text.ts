import type { Context } from '../../../model/call.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { errorText, resultText } from '../../../protocol/jsonrpc.ts'
import type { Gateway } from '../../gateway.ts'
import type { LegacyClient } from '../legacy/legacy-client.ts'
import { answerRequest } from './requests.ts'
import { RunningCall } from '../legacy/running.ts'
import { renderError } from './wire-error.ts'

/** A JSON-RPC request; `id` is JSON text. */
export interface Request {
  id: string
  method: string
  params: JsonObject
}

/**
 * The whole JSON-RPC response to a request, for ways on which results do not stream (`context.streaming` is false).
 * `undefined`: it was cancelled and gets no answer (basic/utilities/cancellation). Never rejects.
 */
export async function responseText(
  gateway: Gateway,
  { id, method, params }: Request,
  context: Context,
  client: LegacyClient | undefined,
): Promise<string | undefined> {
  try {
    const answer = await answerRequest(gateway, method, params, context, client)
    if (answer.kind === 'text') return `{"jsonrpc":"2.0","id":${id},"result":${answer.text}}`
    throw new Error('a result streams on a way that carries none')
  } catch (failure) {
    return failure instanceof GatewayError && failure.code === 'CANCELLED'
      ? undefined
      : failureText(gateway, id, method, failure, context.era)
  }
}

/** The same for a request of a legacy client, which can cancel it meanwhile. */
export async function answerClient(
  gateway: Gateway,
  client: LegacyClient,
  request: Request,
  way: Pick<Context, 'emit' | 'flow' | 'ask'>,
): Promise<string | undefined> {
  const running = new RunningCall(request.id)
  client.running.add(running)
  try {
    return await responseText(gateway, request, client.context(running, { streaming: false, ...way }), client)
  } finally {
    client.running.remove(running)
  }
}

/** The JSON-RPC response that says what went wrong. */
export function failureText(
  gateway: Gateway,
  id: string,
  method: string,
  failure: unknown,
  era: Context['era'],
): string {
  const rendered = renderError(failure, method, era, gateway.telemetry)
  return rendered.kind === 'result' ? resultText(id, rendered.result) : errorText(id, rendered.error)
}
