import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import { renameRelatedTask } from '../../protocol/related-task.ts'
import type { TaskAt, TaskIds } from './task-ids.ts'

/** What a backend says of one of its tasks, under the id that the caller knows. */
export function shownTask(
  task: JsonObject,
  backend: TaskAt['backend'],
  ids: TaskIds,
  principal: Principal,
): JsonObject {
  const { taskId } = task
  if (typeof taskId !== 'string') throw new GatewayError('BACKEND_PROTOCOL', 'a task has no id')
  const shown = ids.shown({ backend, id: taskId }, principal)
  if (shown === undefined) throw new GatewayError('BACKEND_PROTOCOL', 'the id of a task is too long')
  return { ...task, taskId: shown }
}

/** The answer to a request about the task `at`, which the caller knows as `known`. */
export function shownAnswer(
  answer: JsonObject,
  at: TaskAt,
  known: string,
  ids: TaskIds,
  principal: Principal,
): JsonObject {
  const nameOf = (id: string): string | undefined =>
    id === at.id ? known : ids.shown({ backend: at.backend, id }, principal)
  const named = typeof answer['taskId'] === 'string' ? { ...answer, taskId: nameOf(answer['taskId']) } : answer
  return renameRelatedTask(named, nameOf)
}

/** The task of a `CreateTaskResult` of 2025-11-25. */
export function createdTask(result: JsonObject): JsonObject | undefined {
  const { task } = result
  return isObject(task) ? task : undefined
}
