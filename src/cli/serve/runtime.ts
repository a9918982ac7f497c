import { killAllProcesses } from '../../backends/stdio/process.ts'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import type { Identity } from '../../protocol/translate.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { LogFormat, LogLevel } from '../../telemetry/log.ts'
import type { Source } from '../configuration.ts'
import { EXIT } from '../exit.ts'

export interface ServeOptions {
  config: GatewayConfig
  source: Source
  files: readonly string[]
  identity: Identity
  format: LogFormat
  level: LogLevel
  watch: boolean
}

/** How long running calls may go on after a signal. */
const DRAIN_MS = 5000

const SIGNAL_EXIT = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const

/** Resolves with the first SIGINT or SIGTERM; the second one ends everything at once. */
export function nextSignal(): Promise<keyof typeof SIGNAL_EXIT> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (signal: keyof typeof SIGNAL_EXIT): void => {
      if (asked) {
        killAllProcesses()
        process.exit(SIGNAL_EXIT[signal])
      }
      asked = true
      resolve(signal)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
    process.on('exit', killAllProcesses)
  })
}

/** Lets running calls finish, ends every backend. 0 after a clean stop, else the signal's code. */
export async function shutDown(
  gateway: Gateway,
  telemetry: Telemetry,
  signal: keyof typeof SIGNAL_EXIT,
): Promise<number> {
  telemetry.emit('gateway.stopping', { reason: signal })
  const finished = await gateway.close(DRAIN_MS)
  return finished ? EXIT.ok : SIGNAL_EXIT[signal]
}
