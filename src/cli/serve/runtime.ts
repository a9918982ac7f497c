import type { Gateway } from '../../gateway/gateway.ts'
import type { Identity } from '../../protocol/translate.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { LogFormat, LogLevel } from '../../telemetry/log.ts'
import type { Source } from '../configuration.ts'
import { EXIT } from '../exit.ts'
import type { Frozen } from '../lock-file.ts'
import type { Served } from '../session.ts'
import type { StopSignal } from '../signals.ts'
import { SIGNAL_EXIT } from '../signals.ts'

export interface ServeOptions extends Served {
  source: Source
  files: readonly string[]
  identity: Identity
  format: LogFormat
  level: LogLevel
  watch: boolean
  /** The lock that it is held to, and its file. */
  frozen: Frozen | undefined
}

/** How long running calls may go on after a signal. */
const DRAIN_MS = 5000

/** Lets running calls finish, ends every backend. 0 after a clean stop, else the signal's code. */
export async function shutDown(gateway: Gateway, telemetry: Telemetry, signal: StopSignal): Promise<number> {
  telemetry.emit('gateway.stopping', { reason: signal })
  const finished = await gateway.close(DRAIN_MS)
  return finished ? EXIT.ok : SIGNAL_EXIT[signal]
}
