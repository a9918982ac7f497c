import { type Context, GATEWAY_CALLER } from '../model/call.ts'
import { Cancellation } from '../model/cancellation.ts'
import { principalOwner } from '../model/ids.ts'
import { type Principal, principalKey } from '../model/principal.ts'
import { LATEST_MODERN } from '../protocol/revisions.ts'

/** Of a call that a command makes for this principal. It has no deadline, and unless `own` says more, nobody to ask. */
export const callContext = (
  principal: Principal,
  own: Pick<Context, 'emit'> & Partial<Pick<Context, 'ask' | 'profile'>>,
): Context => ({
  ...GATEWAY_CALLER,
  principal,
  owner: principalOwner(principalKey(principal)),
  revision: LATEST_MODERN,
  signal: new Cancellation(),
  deadline: undefined,
  streaming: false,
  ask: undefined,
  header: undefined,
  ...own,
})
