import type { Context } from '../../../model/call.ts'
import { errorText, resultText } from '../../../protocol/jsonrpc.ts'
import type { Gateway } from '../../gateway.ts'
import type { LegacyClient } from '../legacy/legacy-client.ts'
import { answerRequest } from '../answering/requests.ts'
import type { Request } from '../answering/response-text.ts'
import { renderError } from '../answering/wire-error.ts'
import type { Responder } from './responder.ts'

/** Runs one request and writes whatever comes of it; `ended` is called when all of it has been written. Never rejects. */
export async function deliver(
  gateway: Gateway,
  responder: Responder,
  { id, method, params }: Request,
  context: Context,
  client: LegacyClient | undefined,
  ended: () => void,
): Promise<void> {
  try {
    const answer = await answerRequest(gateway, method, params, context, client)
    if (answer.kind === 'stream') {
      // It can still be cancelled.
      answer.stream.onFinish(ended)
      responder.stream(answer.stream, id)
      return
    }
    responder.finish(200, `{"jsonrpc":"2.0","id":${id},"result":${answer.text}}`, id)
  } catch (failure) {
    const rendered = renderError(failure, method, context.era, gateway.telemetry)
    if (rendered.kind === 'result') responder.finish(200, resultText(id, rendered.result), id)
    else responder.finish(rendered.http, errorText(id, rendered.error), id)
  }
  ended()
}
