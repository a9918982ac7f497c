import type { Backend } from '../../backends/backend.ts'
import type { Reply, UpstreamRequest } from '../../backends/leg.ts'
import type { Caller } from '../../model/call.ts'
import type { Entry } from '../../model/catalogue.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { BackendId } from '../../model/ids.ts'
import { metaOf, withoutHopKeys } from '../../protocol/envelope.ts'
import { methodNotFound } from '../../protocol/jsonrpc.ts'
import { renameRelatedTask } from '../../protocol/related-task.ts'
import { CORE_TASKS_SINCE, isBefore } from '../../protocol/revisions.ts'
import { knowsTasks } from './extension.ts'
import { runInside } from './inside.ts'
import { createdTask, shownTask } from './shown-task.ts'
import type { TaskIds } from './task-ids.ts'

export interface ToolCalls {
  ids: TaskIds
  /** How long a server is to keep a task that the gateway runs, milliseconds. */
  ttlMs: number
}

/**
 * Calls a tool that may become a task: because a legacy client asks for one (2025-11-25), because the tool knows no other
 * way, or because a modern server decides so (the tasks extension): `toolReply` reads its answer. Tasks are not carried
 * from one era into the other. May throw at once.
 */
export function callTool(
  backend: Backend,
  { definition }: Entry,
  request: UpstreamRequest,
  { ids, ttlMs }: ToolCalls,
): Promise<Reply> {
  const { caller, params } = request
  const asked = asksForTask(params, caller)
  if (backend.servingEra(caller.era) === 'modern') {
    if (asked) throw notAsTask()
    return backend.call(request)
  }
  if (asked) return createTask(backend, request, ids)
  const plain = params['task'] === undefined ? request : { ...request, params: withoutTask(params) }
  return needsTask(definition) ? runInside(backend, plain, ids, ttlMs) : backend.call(plain)
}

/** Whether a legacy client asks for a task (2025-11-25, tasks, "Creating Tasks"). */
export function asksForTask({ task }: JsonObject, { era, revision }: Caller): boolean {
  return task !== undefined && era === 'legacy' && !isBefore(revision, CORE_TASKS_SINCE)
}

/** The tool is none that becomes a task (2025-11-25, tasks, "Tool-Level Negotiation"). */
export function notAsTask(): GatewayError {
  return new GatewayError('METHOD_UNKNOWN', `${methodNotFound('tools/call').message} as a task of this tool`)
}

/** The answer to such a call, as this caller is shown it. Throws `BACKEND_PROTOCOL` for a task that it cannot know. */
export function toolReply(backend: Backend, reply: Reply, caller: Caller, { ids }: ToolCalls): Reply {
  const isTask = reply.kind === 'result' && reply.era === 'modern' && reply.value['resultType'] === 'task'
  return isTask ? handle(backend, reply.value, caller, ids) : reply
}

function needsTask({ execution }: JsonObject): boolean {
  return isObject(execution) && execution['taskSupport'] === 'required'
}

function withoutTask(params: JsonObject): JsonObject {
  const { task: _, ...plain } = params
  return plain
}

async function createTask(backend: Backend, request: UpstreamRequest, ids: TaskIds): Promise<Reply> {
  const { principal } = request.caller
  const reply = await backend.call(withLastingProgress(request, backend.spec.id, ids))
  if (reply.kind === 'stream') return reply
  const value = renameRelatedTask(reply.value, (id) => ids.shown({ backend: backend.spec.id, id }, principal))
  const task = createdTask(value)
  return { ...reply, value: task ? { ...value, task: shownTask(task, backend.spec.id, ids, principal) } : value }
}

/** Progress of the task comes when this request has long been answered: its token says itself whose it is. */
function withLastingProgress(request: UpstreamRequest, backend: BackendId, ids: TaskIds): UpstreamRequest {
  const { params, patch, caller } = request
  const meta = metaOf(params)
  const token = meta?.['progressToken']
  if (!meta || token === undefined) return { ...request, streaming: false }
  const progressToken = ids.progressToken(token, caller.principal, backend)
  const _meta = { ...withoutHopKeys(meta), progressToken }
  return { ...request, streaming: false, progress: false, patch: { ...patch, _meta } }
}

function handle(backend: Backend, value: JsonObject, caller: Caller, ids: TaskIds): Reply {
  if (!knowsTasks(caller)) {
    const message = `backend "${backend.spec.id}" answered with a task, which the client has not said that it knows`
    throw new GatewayError('BACKEND_PROTOCOL', message)
  }
  return { kind: 'result', value: shownTask(value, backend.spec.id, ids, caller.principal), era: 'modern' }
}
