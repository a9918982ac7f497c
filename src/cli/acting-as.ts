import { localPrincipal, userName } from '../auth/inbound/local.ts'
import { principalOf } from '../auth/policy/explain.ts'
import type { Principal } from '../model/principal.ts'
import type { Args, Flag } from './args.ts'
import { objectFrom } from './json-argument.ts'
import type { Served } from './session.ts'

export const AS_FLAG = {
  as: { type: 'string', value: 'JSON', help: 'apply the policies as the principal with these claims ({"sub":...})' },
} as const satisfies Record<string, Flag>

/** The principal that `--as` describes. `undefined`: there is no such flag. */
export function principalAs(args: Args): Principal | undefined {
  const given = args.text('as')
  return given === undefined ? undefined : principalOf(objectFrom(given, 'the claims of --as', args.command))
}

/** Whoever may read the configuration may do everything in it; with `--as` the policies decide, as for that principal. */
export function actingAs(args: Args, { config, policies }: Served): { served: Served; principal: Principal } {
  const principal = principalAs(args)
  if (principal) return { served: { config, ...(policies && { policies }) }, principal }
  const { authz: _, ...incomingAuth } = config.incomingAuth
  return { served: { config: { ...config, incomingAuth } }, principal: localPrincipal(userName()) }
}
