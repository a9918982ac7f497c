import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import type { Composite } from '../../gateway/workflows/compiled-composites.ts'
import { Composites } from '../../gateway/workflows/composites.ts'
import { UNASKED } from '../../gateway/workflows/offers.ts'
import type { Plan } from '../../workflow/plan.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { suggest } from '../../model/nearest.ts'
import type { Args, Flag } from '../args.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { type Served, withGateway } from '../session.ts'

export const OFFLINE_FLAG = {
  offline: { type: 'boolean', help: 'ask no backend, and check only what needs none' },
} as const satisfies Record<string, Flag>

/** Checked against the tools that are there, or with `--offline` as far as none is needed. */
export const checkedComposites = async (args: Args, served: Served): Promise<readonly Composite[]> =>
  args.on('offline') ? uncheckedComposites(served.config) : withGateway(served, compositesIn)

/** The composite tools of a configuration, checked as far as that can be done without asking a backend. */
export const uncheckedComposites = ({
  compositeTools,
  workflows,
}: Pick<GatewayConfig, 'compositeTools' | 'workflows'>): readonly Composite[] =>
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
export function planOf({ workflow, compiled, status }: Composite): Plan {
  if (compiled.plan) return compiled.plan
  const why = status.kind === 'ready' ? 'it has faults' : status.why
  throw new CliError(EXIT.config, `"${workflow}" cannot be used: ${why}`, 'vmcp workflow check tells all of it')
}
