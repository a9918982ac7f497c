import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { DONE, type Driver, startDriver } from './client/driver.ts'
import { DOCUMENT_HOST, OWN_DOCUMENT } from './client/plans.ts'
import { NOT_RUN } from './exceptions.ts'
import { clientScenariosOf, knownClientScenarios, REVISIONS, scoredOfClient } from './requirements.ts'
import { type ClientResult, runClientScenario, runClientSuite } from './run.ts'

const WRAPPER = fileURLToPath(new URL('client/wrapper.ts', import.meta.url))
// The suite hands this to a shell.
const COMMAND = `"${process.execPath}" "${WRAPPER}"`

const RUNS = REVISIONS.flatMap((revision) => (['legacy', 'modern'] as const).map((era) => ({ revision, era })))

let driver: Driver
beforeAll(async () => {
  driver = await startDriver()
})
afterAll(() => driver.close())

const environment = (era: string, more: Record<string, string> = {}) => ({
  VMCP_CLIENT_DRIVER: driver.url,
  VMCP_CLIENT_ERA: era,
  ...more,
})

/** Warnings included: the suite counts them as failures. */
const failuresOf = ({ checks }: ClientResult): string[] =>
  checks
    .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
    .map(({ id, description = id, errorMessage = description }) => `${id}: ${errorMessage}`)

function expectPassed(result: ClientResult | undefined): void {
  if (!result) return expect.fail('the scenario did not come to its end')
  expect({ failures: failuresOf(result), output: result.output.trim() }).toEqual({ failures: [], output: DONE })
  expect(result.checks.some(({ status }) => status === 'SUCCESS')).toBe(true)
}

describe.each(RUNS)('the gateway as a client of $revision, for a $era client', ({ revision, era }) => {
  let results: Map<string, ClientResult>
  beforeAll(async () => {
    results = await runClientSuite(COMMAND, revision, environment(era))
  }, 200_000)

  test.each(clientScenariosOf(revision).filter((scenario) => !(scenario in NOT_RUN)))('%s', (scenario) => {
    expectPassed(results.get(scenario))
  })
})

/** Of a revision that has no set. */
const OLD = 'auth/2025-03-26-oauth-metadata-backcompat'

test.each(['legacy', 'modern'])(`${OLD}, for a %s client`, async (era) => {
  expectPassed(await runClientScenario(COMMAND, OLD, '2025-03-26', environment(era)))
})

test('every scenario of the suite is run, or there is a reason', () => {
  const run = REVISIONS.flatMap(clientScenariosOf)
  const excepted = Object.keys(NOT_RUN)
  expect(new Set([...run, OLD, ...excepted])).toEqual(new Set(knownClientScenarios()))
  expect(
    excepted.filter((scenario) => REVISIONS.some((revision) => scoredOfClient(revision).includes(scenario))),
  ).toEqual([])
})

test('auth/basic-cimd by the document that the gateway serves itself', async () => {
  const plan = { VMCP_CLIENT_PLAN: OWN_DOCUMENT }
  const result = await runClientScenario(COMMAND, 'auth/basic-cimd', '2026-07-28', environment('modern', plan))
  expect(result?.output.trim()).toBe(DONE)
  const wrong = result?.checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
  // The suite knows the address of one document, which is not below /oauth, and only warns about others.
  expect(wrong).toMatchObject([
    { id: 'cimd-client-id-used', details: { actualClientId: `${DOCUMENT_HOST}/oauth/client-metadata.json` } },
  ])
})
