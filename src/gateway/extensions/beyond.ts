import type { Call, Context, EntryCall, Outcome } from '../../model/call.ts'
import type { CatalogueKeeper } from '../catalogue/keeper.ts'
import { askAboutTask } from '../tasks/ask.ts'
import type { TaskParts } from '../tasks/requests.ts'
import { listTasks } from '../tasks/requests.ts'
import type { RunTasks } from '../tasks/runs/run-tasks.ts'
import type { SkillParts } from './skills.ts'
import { listSkills, readSkill } from './skills.ts'
import type { VendorParts } from './vendor.ts'
import { callVendor } from './vendor.ts'

export interface BeyondParts {
  keeper: CatalogueKeeper
  tasks: TaskParts
  runTasks: RunTasks
  skills: SkillParts
  vendor: VendorParts
}

/** Requests that name no entry of the catalogue: what they name says which backend they go to. */
export async function invokeBeyond(
  call: Exclude<Call, EntryCall>,
  context: Context,
  { keeper, tasks, runTasks, skills, vendor }: BeyondParts,
): Promise<Outcome> {
  switch (call.kind) {
    case 'task':
      return askAboutTask(call, context, tasks, runTasks)
    case 'tasks':
      return listTasks(call, context, tasks)
    case 'skills':
      // Backends that are still connecting may have some.
      await keeper.forList(context)
      return listSkills(call, context, skills)
    case 'skill':
    case 'directory':
      return readSkill(call, context, skills)
    case 'vendor':
      return callVendor(call, context, vendor)
  }
}
