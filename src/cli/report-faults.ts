import type { Fault } from '../config/faults.ts'
import { formatFault } from '../config/format.ts'
import type { Args } from './args.ts'
import { EXIT } from './exit.ts'
import { count, type Paint, paintFor, print, printJson } from './terminal.ts'

/**
 * Prints faults as contract 2 has them, lines for people or a JSON list; for people also what `fine` says when none is an
 * error. Returns the exit code.
 */
export function reportFaults(args: Args, faults: readonly Fault[], fine: (paint: Paint) => string): number {
  const errors = faults.filter(({ severity }) => severity === 'error').length
  const code = errors > 0 ? EXIT.config : EXIT.ok
  if (args.on('json')) {
    printJson(faults.map(rowOf))
    return code
  }
  const paint = paintFor(process.stdout)
  for (const fault of faults) {
    print(fault.severity === 'error' ? formatFault(fault) : `${paint.warn('warning')} ${formatFault(fault)}`)
  }
  print(errors > 0 ? paint.bad(count(errors, 'error')) : fine(paint))
  return code
}

const rowOf = ({ file, line, column, path, message, hint, severity }: Fault) => ({
  file,
  line,
  column,
  path,
  message,
  ...(hint !== undefined && { hint }),
  severity,
})
