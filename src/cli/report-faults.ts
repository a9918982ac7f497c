import type { Fault } from '../config/faults.ts'
import { formatFault } from '../config/format.ts'
import { paintFor, print } from './terminal.ts'

/** Prints faults as contract 2 has them, lines for people or a JSON list. Returns how many are errors. */
export function printFaults(faults: readonly Fault[], asJson: boolean): number {
  if (asJson) {
    const rows = faults.map(({ file, line, column, path, message, hint, severity }) => ({
      file,
      line,
      column,
      path,
      message,
      ...(hint !== undefined && { hint }),
      severity,
    }))
    print(JSON.stringify(rows, null, 2))
  } else {
    const paint = paintFor(process.stdout)
    for (const fault of faults) {
      print(fault.severity === 'error' ? formatFault(fault) : `${paint.warn('warning')} ${formatFault(fault)}`)
    }
  }
  return faults.filter(({ severity }) => severity === 'error').length
}
