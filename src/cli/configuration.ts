import { existsSync, readFileSync } from 'node:fs'
import type { PolicyFault } from '../auth/policy/fault.ts'
import type { PolicySet } from '../auth/policy/set.ts'
import type { Fault } from '../config/faults.ts'
import { fileError, warning } from '../config/faults.ts'
import { formatFault } from '../config/format.ts'
import { defaultInputs, loadConfig } from '../config/load.ts'
import type { LoadResult } from '../config/load.ts'
import { preparePolicies } from '../gateway/policy/prepare.ts'
import type { Args, Flag } from './args.ts'
import { CliError, EXIT } from './exit.ts'
import { printError } from './terminal.ts'

/** Flags of every command that reads a configuration. */
export const CONFIG_FLAGS = {
  config: {
    type: 'string',
    short: 'c',
    value: 'FILE',
    help: 'the configuration; the same as naming it as an argument',
  },
  group: { type: 'string', value: 'NAME', help: 'the MCPGroup to serve, when the manifests hold several' },
  recursive: { type: 'boolean', short: 'R', help: 'read folders with their sub-folders' },
} as const satisfies Record<string, Flag>

export interface Source {
  inputs: string[]
  group: string | undefined
  recursive: boolean
}

/** The files a command line means. Throws a usage error when there are none. */
export function sourceOf(args: Args, files: readonly string[] = args.positionals): Source {
  const config = args.text('config')
  const named = config === undefined ? [...files] : [config, ...files]
  const inputs = named.length > 0 ? named : defaultInputs(process.cwd())
  if (inputs.length === 0) {
    throw new CliError(
      EXIT.usage,
      'no configuration: name a file or folder; there is no vmcp.yaml, mcp.json or .mcp.json here',
      'vmcp init writes one from the client configurations on this machine',
    )
  }
  return { inputs, group: args.text('group'), recursive: args.on('recursive') }
}

/** What can only be meant as a file: names of tools have no such form, and JSON is another thing. */
const FILE_LIKE = /^(?![{["]).*(?:[/\\]|\.(?:ya?ml|json)$)/iu

/**
 * Arguments that are existing paths are files, and those that are written like one, though it is not there; the first other
 * one, and what follows it, are not.
 */
export function filesFirst(positionals: readonly string[]): { files: string[]; rest: string[] } {
  const first = positionals.findIndex(
    (argument) => argument === '-' || !(existsSync(argument) || FILE_LIKE.test(argument)),
  )
  if (first === -1) return { files: [...positionals], rest: [] }
  return { files: positionals.slice(0, first), rest: positionals.slice(first) }
}

/** A configuration with everything that was found wrong in it, in its policies too. */
export interface Loaded extends LoadResult {
  /** Of `incomingAuth.authz`, ready for use. */
  policies?: PolicySet
}

export async function load(source: Source): Promise<Loaded> {
  const { inputs, group, recursive } = source
  const { config, ...result } = await loadConfig(inputs, {
    recursive,
    ...(group !== undefined && { group }),
    ...(inputs.includes('-') && { stdin: readFileSync(0, 'utf8') }),
  })
  if (!config) return result
  const { set, faults } = await preparePolicies(config)
  const found = faults.map((fault) => policyFault(fault, result.locate))
  const loaded = { ...result, faults: [...result.faults, ...found] }
  if (faults.some(({ severity }) => severity === 'error')) return loaded
  return { ...loaded, config, ...(set && { policies: set }) }
}

/** A fault of policies where the configuration has them. */
export function policyFault(fault: PolicyFault, locate: LoadResult['locate']): Fault {
  const { where, index, line, column, message, hint, severity } = fault
  const at = locate(['incomingAuth', 'authz', where, ...(index === undefined ? [] : [index])])
  const make = severity === 'error' ? fileError : warning
  // A text of several lines begins where the file says; how it is folded there only its reader knows.
  return make(
    at,
    line === 1 && column === 1 ? message : `${message} (line ${line}, column ${column} of the text)`,
    hint,
  )
}

/** The configuration, with warnings told. Exits with 3 when the file is refused. */
export async function loadOrExit(source: Source): Promise<Required<Pick<Loaded, 'config' | 'files'>> & Loaded> {
  const { config, ...loaded } = await load(source)
  if (!config) throw new CliError(EXIT.config, refusalText(loaded.faults))
  // What concerns one backend is told when that backend is named.
  for (const fault of loaded.faults) if (fault.scope === 'file') printError(`warning: ${formatFault(fault)}`)
  return { ...loaded, config }
}

function refusalText(faults: readonly Fault[]): string {
  const errors = faults.filter(({ severity }) => severity === 'error')
  return ['the configuration is invalid', ...errors.map((fault) => `  ${formatFault(fault)}`)].join('\n')
}
