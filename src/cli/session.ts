import type { GatewayConfig } from '../config/gateway-config.ts'
import { Gateway } from '../gateway/gateway.ts'
import { Telemetry } from '../telemetry/events.ts'
import { identity } from '../gateway/identity.ts'

/** How long a command waits for its backends before it goes on without the rest. */
const BACKENDS_WITHIN_MS = 60_000

/** Runs `work` with a gateway whose backends have answered or failed, and ends everything that was started. */
export async function withGateway<Value>(
  config: GatewayConfig,
  work: (gateway: Gateway) => Promise<Value>,
): Promise<Value> {
  const gateway = new Gateway(config, identity, new Telemetry())
  const interrupted = (): void => {
    void gateway.close(0).finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    const until = Date.now() + BACKENDS_WITHIN_MS
    while (gateway.current.keeper.pending > 0 && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return await work(gateway)
  } finally {
    process.off('SIGINT', interrupted)
    process.off('SIGTERM', interrupted)
    await gateway.close(0)
  }
}
