import type { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'

/** `notifications/cancelled`. Ids `0` and `""` are real; what is not running any more is none of our business. */
export function cancelRunning(running: ReadonlyMap<string, Cancellation>, params: JsonObject): void {
  const { requestId, reason } = params
  if (requestId === undefined) return
  const why = typeof reason === 'string' ? reason.slice(0, 200) : 'cancelled by the client'
  running.get(JSON.stringify(requestId))?.cancel(new GatewayError('CANCELLED', why))
}
