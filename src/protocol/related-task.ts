import type { JsonObject } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { metaOf } from './envelope.ts'

/** Names the task that a message is about (2025-11-25, tasks, "Related Task Metadata"). */
export const RELATED_TASK = 'io.modelcontextprotocol/related-task'

/** The task that a message is about. */
export function relatedTaskOf(message: JsonObject): string | undefined {
  const related = metaOf(message)?.[RELATED_TASK]
  const taskId = isObject(related) ? related['taskId'] : undefined
  return typeof taskId === 'string' ? taskId : undefined
}

/**
 * A message whose related task is renamed; `rename` answers `undefined` for a task that the reader is not to hear of.
 * The same object when it names none.
 */
export function renameRelatedTask(message: JsonObject, rename: (id: string) => string | undefined): JsonObject {
  const meta = metaOf(message)
  const related = meta?.[RELATED_TASK]
  if (!meta || !isObject(related) || typeof related['taskId'] !== 'string') return message
  const taskId = rename(related['taskId'])
  if (taskId !== undefined) return { ...message, _meta: { ...meta, [RELATED_TASK]: { ...related, taskId } } }
  const { [RELATED_TASK]: _task, ...left } = meta
  if (Object.keys(left).length > 0) return { ...message, _meta: left }
  const { _meta: _, ...rest } = message
  return rest
}
