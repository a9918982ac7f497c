import { describe, expect, test } from 'vitest'

import { bodyOf, describeStore, ROOM, storedRun } from '../../../test/support/workflow/store-suite.ts'
import { parseJson } from '../../../test/support/workflow/json.ts'
import { createMemoryStore } from './memory-store.ts'

describe('memory', () => describeStore(() => Promise.resolve(createMemoryStore(parseJson))))

test('values of ended runs take no more than so much, the last to end keep theirs, and open runs keep all', async () => {
  const store = createMemoryStore(parseJson, 3_000)
  const body = bodyOf({ text: 'x'.repeat(900) })
  await store.create(storedRun('open', { status: 'suspended', body }), ROOM)
  for (let count = 0; count < 10; count++) {
    const run = storedRun(`r${count}`, { body })
    await store.create(run, ROOM)
    await store.update(run, { ...run, revision: 2, status: 'completed', endedAt: count, steps: [] })
  }
  const runs = await Promise.all((await store.list({})).map(({ id }) => store.read(id)))
  expect(runs.flatMap((run) => (run?.body ? [run.id] : []))).toEqual(['r9', 'r8', 'r7', 'open'])
  await store.erase({ valuesBefore: 9, runsBefore: 5, keep: 3 })
  expect((await store.list({})).map(({ id }) => id)).toEqual(['r9', 'r8', 'r7', 'open'])
  expect((await store.read('r8'))?.body).toBeUndefined()
})
