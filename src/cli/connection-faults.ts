import { findSuspicious } from '../aggregation/suspicion/suspicion.ts'
import { checkNames } from '../auth/policy/names.ts'
import type { Fault } from '../config/faults.ts'
import { didYouMean } from '../model/nearest.ts'
import { GATEWAY_CALLER } from '../model/call.ts'
import type { ShownName } from '../model/ids.ts'
import type { Served } from './session.ts'
import { withGateway } from './session.ts'
import { findingText } from './suspicious.ts'

/** What only the live backends can tell: who cannot be reached, and names that lead nowhere. */
export async function connectionFaults(served: Served): Promise<Fault[]> {
  const { config, policies } = served
  return withGateway(served, async (gateway) => {
    const { backends, keeper } = gateway.current
    const catalogue = await keeper.forList(GATEWAY_CALLER)
    const fault = (path: string, message: string, severity: Fault['severity']): Fault => ({
      file: '(backends)',
      line: 0,
      column: 0,
      path,
      message,
      severity,
      scope: 'backend',
    })
    const shown = [...catalogue.tools.keys()]
    const unknown = (section: string, names: Iterable<string>): Fault[] =>
      [...names]
        .filter((name) => !catalogue.tools.has(name as ShownName))
        .map((name) => ({
          ...fault(`${section}.${name}`, `no tool is shown as "${name}"`, 'warning'),
          ...hinted(didYouMean(name, shown)),
        }))
    const policyNames = (): Fault[] => {
      if (!policies) return []
      // Of a backend that is away nobody knows what it offers.
      const severity = backends.every(({ state }) => state.kind !== 'failing') ? 'error' : 'warning'
      const live = { tools: shown, prompts: catalogue.prompts.keys(), backends: backends.map(({ spec }) => spec.id) }
      return checkNames(policies, live, didYouMean).map(({ index = 0, message, hint }) => ({
        ...fault(`incomingAuth.authz.policies[${index}]`, message, severity),
        ...hinted(hint),
      }))
    }
    return [
      ...backends.flatMap(({ spec, state }) =>
        state.kind === 'failing' ? [fault(`backends.${spec.id}`, state.fault.message, 'warning')] : [],
      ),
      ...unknown('operational.timeouts.perTool', config.timeouts.perTool.keys()),
      ...unknown('rateLimiting.tools', config.limits.tools.keys()),
      ...policyNames(),
      ...findSuspicious(keeper.admission(GATEWAY_CALLER).offered).map((finding) =>
        fault(`backends.${finding.backend}`, `suspicious: ${findingText(finding)}`, 'warning'),
      ),
      ...catalogue.notes.map((note) => fault('aggregation', note, 'warning')),
      ...catalogue.conflicts.map(({ resolution, withheld }) =>
        fault('aggregation', resolution, withheld ? 'error' : 'warning'),
      ),
    ]
  })
}

const hinted = (hint: string | undefined): Pick<Fault, 'hint'> => (hint === undefined ? {} : { hint })
