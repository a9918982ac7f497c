import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'

import { runStore } from '../../../src/gateway/workflows/store.ts'
import { bodyOf, ROOM, storedRun } from '../../support/workflow/store-suite.ts'

const RUNS = 20
const UPDATES = 30

test('no two seals of the gateway share a nonce, however many there are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-sealing-'))
  const keys = [{ id: 'one', key: Buffer.alloc(32, 1) }]
  const store = runStore({ storage: { provider: 'file', path: folder }, stateFolder: undefined, keys: () => keys })
  await Promise.all(
    Array.from({ length: RUNS }, async (_, index) => {
      let run = storedRun(`run-${index}`)
      await store.create(run, ROOM)
      for (let count = 0; count < UPDATES; count++) {
        const after = { ...run, revision: run.revision + 1, body: bodyOf({ count }) }
        await store.update(run, after)
        run = after
      }
      expect((await store.read(run.id))?.body).toEqual(run.body)
    }),
  )
  await store.close()
  const file = new DatabaseSync(join(folder, 'runs.db'))
  const sealed = file.prepare('SELECT sealed FROM journal').all() as { sealed: Uint8Array }[]
  file.close()
  rmSync(folder, { recursive: true })
  const nonces = sealed.map((row) => Buffer.from(row.sealed).toString('hex', 4, 16))
  expect(nonces).toHaveLength(RUNS * (UPDATES + 1))
  expect(new Set(nonces).size).toBe(nonces.length)
})
