import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Args } from '../args.ts'
import { filesFirst, type Loaded, loadOrExit, type Source, sourceOf } from '../configuration.ts'
import { CliError, EXIT, usageError } from '../exit.ts'

/** What a command line of `vmcp workflow` names: files first, then a composite tool, then its arguments. */
interface Named {
  source: Source
  name: string | undefined
  input: string | undefined
}

/** Throws a usage error for more than that. */
export function namedBy(args: Args, most: 'name' | 'arguments'): Named {
  const { files, rest } = filesFirst(args.positionals)
  const [name, input, extra] = rest
  const surplus = most === 'name' ? input : extra
  if (surplus !== undefined) throw usageError(`unexpected argument "${surplus}"`, args.command)
  return { source: sourceOf(args, files), name, input }
}

/** The configuration, when it has composite tools. Exits with 3 otherwise. */
export async function loadWorkflows(source: Source): Promise<Loaded & { config: GatewayConfig }> {
  const loaded = await loadOrExit(source)
  if (loaded.config.compositeTools.length > 0) return loaded
  const hint = 'write compositeTools: [...] into it, or compositeToolRefs with the manifests among the files'
  throw new CliError(EXIT.config, 'the configuration has no composite tools', hint)
}
