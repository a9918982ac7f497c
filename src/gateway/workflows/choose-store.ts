import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { SealingKey, WorkflowSettings } from '../../model/settings.ts'
import { parseJson } from '../../protocol/json.ts'
import { fileIn, openFileStore } from '../../workflow/store/file-store.ts'
import { createMemoryStore } from '../../workflow/store/memory-store.ts'
import type { RunStore } from '../../workflow/store/run-store.ts'
import { runSealing } from './run-sealing.ts'

export interface Place {
  storage: WorkflowSettings['storage']
  /** Where the file lies, unless `storage` says it. Absent: nothing is kept in files. */
  stateFolder: string | undefined
}

/** Where runs lie. `keys`: the first seals, all open. Asked each time: keys rotate. Rejects with `StoreError`. */
export async function chooseStore(place: Place, keys: () => readonly SealingKey[]): Promise<RunStore> {
  const folder = folderOf(place)
  if (folder === undefined) return createMemoryStore(parseJson)
  return openFileStore({ folder, sealing: runSealing(keys), parse: parseJson })
}

/** Whether somebody has kept runs there. */
export function mayHoldRuns(place: Place): boolean {
  const folder = folderOf(place)
  return folder !== undefined && existsSync(fileIn(folder))
}

function folderOf({ storage, stateFolder }: Place): string | undefined {
  if (storage.provider === 'memory') return undefined
  return storage.path ?? (stateFolder && join(stateFolder, 'workflows'))
}
