import { localPrincipal, userName } from '../auth/inbound/local.ts'
import { principalOf } from '../auth/policy/explain.ts'
import type { JsonObject } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import type { Principal } from '../model/principal.ts'
import { parseJson } from '../protocol/json.ts'
import type { Args, Flag } from './args.ts'
import { usageError } from './exit.ts'
import type { Served } from './session.ts'

export const AS_FLAG = {
  as: { type: 'string', value: 'JSON', help: 'apply the policies as the principal with these claims ({"sub":...})' },
} as const satisfies Record<string, Flag>

/** The principal that `--as` describes. `undefined`: there is no such flag. */
export function principalAs(args: Args, command: string): Principal | undefined {
  const given = args.text('as')
  return given === undefined ? undefined : principalOf(claimsIn(given, command))
}

/** Whoever may read the configuration may do everything in it; with `--as` the policies decide, as for that principal. */
export function actingAs(
  args: Args,
  { config, policies }: Served,
  command: string,
): { served: Served; principal: Principal } {
  const principal = principalAs(args, command)
  if (principal) return { served: { config, ...(policies && { policies }) }, principal }
  const { authz: _, ...incomingAuth } = config.incomingAuth
  return { served: { config: { ...config, incomingAuth } }, principal: localPrincipal(userName()) }
}

function claimsIn(text: string, command: string): JsonObject {
  try {
    const value = parseJson(text)
    if (isObject(value)) return value
  } catch {
    // Told below.
  }
  throw usageError('--as must be a JSON object of claims', command)
}
