import type { Context } from '../../model/call.ts'
import type { JsonObject } from '../../model/json.ts'
import { metaOf } from '../../protocol/envelope.ts'
import type { RunCaller } from '../../workflow/run/ports.ts'
import { askingOf } from './questions.ts'

/** Whoever makes the request with these params, as runs know it. `returns`: it has the run as a task. */
export function callerOf(params: JsonObject, context: Context, returns: boolean): RunCaller<Context> {
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
    returns,
  }
}
