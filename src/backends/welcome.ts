import { GatewayError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { LATEST_MODERN, SUPPORTED_MODERN, eraOf } from '../protocol/revisions.ts'

/** What a server says of itself when a leg opens. */
export interface Welcome {
  revision: string
  capabilities: JsonObject
  instructions: string | undefined
}

/** The result of `initialize`. Throws `BACKEND_PROTOCOL` for a revision that is not legacy. */
export function readInitialized(result: JsonObject): Welcome {
  const revision = result['protocolVersion']
  if (typeof revision !== 'string' || eraOf(revision) !== 'legacy') {
    const found = JSON.stringify(revision)?.slice(0, 40)
    throw new GatewayError('BACKEND_PROTOCOL', `initialize was answered with the unknown revision ${found}`)
  }
  return welcome(revision, result)
}

/** The result of `server/discover`; `undefined` when it names no modern revision that the gateway speaks. */
export function readDiscovered(result: JsonObject): Welcome | undefined {
  const versions = result['supportedVersions']
  const known = Array.isArray(versions) && versions.some((version) => SUPPORTED_MODERN.includes(version as string))
  return known ? welcome(LATEST_MODERN, result) : undefined
}

function welcome(revision: string, result: JsonObject): Welcome {
  const { capabilities, instructions } = result
  return {
    revision,
    capabilities: isObject(capabilities) ? capabilities : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
  }
}

/** The first message of a `subscriptions/listen` stream. */
export const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'

/**
 * The `subscriptions/listen` filter for the lists that a modern server says may change, and for changes of these
 * resources when it tells of such; `undefined` when there is nothing to be told.
 */
export function listenFilter(capabilities: JsonObject, resources: readonly string[]): JsonObject | undefined {
  const filter: JsonObject = {}
  for (const list of ['tools', 'prompts', 'resources']) {
    const capability = capabilities[list]
    if (isObject(capability) && capability['listChanged'] === true) filter[`${list}ListChanged`] = true
  }
  const capability = capabilities['resources']
  if (resources.length > 0 && isObject(capability) && capability['subscribe'] === true) {
    filter['resourceSubscriptions'] = [...resources].sort()
  }
  return Object.keys(filter).length > 0 ? filter : undefined
}
