import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { isObject } from '../../../model/json.ts'
import type { Profile } from '../../../model/profile.ts'
import { profileOf } from '../../../protocol/capabilities.ts'
import { negotiateLegacy } from '../../../protocol/revisions.ts'

export interface Handshake {
  /** The one that both sides speak from now on. */
  revision: string
  /** What the client calls itself, for people. */
  client: string
  /** The same for programs, as the client gave it. */
  clientInfo: JsonObject | undefined
  /** What it can do. */
  profile: Profile
}

/** It goes along with every call to a modern backend; characters. */
const MAX_INFO = 4096

/** The params of a legacy `initialize` (basic/lifecycle, "Initialization"). Throws `PARAMS_INVALID`. */
export function handshakeOf({ protocolVersion, capabilities, clientInfo }: JsonObject): Handshake {
  if (!isObject(capabilities) || typeof protocolVersion !== 'string') {
    throw new GatewayError('PARAMS_INVALID', 'Invalid params: initialize needs "protocolVersion" and "capabilities"')
  }
  const name = isObject(clientInfo) ? clientInfo['name'] : undefined
  const revision = negotiateLegacy(protocolVersion)
  return {
    revision,
    profile: profileOf(capabilities, revision),
    clientInfo: isObject(clientInfo) && JSON.stringify(clientInfo).length <= MAX_INFO ? clientInfo : undefined,
    client: typeof name === 'string' ? name.slice(0, 100) : 'unknown',
  }
}
