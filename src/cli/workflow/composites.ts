import { existsSync } from 'node:fs'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import { Composites, type Composite } from '../../gateway/workflows/composites.ts'
import { UNASKED } from '../../gateway/workflows/offers.ts'
import type { Plan } from '../../workflow/plan.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { suggest } from '../../model/nearest.ts'
import type { Args } from '../args.ts'
import { type Loaded, loadOrExit, type Source, sourceOf } from '../configuration.ts'
import { CliError, EXIT, usageError } from '../exit.ts'

/** What a command line of `vmcp workflow` names: files first, then a composite tool, then its arguments. */
export interface Named {
  source: Source
  name: string | undefined
  input: string | undefined
}

/** Throws a usage error for more than that. */
export function namedBy(args: Args, positionals: readonly string[], most: 'name' | 'arguments'): Named {
  const first = positionals.findIndex((argument) => argument === '-' || !existsSync(argument))
  const files = first === -1 ? positionals : positionals.slice(0, first)
  const [name, input, extra] = first === -1 ? [] : positionals.slice(first)
  const surplus = most === 'name' ? input : extra
  if (surplus !== undefined) throw usageError(`unexpected argument "${surplus}"`, 'workflow')
  return { source: sourceOf(args, files), name, input }
}

/** The configuration, when it has composite tools. Exits with 3 otherwise. */
export async function loadWorkflows(source: Source): Promise<Loaded & { config: GatewayConfig }> {
  const loaded = await loadOrExit(source)
  if (loaded.config.compositeTools.length > 0) return loaded
  const hint = 'write compositeTools: [...] into it, or compositeToolRefs with the manifests among the files'
  throw new CliError(EXIT.config, 'the configuration has no composite tools', hint)
}

/** The composite tools of a configuration, checked as far as that can be done without asking a backend. */
export const uncheckedComposites = ({ compositeTools, workflows }: GatewayConfig): readonly Composite[] =>
  new Composites(compositeTools, workflows.limits).check(UNASKED)

/** Checked against the tools that are there now. */
export async function compositesIn({ current }: Gateway): Promise<readonly Composite[]> {
  await current.keeper.forList(GATEWAY_CALLER)
  return [...current.keeper.composites.values()]
}

/** The one that is named; the only one there is when none is. Exits with 2 when that cannot be told. */
export function pick(composites: readonly Composite[], name: string | undefined): Composite {
  const names = composites.map(({ workflow }) => workflow)
  const [only, ...others] = composites
  if (name === undefined && only && others.length === 0) return only
  if (name === undefined) throw usageError(`name one of ${names.join(', ')}`, 'workflow')
  const found = composites.find(({ workflow }) => workflow === name)
  if (found) return found
  throw new CliError(EXIT.usage, `there is no composite tool "${name}"`, suggest(name, names))
}

/** Exits with 3 when it has faults. */
export function planOf({ workflow, compiled, away }: Composite): Plan {
  if (compiled.plan) return compiled.plan
  const why = away?.why ?? 'it has faults'
  throw new CliError(EXIT.config, `"${workflow}" cannot be used: ${why}`, 'vmcp workflow check tells all of it')
}
