import type { Caller } from '../model/call.ts'
import { GatewayError, JSONRPC } from '../model/errors.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { asLinks, takesLinks } from './questions/url-required.ts'

type Asking = Pick<Caller, 'era' | 'profile'>

/**
 * A backend's own error as this caller may have it. Codes of one era mean nothing, or something else, in the other; what
 * went wrong between the gateway and a backend is no fault of the caller (mcp-protocol 2.4, rule 9).
 */
export function errorFor(error: unknown, asking: Asking): unknown {
  if (!(error instanceof GatewayError) || error.code !== 'BACKEND_ERROR') return error
  const meaning = ofBackend(error, asking)
  return meaning === undefined ? error : new GatewayError('BACKEND_PROTOCOL', meaning, { cause: error })
}

/** What to say instead; `undefined`: the error goes as it is. */
function ofBackend(error: GatewayError, { era, profile }: Asking): string | undefined {
  const { jsonrpc, message, data } = error
  switch (jsonrpc) {
    case JSONRPC.headerMismatch:
    case JSONRPC.unsupportedProtocolVersion:
      return `the backend refused the gateway's request: ${message}`
    case JSONRPC.missingClientCapability: {
      const required = isObject(data) ? data['requiredCapabilities'] : undefined
      if (isObject(required) && declares(profile.modern, required)) {
        return `the backend refused the call for want of a capability that it was told of: ${message}`
      }
      return era === 'legacy' ? `${message} (the client has not declared what this needs)` : undefined
    }
    case JSONRPC.urlElicitationRequired:
      // Whoever cannot visit links reads what it says.
      return (era === 'legacy' ? takesLinks(profile) : asLinks(error, profile)) ? undefined : message
  }
  return undefined
}

/** Whether `capabilities` has every member that `required` has, at every depth. */
function declares(capabilities: JsonObject, required: JsonObject): boolean {
  return Object.entries(required).every(([name, members]) => {
    const has: JsonValue | undefined = capabilities[name]
    return isObject(members) ? isObject(has) && declares(has, members) : has !== undefined
  })
}
