import type { Context, Core } from '../model/call.ts'
import type { JsonObject } from '../model/json.ts'

/** Calls a tool as a client would. Rejects with a `GatewayError`. */
export async function callTool(core: Core, name: string, given: JsonObject, context: Context): Promise<JsonObject> {
  const params: JsonObject = { name, arguments: given, _meta: { progressToken: 1 } }
  const outcome = await core.invoke({ kind: 'tool', name, params }, context)
  if (outcome.kind !== 'result') throw new Error(`a ${outcome.kind} was not asked for`)
  return outcome.value
}
