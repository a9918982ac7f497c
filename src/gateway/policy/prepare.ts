import type { Compiled } from '../../auth/policy/compile.ts'
import { compilePolicies } from '../../auth/policy/compile.ts'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import { didYouMean } from '../../model/nearest.ts'

/** Reads and checks the policies of a configuration; no set: there are none, or they are not to be used. */
export async function preparePolicies({
  incomingAuth,
  name,
  groupRef,
  mode,
  backends,
}: GatewayConfig): Promise<Compiled> {
  const { authz } = incomingAuth
  if (authz?.type !== 'cedar') return { faults: [] }
  const { policies, trialPolicies } = authz
  // What is discovered later may have any name.
  const names = mode === 'static' ? backends.map(({ id }) => id) : undefined
  const settings = { ...authz, policies, serverName: name, group: groupRef, backends: names }
  const compiled = await compilePolicies(settings, didYouMean)
  if (trialPolicies === undefined) return compiled
  const trial = await compilePolicies({ ...settings, policies: trialPolicies }, didYouMean)
  const inTrial = trial.faults.filter(({ where }) => where === 'policies')
  const faults = [...compiled.faults, ...inTrial.map((fault) => ({ ...fault, where: 'trialPolicies' as const }))]
  if (!compiled.set || !trial.set) return { faults }
  return { set: { ...compiled.set, trial: trial.set }, faults }
}
