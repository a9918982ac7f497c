import type { Caller } from '../../model/call.ts'
import type { OwnerKey } from '../../model/ids.ts'
import { principalOwner } from '../../model/ids.ts'
import type { Principal } from '../../model/principal.ts'
import { principalKey } from '../../model/principal.ts'
import { profileOf } from '../../protocol/capabilities.ts'
import type { Envelope } from '../../protocol/envelope.ts'

/** Who a modern request comes from: it says all of it itself. `owner` is the principal unless the transport knows better. */
export function modernCaller(
  { version, capabilities, logLevel }: Envelope,
  principal: Principal,
  owner: OwnerKey = principalOwner(principalKey(principal)),
): Caller {
  const profile = profileOf(capabilities, version)
  return { principal, owner, era: 'modern', revision: version, profile, logLevel }
}
