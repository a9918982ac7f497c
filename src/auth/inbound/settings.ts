import { type Issuer, issuerFaults, isResource } from '../../model/issuer.ts'
import type { IncomingAuth } from '../../model/settings.ts'

/** The parts of a checked configuration that say who may connect. */
export interface AuthenticatorSettings {
  readonly name: string
  readonly publicUrl?: string
  readonly incomingAuth: Pick<IncomingAuth, 'type' | 'local' | 'issuers'>
}

/** The issuers of settings that may have been made by hand. Throws an `Error` for those that would let in strangers. */
export function soundIssuers({ incomingAuth: { issuers }, publicUrl }: AuthenticatorSettings): readonly Issuer[] {
  if (issuers.length === 0) throw new Error('the type "oidc" needs incomingAuth.oidc')
  const [fault] = issuerFaults(issuers)
  if (fault) throw new Error(`${fault.message} (${issuers[fault.index]?.name})`)
  if (publicUrl !== undefined && !isResource(publicUrl)) {
    throw new Error('publicUrl is no address of a resource: an absolute URL without a fragment is expected')
  }
  return issuers
}
