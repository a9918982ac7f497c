import { expect, test } from 'vitest'
import { parseJson } from '../../../test/support/workflow/json.ts'
import { ROOM, storedRun } from '../../../test/support/workflow/store-suite.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { StoreError } from '../store/store-error.ts'
import { DEFAULT_SETTINGS } from './settings.ts'
import { upkeep } from './upkeep.ts'

test('a run of a later version is left to it, and holds up nothing', async () => {
  const store = createMemoryStore(parseJson)
  const lease = { holder: 'gone', until: 1 }
  for (const id of ['old', 'later', 'new']) await store.create(storedRun(id, { lease }), ROOM)
  const ended: string[] = []
  const read: typeof store.read = (id) =>
    id === 'later' ? Promise.reject(new StoreError('newer', 'format 2')) : store.read(id)
  const end = async ({ id }: { id: string }): Promise<boolean> => ended.push(id) > 0
  await upkeep({ ...store, read }, DEFAULT_SETTINGS, 10_000_000, end)
  expect(ended.toSorted()).toEqual(['new', 'old'])
  expect((await store.read('later'))?.endedAt).toBeUndefined()
})
