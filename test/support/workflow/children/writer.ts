/**
 * Updates one run as fast as it can, and says so of each update that was acknowledged. Killed in the middle.
 * Arguments: folder, id of the run.
 */
import { writeSync } from 'node:fs'

import { parseJson } from '../../../../src/protocol/json.ts'
import { openFileStore } from '../../../../src/workflow/store/file-store.ts'
import { sealingWith, TEST_KEY } from '../sealing.ts'
import { bodyOf, ROOM, storedRun } from '../store-suite.ts'

const [folder = '', id = ''] = process.argv.slice(2)
const store = await openFileStore({ folder, sealing: sealingWith(TEST_KEY), parse: parseJson })
let run = storedRun(id)
await store.create(run, ROOM)
for (let count = 1; count <= 1_000; count++) {
  const after = {
    ...run,
    revision: run.revision + 1,
    body: bodyOf({ count, list: Array.from({ length: count % 7 }, () => 0) }),
  }
  if (!(await store.update(run, after))) break
  run = after
  writeSync(1, `${count}\n`)
}
await store.close()
