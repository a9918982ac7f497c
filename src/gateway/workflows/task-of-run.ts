import type { JsonObject } from '../../model/json.ts'
import { resultOf } from './outcome.ts'
import { inputRequests } from './questions.ts'
import type { RunRecord } from './runs.ts'

/** How often a client is to ask. */
const POLL_MS = 1000

/** A run as `tasks/get` and `notifications/tasks` show it (tasks extension, "Task Status"), under the id that its owner knows. */
export function taskOf(taskId: string, record: RunRecord): JsonObject {
  return { ...baseOf(taskId, record), ...detailsOf(record) }
}

/** The answer to a call that goes on without its request (tasks extension, "Task Creation"). */
export function handleOf(taskId: string, record: RunRecord): JsonObject {
  return { resultType: 'task', ...baseOf(taskId, record) }
}

function baseOf(taskId: string, { look, createdAt, updatedAt, erasedAt }: RunRecord): JsonObject {
  return {
    taskId,
    status: statusOf(look),
    createdAt: new Date(createdAt).toISOString(),
    lastUpdatedAt: new Date(updatedAt).toISOString(),
    ttlMs: erasedAt === undefined ? null : erasedAt - createdAt,
    pollIntervalMs: POLL_MS,
  }
}

/** A run that failed has a result that says so: `failed` is for calls without any ("Task Execution Errors"). */
function statusOf(look: RunRecord['look']): string {
  if (look.kind === 'running') return 'working'
  if (look.kind === 'asking') return 'input_required'
  return look.outcome.status === 'cancelled' ? 'cancelled' : 'completed'
}

function detailsOf({ look, workflow }: RunRecord): JsonObject {
  switch (look.kind) {
    case 'running':
      return {}
    case 'asking':
      return { inputRequests: inputRequests(look.questions) }
    case 'finished': {
      const { outcome } = look
      if (outcome.status === 'cancelled') return { statusMessage: outcome.error.message }
      return { result: { resultType: 'complete', ...resultOf(look, workflow).value } }
    }
  }
}
