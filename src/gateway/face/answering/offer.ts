import type { JsonObject } from '../../../model/json.ts'
import { TASKS_EXTENSION } from '../../../protocol/capabilities.ts'
import { CORE_TASKS_SINCE, eraOf, isBefore } from '../../../protocol/revisions.ts'

/** What the gateway carries, whatever backends there are: lists change, so clients must be told that they may. */
const ALWAYS: JsonObject = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  completions: {},
  logging: {},
}

/** Which tools run as tasks is said by each of them. */
const CORE_TASKS: JsonObject = { list: {}, cancel: {}, requests: { tools: { call: {} } } }

/**
 * The server capabilities for a client of `revision`: core tasks only for those that have them, of the extensions that
 * backends have not the one that only modern clients know.
 */
export function capabilitiesFor(revision: string, extensions: JsonObject | undefined): JsonObject {
  const capabilities = { ...ALWAYS }
  const legacy = eraOf(revision) === 'legacy'
  if (legacy && !isBefore(revision, CORE_TASKS_SINCE)) capabilities['tasks'] = CORE_TASKS
  const { [TASKS_EXTENSION]: tasks, ...others } = extensions ?? {}
  const offered = legacy || tasks === undefined ? others : { [TASKS_EXTENSION]: tasks, ...others }
  if (Object.keys(offered).length > 0) capabilities['extensions'] = offered
  return capabilities
}
