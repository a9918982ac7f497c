import type { Call, Context, Outcome } from '../../model/call.ts'
import { requireTasks } from './extension.ts'
import { askBackend, type TaskParts, unknownTask } from './requests.ts'
import type { RunTasks } from './runs/run-tasks.ts'

/**
 * `tasks/get`, `tasks/result`, `tasks/update`, `tasks/cancel`: to whoever performs the task, which its id says. An id that is
 * unknown or foreign is answered alike.
 */
export async function askAboutTask(
  call: Call & { kind: 'task' },
  context: Context,
  tasks: TaskParts,
  runs: Pick<RunTasks, 'ask'>,
): Promise<Outcome> {
  requireTasks(context)
  const task = tasks.ids.open(call.id, context.principal)
  switch (task?.kind) {
    case undefined:
      throw unknownTask()
    case 'backend':
      return askBackend(call, task, context, tasks)
    case 'run':
      return runs.ask(call, task.run, context)
  }
}
