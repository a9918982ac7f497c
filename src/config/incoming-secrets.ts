import { lookUpVariable, unset } from './expand.ts'
import { type Fault, fileError } from './faults.ts'
import { type LocatedMap, positionOf } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

/** Variables that `incomingAuth` names and that are not set: without them nobody could come in as configured. */
export function incomingSecretFaults(
  root: LocatedMap,
  { incomingAuth }: AuthoredConfig,
  env: NodeJS.ProcessEnv,
): Fault[] {
  const oidc = incomingAuth?.oidc
  if (incomingAuth?.type !== 'oidc' || oidc === undefined) return []
  return [oidc].flat().flatMap(({ clientSecretEnv }, index) => {
    if (clientSecretEnv === undefined || lookUpVariable(env, clientSecretEnv)) return []
    const steps = ['incomingAuth', 'oidc', ...(Array.isArray(oidc) ? [index] : []), 'clientSecretEnv']
    const { message } = unset(clientSecretEnv)
    return [fileError(positionOf(root, steps), message, `set ${clientSecretEnv}`)]
  })
}
