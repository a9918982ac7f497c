import type { Args } from '../args.ts'
import { usageError } from '../exit.ts'

/** The one file that a verb of `vmcp policy` is given. */
export function fileIn({ positionals: [file, extra], command }: Args): string {
  if (file === undefined) throw usageError('name the file of the policies, or of their cases', command)
  if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`, command)
  return file
}
