import type { Caller } from '../../model/call.ts'
import type { OwnerKey } from '../../model/ids.ts'
import { principalKey } from '../../model/principal.ts'

/** Callers to whom a server offers the same: those who can do the same, or one principal among them. */
export interface Audience {
  /** Key of the profile. */
  profile: string
  /** Key of the principal. Absent: everybody, whoever they are. */
  principal?: string
}

/** Who sees something of their own: one owner, or a whole audience. */
export interface Apart extends Audience {
  owner?: OwnerKey
}

/** Equal for equal audiences. */
export function audienceKey({ profile, principal }: Audience): string {
  return principal === undefined ? profile : `${profile} ${principal}`
}

export function isAmong({ owner, profile, principal }: Apart, caller: Caller): boolean {
  if (owner !== undefined) return caller.owner === owner
  return caller.profile.key === profile && (principal === undefined || principalKey(caller.principal) === principal)
}
