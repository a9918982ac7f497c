import { Cancellation } from '../../../model/cancellation.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { Chain, Link } from '../../../model/chain.ts'

/** A request of a client that has not been answered yet. */
export class RunningCall implements Link {
  /** JSON text of the client's id. */
  readonly id: string
  readonly signal = new Cancellation()
  previous: Link | undefined = undefined
  next: Link | undefined = undefined

  constructor(id: string) {
    this.id = id
  }
}

/** `notifications/cancelled`. Ids `0` and `""` are real; what is not running any more is none of our business. */
export function cancelRunning(running: Chain<RunningCall>, params: JsonObject): void {
  const { requestId, reason } = params
  if (requestId === undefined) return
  const id = JSON.stringify(requestId)
  const why = typeof reason === 'string' ? reason.slice(0, 200) : 'cancelled by the client'
  for (const call of running) if (call.id === id) call.signal.cancel(new GatewayError('CANCELLED', why))
}
