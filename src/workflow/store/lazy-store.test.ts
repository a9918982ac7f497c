import { expect, test, vi } from 'vitest'
import { parseJson } from '../../../test/support/workflow/json.ts'
import { describeStore, ROOM, storedRun } from '../../../test/support/workflow/store-suite.ts'
import { lazyStore } from './lazy-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { StoreError } from './store-error.ts'

const opening = () => vi.fn(async () => createMemoryStore(parseJson))
const EVERYTHING = { valuesBefore: Infinity, runsBefore: Infinity, keep: 0 }

describeStore(async () => lazyStore({ open: opening(), mayHoldRuns: () => false }))

test('nothing is opened to find that there is nothing', async () => {
  const open = opening()
  const store = lazyStore({ open, mayHoldRuns: () => false })
  expect(await store.read('a')).toBeUndefined()
  expect(await store.list({})).toEqual([])
  expect(await store.renew('me', 1)).toEqual([])
  expect(await store.update(storedRun('a'), storedRun('a', { revision: 2 }))).toBe(false)
  await store.erase(EVERYTHING)
  await store.close()
  expect(open).not.toHaveBeenCalled()
})

test('it is opened once, to write or to look where there may be runs', async () => {
  const open = opening()
  let isThere = false
  const store = lazyStore({ open, mayHoldRuns: () => isThere })
  await store.list({})
  isThere = true
  await Promise.all([store.list({}), store.read('a')])
  await store.create(storedRun('a'), ROOM)
  isThere = false
  expect((await store.read('a'))?.id).toBe('a')
  expect(open).toHaveBeenCalledTimes(1)
})

test('one that cannot be opened is opened again', async () => {
  const open = opening().mockRejectedValueOnce(new StoreError('failed', 'in the way'))
  const store = lazyStore({ open, mayHoldRuns: () => true })
  await expect(store.read('a')).rejects.toThrow('in the way')
  expect(await store.read('a')).toBeUndefined()
})
