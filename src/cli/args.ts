import type { ParseArgsConfig } from 'node:util'
import { parseArgs } from 'node:util'
import { usageError } from './exit.ts'

export interface Flag {
  type: 'string' | 'boolean'
  short?: string
  /** Shown in the help after the flag. */
  value?: string
  help: string
}

export interface Command {
  name: string
  /** What follows the name in the usage line. */
  usage: string
  summary: string
  flags: Readonly<Record<string, Flag>>
  examples: readonly string[]
  /** Sentences below the flags. */
  notes?: readonly string[]
  run: (args: Args) => Promise<number>
}

export interface Args {
  positionals: string[]
  text: (flag: string) => string | undefined
  on: (flag: string) => boolean
}

/** Throws a usage error that names the flag. */
export function parseCommand(command: Command, argv: readonly string[]): Args {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [name, { type, short }] of Object.entries(command.flags)) {
    options[name] = short === undefined ? { type } : { type, short }
  }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
    return {
      positionals,
      text: (flag) => (typeof values[flag] === 'string' ? values[flag] : undefined),
      on: (flag) => values[flag] === true,
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw usageError(message.split('. ')[0] ?? message, command.name)
  }
}

export function helpOf(command: Command): string {
  const rows = Object.entries(command.flags).map(([name, flag]) => {
    const short = flag.short === undefined ? '' : `-${flag.short}, `
    return [`  ${short}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`, flag.help] as const
  })
  const width = Math.max(0, ...rows.map(([left]) => left.length)) + 2
  return [
    `${command.summary}\n`,
    `Usage: vmcp ${command.name} ${command.usage}\n`,
    ...(rows.length > 0 ? ['Options:', ...rows.map(([left, help]) => left.padEnd(width) + help), ''] : []),
    ...(command.notes && command.notes.length > 0 ? [...command.notes, ''] : []),
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
  ].join('\n')
}
