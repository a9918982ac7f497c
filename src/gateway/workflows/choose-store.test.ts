import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bodyOf, ROOM, storedRun } from '../../../test/support/workflow/store-suite.ts'
import type { SealingKey } from '../../model/settings.ts'
import { chooseStore, mayHoldRuns } from './choose-store.ts'

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'vmcp-runs-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const [OLD, NEW] = [1, 2].map((fill): SealingKey => ({ id: `k${fill}`, key: Buffer.alloc(32, fill) })) as [
  SealingKey,
  SealingKey,
]
const storeWith = (keys: () => readonly SealingKey[]) =>
  chooseStore({ storage: { provider: 'file' }, stateFolder: folder }, keys)
const run = (id: string) => storedRun(id, { body: bodyOf({ a: id }) })

test('keys rotate: what is begun with the new one does not need the old one, whatever was begun before', async () => {
  for (const keys of [[OLD], [NEW, OLD], [NEW]]) {
    const store = await storeWith(() => keys)
    const id = keys.map((key) => key.id).join('-')
    expect(await store.create(run(id), ROOM)).toBe('created')
    expect((await store.read(id))?.body).toEqual(run(id).body)
    await store.close()
  }
})

test('they rotate while the store is open, too', async () => {
  let keys = [OLD]
  const store = await storeWith(() => keys)
  await store.create(run('one'), ROOM)
  keys = [NEW, OLD]
  await store.create(run('two'), ROOM)
  expect(await store.read('one')).toBeDefined()
  keys = [NEW]
  expect((await store.read('two'))?.body).toEqual(run('two').body)
  await expect(store.read('one')).rejects.toMatchObject({ kind: 'sealed' })
  await store.close()
})

test('a place holds runs as soon as somebody has kept one there', async () => {
  const place = { storage: { provider: 'file' }, stateFolder: folder } as const
  expect(mayHoldRuns(place)).toBe(false)
  await (await storeWith(() => [OLD])).close()
  expect(mayHoldRuns(place)).toBe(true)
  expect(mayHoldRuns({ ...place, storage: { provider: 'memory' } })).toBe(false)
  expect(mayHoldRuns({ storage: { provider: 'file', path: join(folder, 'workflows') }, stateFolder: undefined })).toBe(
    true,
  )
})
