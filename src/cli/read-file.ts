import { readFileSync } from 'node:fs'
import { CliError } from './exit.ts'

/** Ends the command when the file cannot be read. */
export function readOrExit(file: string, exitCode: number): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CliError(exitCode, `cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}
