import type { Call, Context } from '../../model/call.ts'
import type { BackendId } from '../../model/ids.ts'
import type { Entry } from '../../model/catalogue.ts'
import { backendOf } from '../../model/catalogue.ts'
import type { Resolver } from '../catalogue/resolve.ts'
import type { TaskIds } from '../tasks/task-ids.ts'

/** The one backend that a call is for, as far as that can be told without asking; whose timeouts apply. */
export function ownerOf(
  call: Call,
  context: Context,
  resolver: Resolver,
  ids: TaskIds,
  methods: ReadonlyMap<string, BackendId>,
): BackendId | undefined {
  switch (call.kind) {
    case 'task': {
      const task = ids.open(call.id, context.principal)
      return task?.kind === 'backend' ? task.backend : undefined
    }
    case 'tasks':
    case 'skills':
      return undefined
    case 'skill':
    case 'directory':
      return ownerIn(resolver.now({ kind: 'resource', uri: call.uri, params: {} }, context))
    case 'vendor':
      return methods.get(call.method)
    case 'tool':
    case 'prompt':
    case 'resource':
    case 'complete':
      return ownerIn(resolver.now(call, context))
  }
}

const ownerIn = (entry: Entry | undefined): BackendId | undefined => entry && backendOf(entry)
