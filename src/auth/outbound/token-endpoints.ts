import { fingerprint } from '../../model/fingerprint.ts'
import { putYoungest } from '../bounded.ts'
import { createTokenEndpoint, type EndpointParts, type EndpointSettings, type TokenEndpoint } from './token-endpoint.ts'

/** The endpoint with these settings: one for all who ask there as this client, so that its limits hold for all of them. */
export type TokenEndpoints = (settings: EndpointSettings) => TokenEndpoint

const MAX_ENDPOINTS = 1000

/** Kept, with the way to authenticate that each has taken. Beyond `max` the one that was not used for longest goes. */
export function createTokenEndpoints(parts: EndpointParts, max = MAX_ENDPOINTS): TokenEndpoints {
  const endpoints = new Map<string, TokenEndpoint>()
  return (settings) => {
    const { url, reach, issuer = url, client, methods } = settings
    const key = fingerprint([url, reach.allowHttp, reach.allowPrivate, issuer, client, methods])
    const endpoint = endpoints.get(key) ?? createTokenEndpoint(settings, parts)
    putYoungest(endpoints, key, endpoint, max)
    return endpoint
  }
}
