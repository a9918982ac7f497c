import type { JsonObject } from '../../../model/json.ts'
import type { RunView } from '../../../workflow/run/ports.ts'
import { resultOf } from '../../workflows/outcome.ts'
import { inputRequests } from '../../workflows/questions.ts'

/** How often a client is to ask. */
const POLL_MS = 1000

/** A run as `tasks/get` and `notifications/tasks` show it (tasks extension, "Task Status"), under the id that its owner knows. */
export function taskOf(taskId: string, view: RunView): JsonObject {
  return { ...baseOf(taskId, view), ...detailsOf(view) }
}

/** The answer to a call that goes on without its request (tasks extension, "Task Creation"). */
export function handleOf(taskId: string, view: RunView): JsonObject {
  return { resultType: 'task', ...baseOf(taskId, view) }
}

function baseOf(taskId: string, view: RunView): JsonObject {
  const { createdAt, updatedAt, erasedAt } = view
  return {
    taskId,
    status: statusOf(view),
    createdAt: new Date(createdAt).toISOString(),
    lastUpdatedAt: new Date(updatedAt).toISOString(),
    ttlMs: erasedAt === undefined ? null : erasedAt - createdAt,
    pollIntervalMs: POLL_MS,
  }
}

/** A run that failed has a result that says so: `failed` is for calls without any ("Task Execution Errors"). */
function statusOf(view: RunView): string {
  if (view.kind === 'running') return 'working'
  if (view.kind === 'asking') return 'input_required'
  return view.outcome.status === 'cancelled' ? 'cancelled' : 'completed'
}

function detailsOf(view: RunView): JsonObject {
  switch (view.kind) {
    case 'running':
      return {}
    case 'asking':
      return { inputRequests: inputRequests(view.questions) }
    case 'finished': {
      const { outcome } = view
      if (outcome.status === 'cancelled') return { statusMessage: outcome.error.message }
      return { result: { resultType: 'complete', ...resultOf(view, view.workflow).value } }
    }
  }
}
