/**
 * Adds one to a counter so often, with others doing the same. Says how often it was the first.
 * Arguments: folder, id of the run, how often.
 */
import { parseJson } from '../../../../src/protocol/json.ts'
import { openFileStore } from '../../../../src/workflow/store/file-store.ts'
import { sealingWith, TEST_KEY } from '../sealing.ts'
import { bodyOf, ROOM, storedRun } from '../store-suite.ts'

const [folder = '', id = '', times = '0'] = process.argv.slice(2)
const store = await openFileStore({ folder, sealing: sealingWith(TEST_KEY), parse: parseJson })
await store.create(storedRun(id, { body: bodyOf({ count: 0 }) }), ROOM)
let lost = 0
for (let done = 0; done < Number(times);) {
  const run = await store.read(id)
  if (!run?.body) throw new Error('There is no such run')
  const { count } = run.body.run as unknown as { count: number }
  const after = { ...run, revision: run.revision + 1, body: bodyOf({ count: count + 1 }) }
  if (await store.update(run, after)) done++
  else lost++
}
await store.close()
process.stdout.write(JSON.stringify({ lost }))
