import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import { DRIVES } from './client/scenarios.ts'
import { runClientScenario } from './run.ts'

const WRAPPER = fileURLToPath(new URL('client/wrapper.ts', import.meta.url))
// The suite hands this to a shell.
const COMMAND = `"${process.execPath}" "${WRAPPER}"`

const CASES = Object.entries(DRIVES).flatMap(([scenario, drives]) =>
  drives.flatMap(({ revision }) => (['legacy', 'modern'] as const).map((era) => ({ scenario, revision, era }))),
)

describe('the gateway as a client of the suite', () => {
  test.concurrent.each(CASES)('$scenario of $revision, for a $era client', async ({ scenario, revision, era }) => {
    const result = await runClientScenario(COMMAND, scenario, revision, { VMCP_CLIENT_ERA: era })
    const failed = result.checks
      .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
      .map(({ id, name, errorMessage = name }) => `${id}: ${errorMessage}`)
    expect(failed).toEqual([])
    expect(result.exitCode, result.output).toBe(0)
    expect(result.checks.filter(({ status }) => status === 'SUCCESS')).not.toEqual([])
  })
})
