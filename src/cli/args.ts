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

export const JSON_FLAG = { json: { type: 'boolean', help: 'print the result as JSON' } } as const satisfies Record<
  string,
  Flag
>

export interface Command {
  name: string
  /** What follows the name in the usage line. */
  usage: string
  summary: string
  flags: Readonly<Record<string, Flag>>
  examples: readonly string[]
  /** Sentences below the flags. */
  notes?: readonly string[]
  /** What it can do: commands of their own, named `COMMAND VERB`. */
  verbs?: readonly Command[]
  run: (args: Args) => Promise<number>
}

export interface Args {
  /** Whose they are, for hints at its help. */
  command: string
  positionals: readonly string[]
  /** Names of the flags that were given. */
  flags: readonly string[]
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
      command: command.name,
      positionals,
      flags: Object.keys(values),
      text: (flag) => (typeof values[flag] === 'string' ? values[flag] : undefined),
      on: (flag) => values[flag] === true,
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw usageError(message.split('. ')[0] ?? message, command.name)
  }
}

/** Of a verb: what follows the name of its command. */
export const wordOf = ({ name }: Command): string => name.slice(name.lastIndexOf(' ') + 1)

export function helpOf(command: Command): string {
  const verbs = (command.verbs ?? []).map((verb) => [`  ${wordOf(verb)}`, verb.summary] as const)
  const rows = Object.entries(command.flags).map(([name, flag]) => {
    const short = flag.short === undefined ? '' : `-${flag.short}, `
    return [`  ${short}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`, flag.help] as const
  })
  const width = Math.max(0, ...[...verbs, ...rows].map(([left]) => left.length)) + 2
  const lines = (title: string, pairs: readonly (readonly [string, string])[]): string[] =>
    pairs.length === 0 ? [] : [title, ...pairs.map(([left, help]) => left.padEnd(width) + help), '']
  return [
    `${command.summary}\n`,
    `Usage: vmcp ${command.name} ${command.usage}\n`,
    ...lines(`Verbs (vmcp ${command.name} VERB --help shows options and examples of one):`, verbs),
    ...lines('Options:', rows),
    ...(command.notes && command.notes.length > 0 ? [...command.notes, ''] : []),
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
  ].join('\n')
}
