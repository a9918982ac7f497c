import type { Lock } from '../aggregation/pinning/lock.ts'
import type { PolicySet } from '../auth/policy/set.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { Gateway } from '../gateway/gateway.ts'
import { Telemetry } from '../telemetry/events.ts'
import { identity } from '../gateway/identity.ts'
import { CliError } from './exit.ts'
import { stateFolder } from './state-folder.ts'
import { SIGNAL_EXIT, nextSignal } from './signals.ts'

/** A configuration that may be served. */
export interface Served {
  config: GatewayConfig
  policies?: PolicySet
  /** What --frozen holds it to. */
  lock?: Lock
}

/** How long a command waits for its backends before it goes on without the rest. */
const BACKENDS_WITHIN_MS = 60_000

/**
 * Runs `work` with a gateway whose backends have answered or failed, and ends everything that was started.
 * Throws a `CliError` when a signal comes first.
 */
export async function withGateway<Value>(
  { config, policies, lock }: Served,
  work: (gateway: Gateway) => Promise<Value>,
): Promise<Value> {
  const stopped = nextSignal().then((signal) => {
    throw new CliError(SIGNAL_EXIT[signal], `stopped by ${signal}`)
  })
  const gateway = new Gateway(config, identity, new Telemetry(), { policies, lock, stateFolder: stateFolder() })
  gateway.start()
  try {
    return await Promise.race([answered(gateway).then(() => work(gateway)), stopped])
  } finally {
    await gateway.close(0)
  }
}

async function answered(gateway: Gateway): Promise<void> {
  const until = Date.now() + BACKENDS_WITHIN_MS
  while (gateway.current.keeper.pending > 0 && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
