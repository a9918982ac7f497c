import { killAllProcesses } from '../backends/stdio/process.ts'
import { EXIT } from './exit.ts'

export type StopSignal = 'SIGINT' | 'SIGTERM'

/** The exit code when the signal had to cut work short. */
export const SIGNAL_EXIT: Readonly<Record<StopSignal, number>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
}

/** Resolves with the first SIGINT or SIGTERM; the second one ends everything at once. */
export function nextSignal(): Promise<StopSignal> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (signal: StopSignal): void => {
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
