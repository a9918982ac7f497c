/** Who is asking. Inbound authentication adds users and workloads. */
export type Principal = { kind: 'anonymous' }

export const ANONYMOUS: Principal = { kind: 'anonymous' }

/** A stable key: equal for the same principal whatever token it shows. */
export function principalKey(principal: Principal): string {
  return principal.kind
}
