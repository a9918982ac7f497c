import type { OAuthClient } from '../../model/credential.ts'
import type { Discovered } from './authorization/server/discovery.ts'
import { type Trust, within } from './authorization/server/trust.ts'
import { asUnavailable } from './authorization/unavailable.ts'
import type { FoundEndpoint } from './client-credentials.ts'
import type { TokenEndpoints } from './token-endpoints.ts'

/** Where the metadata of a backend say that its tokens come from. Throws `CREDENTIAL_UNAVAILABLE`. */
export async function discoveredEndpoint(
  client: OAuthClient,
  trust: Trust,
  discover: () => Promise<Discovered>,
  endpoints: TokenEndpoints,
): Promise<FoundEndpoint> {
  const { server, resource } = await discover().catch((error: unknown) => {
    throw asUnavailable(error)
  })
  const { tokenEndpoint: url, issuer, authMethods: methods } = server
  return { endpoint: endpoints({ url, issuer, methods, reach: within(trust, url), client }), resource }
}
