import type { Cancellation } from '../../model/cancellation.ts'
import { passes } from '../../protocol/log-level.ts'
import type { Leg, UpstreamRequest } from '../leg.ts'
import { ownRequest } from '../leg.ts'

/**
 * The log level of one legacy session upstream. Its server knows one level for all that it does; callers each have their
 * own. The most verbose that anybody has asked for counts, and each caller's lines are filtered on the way back.
 */
export class UpstreamLogLevel {
  #told: string | undefined

  /** Before a request whose caller wants more than the server has been told to write. `undefined`: this one does not. */
  raise({ caller: { logLevel }, signal }: UpstreamRequest, leg: Leg): Promise<void> | undefined {
    if (logLevel === undefined || logLevel === this.#told) return undefined
    if (this.#told !== undefined && passes(logLevel, this.#told)) return undefined
    return this.tell(logLevel, leg, signal)
  }

  async tell(level: string, leg: Leg, signal: Cancellation): Promise<void> {
    this.#told = level
    if (leg.capabilities['logging'] === undefined) return
    // A server that refuses the level still answers the call.
    await leg.request(ownRequest('logging/setLevel', { level }, signal)).catch(() => {})
  }
}
