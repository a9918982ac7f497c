/**
 * Begins a run, or goes on with it; says on stdout what it sends and what comes of it, one JSON value a line. Nothing
 * behind the question ever ends here. Arguments: folder; and id and answers of a run that waits.
 */
import { writeSync } from 'node:fs'

import type { JsonObject } from '../../../../src/model/json.ts'
import { crashing, CRASHING } from '../crashing.ts'
import { beginning, caller } from '../engine.ts'

const [folder = '', id, answers = '{}'] = process.argv.slice(2)
// Until it is killed.
setInterval(() => {}, 1_000)
const say = (value: unknown) => writeSync(1, `${JSON.stringify(value)}\n`)
const { engine } = await crashing(folder, ({ step, attempt, idempotencyKey }) => {
  say({ sent: { step, attempt, idempotencyKey } })
  return step === 'before' ? Promise.resolve({ output: 'done before' }) : new Promise(() => {})
})
const turn =
  id === undefined
    ? engine.begin(beginning(CRASHING))
    : engine.resume(id, 'ann', JSON.parse(answers) as Record<string, JsonObject>, caller())
say({ turn: await turn })
