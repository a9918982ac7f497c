import { readFileSync } from 'node:fs'
import type { Fault } from '../config/faults.ts'
import { formatFault } from '../config/format.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { defaultInputs, loadConfig } from '../config/load.ts'
import type { LoadResult } from '../config/load.ts'
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

export async function load(source: Source): Promise<LoadResult> {
  const { inputs, group, recursive } = source
  return loadConfig(inputs, {
    recursive,
    ...(group !== undefined && { group }),
    ...(inputs.includes('-') && { stdin: readFileSync(0, 'utf8') }),
  })
}

/** The configuration, with warnings told. Exits with 3 when the file is refused. */
export async function loadOrExit(source: Source): Promise<{ config: GatewayConfig; files: readonly string[] }> {
  const { config, faults, files } = await load(source)
  if (!config) throw new CliError(EXIT.config, refusalText(faults))
  // What concerns one backend is told when that backend is named.
  for (const fault of faults) if (fault.scope === 'file') printError(`warning: ${formatFault(fault)}`)
  return { config, files }
}

function refusalText(faults: readonly Fault[]): string {
  const errors = faults.filter(({ severity }) => severity === 'error')
  return ['the configuration is invalid', ...errors.map((fault) => `  ${formatFault(fault)}`)].join('\n')
}
