import type { Transport } from '../model/backend.ts'
import { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import { GATEWAY_OWNER } from '../model/ids.ts'
import type { FailureSettings } from '../model/settings.ts'
import type { Leg } from './leg.ts'
import { SessionLost, ownRequest } from './leg.ts'
import type { LegPool, Slot } from './connections/pool.ts'
import type { Supervisor } from './supervisor.ts'

/**
 * Asks whether anybody is there. An HTTP server is asked over the gateway's own connection. Processes hang one by one:
 * each is asked, unless a call runs in it, which its own deadline judges.
 */
export class HealthChecks {
  readonly #pool: LegPool
  readonly #supervisor: Supervisor
  readonly #transport: Transport
  readonly #settings: FailureSettings
  #timer: NodeJS.Timeout | undefined

  constructor(pool: LegPool, supervisor: Supervisor, transport: Transport, settings: FailureSettings) {
    this.#pool = pool
    this.#supervisor = supervisor
    this.#transport = transport
    this.#settings = settings
  }

  start(): void {
    this.#timer = setInterval(() => this.#round(), this.#settings.healthCheckIntervalMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #round(): void {
    this.#pool.sweep()
    if (this.#supervisor.state.kind !== 'ready' || this.#supervisor.attempting) return
    for (const slot of this.#pool.live()) {
      if (this.#transport === 'http' ? slot.owner === GATEWAY_OWNER : slot.inflight === 0) {
        this.#check(slot, slot.leg).catch(() => {})
      }
    }
  }

  async #check(slot: Slot, leg: Leg): Promise<void> {
    const { healthCheckTimeoutMs, unhealthyThreshold } = this.#settings
    const signal = new Cancellation()
    const late = new GatewayError(
      'BACKEND_UNREACHABLE',
      `no answer to a health check within ${healthCheckTimeoutMs} ms`,
    )
    const timer = setTimeout(() => signal.cancel(late), healthCheckTimeoutMs).unref()
    const method = leg.era === 'legacy' ? 'ping' : 'server/discover'
    try {
      await leg.request(ownRequest(method, {}, signal))
      slot.missed = 0
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'BACKEND_ERROR') {
        // Any answer will do.
        slot.missed = 0
      } else if (error instanceof SessionLost) {
        await this.#pool.drop(slot)
        this.#supervisor.connect()
      } else if (++slot.missed >= unhealthyThreshold) {
        this.#pool.drop(slot).catch(() => {})
        if (leg.diesAlone) this.#supervisor.onLost(error)
        else this.#supervisor.onAway(error)
      }
    } finally {
      clearTimeout(timer)
    }
  }
}
