import type { Backend } from '../../backends/backend.ts'
import { ownRequest } from '../../backends/leg.ts'
import type { Call, Context, Outcome } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { BackendId } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import { linksIn } from '../../protocol/links.ts'
import { renameRelatedTask } from '../../protocol/related-task.ts'
import type { LinkMemory } from '../catalogue/link-memory.ts'
import { fetchPages } from '../extensions/pages.ts'
import { requestTo } from '../upstream.ts'
import { shownAnswer } from './shown-task.ts'
import type { TaskAt, TaskIds } from './task-ids.ts'

export interface TaskParts {
  /** In configured order. */
  backends: ReadonlyMap<BackendId, Backend>
  ids: TaskIds
  links: LinkMemory
}

/** Asks the backend, over the caller's own connection. One that is gone, or serves the other era only, knows no such task. */
export async function askBackend(
  { verb, id, params }: Call & { kind: 'task' },
  at: TaskAt,
  context: Context,
  { backends, ids, links }: TaskParts,
): Promise<Outcome> {
  const backend = backends.get(at.backend)
  if (backend && !backend.reachable) await backend.wake(context.signal)
  if (!backend || backend.servingEra(context.era) !== context.era) throw unknownTask()
  const said = renameRelatedTask(params, (token) => ids.namesOf(at.backend).native(token, context.principal) ?? token)
  const request = requestTo(`tasks/${verb}`, said, { taskId: at.id }, at.backend, context)
  // It is answered when the task has ended: silence says nothing, `timeouts.max` is the cap.
  const release = verb === 'result' ? context.deadline?.hold() : undefined
  try {
    const reply = await backend.call(request)
    if (reply.kind === 'stream') throw new GatewayError('BACKEND_PROTOCOL', 'a task was answered as a stream')
    const { value, era } = reply
    links.remember(context.owner, linksIn(isObject(value['result']) ? value['result'] : value), at.backend)
    return { kind: 'result', value: shownAnswer(value, at, id, ids, context.principal), era }
  } finally {
    release?.()
  }
}

/** Unknown, foreign or erased: one answer for all. */
export function unknownTask(): GatewayError {
  return new GatewayError('NOT_AVAILABLE', 'Failed to retrieve task: Task not found')
}

/**
 * `tasks/list`: the tasks that the backends have for this session, as one page. Only connections that are the session's
 * alone are asked: on a shared one others have tasks too. A backend that does not answer is left out.
 */
export async function listTasks(
  { params }: Call & { kind: 'tasks' },
  context: Context,
  { backends, ids }: TaskParts,
): Promise<Outcome> {
  if (params['cursor'] !== undefined) throw new GatewayError('PARAMS_INVALID', 'Invalid cursor')
  const lists = await Promise.all(
    [...backends.values()].map(async (backend) => {
      if (!hasList(backend.ownCapabilities(context))) return []
      const fetch = (page: JsonObject) => backend.call(ownRequest('tasks/list', page, context.signal, context))
      const { items } = await fetchPages('tasks', fetch)
      return items.flatMap((task) => shownTasks(task, backend.spec.id, ids, context.principal))
    }),
  )
  const tasks = lists.flat()
  return { kind: 'result', value: { tasks }, era: 'legacy' }
}

/** Tasks that the gateway runs itself are nobody else's. */
function shownTasks(task: JsonObject, backend: BackendId, ids: TaskIds, principal: Principal): JsonObject[] {
  const { taskId } = task
  const shown = typeof taskId === 'string' ? ids.shown({ backend, id: taskId }, principal) : undefined
  return shown === undefined ? [] : [{ ...task, taskId: shown }]
}

function hasList(capabilities: JsonObject | undefined): boolean {
  const tasks = capabilities?.['tasks']
  return isObject(tasks) && tasks['list'] !== undefined
}
