import { compilePolicies } from '../../auth/policy/compile.ts'
import type { PolicyFault } from '../../auth/policy/fault.ts'
import type { PolicySet } from '../../auth/policy/set.ts'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import { didYouMean } from '../../config/nearest.ts'

export interface PreparedPolicies {
  /** Absent: there are none, or they are not to be used. */
  set?: PolicySet
  faults: readonly PolicyFault[]
}

/** Reads and checks the policies of a configuration. */
export async function preparePolicies({ incomingAuth, name, groupRef }: GatewayConfig): Promise<PreparedPolicies> {
  const { authz } = incomingAuth
  if (authz?.type !== 'cedar') return { faults: [] }
  return compilePolicies({ ...authz, policies: authz.policies ?? [], serverName: name, group: groupRef }, didYouMean)
}
