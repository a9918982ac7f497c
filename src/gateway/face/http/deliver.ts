import type { Context } from '../../../model/call.ts'
import { errorText, resultText } from '../../../protocol/jsonrpc.ts'
import type { Telemetry } from '../../../telemetry/events.ts'
import type { Answer } from '../requests.ts'
import { renderError } from '../wire-error.ts'
import type { Responder } from './responder.ts'

/** Runs one request and writes whatever comes of it. Never throws. */
export async function deliver(
  responder: Responder,
  id: string,
  method: string,
  context: Context,
  telemetry: Telemetry,
  run: () => Promise<Answer>,
): Promise<void> {
  try {
    const answer = await run()
    if (answer.kind === 'stream') responder.stream(answer.stream, id)
    else responder.finish(200, `{"jsonrpc":"2.0","id":${id},"result":${answer.text}}`)
  } catch (failure) {
    const rendered = renderError(failure, method, context.era, telemetry)
    if (rendered.kind === 'result') responder.finish(200, resultText(id, rendered.result))
    else responder.finish(rendered.http, errorText(id, rendered.error))
  }
}
