import type { Caller } from '../../model/call.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import { isObject } from '../../model/json.ts'
import { TASKS_EXTENSION } from '../../protocol/capabilities.ts'

/** Whether this caller has declared the tasks extension, with the request in hand. */
export function knowsTasks({ era, profile }: Caller): boolean {
  const { extensions } = profile.modern
  return era === 'modern' && isObject(extensions) && extensions[TASKS_EXTENSION] !== undefined
}

/** Throws the error for a modern client that asks about tasks without having declared the extension. */
export function requireTasks(caller: Caller): void {
  if (caller.era === 'legacy' || knowsTasks(caller)) return
  throw new GatewayError('REQUEST_MALFORMED', 'Missing required client capability', {
    jsonrpc: JSONRPC.missingClientCapability,
    data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
  })
}
