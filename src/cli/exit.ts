/** Exit codes (contract 2). After a signal that cut work short: 128 plus the signal's number. */
export const EXIT = { ok: 0, failed: 1, usage: 2, config: 3, interrupted: 130, terminated: 143 } as const

/** Ends a command with a sentence for people and an exit code. */
export class CliError extends Error {
  readonly exitCode: number
  readonly hint: string | undefined

  constructor(exitCode: number, message: string, hint?: string) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
    this.hint = hint
  }
}

export function usageError(message: string, command?: string): CliError {
  return new CliError(EXIT.usage, message, `see vmcp ${command === undefined ? '' : `${command} `}--help`)
}
