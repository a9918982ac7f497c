import type { Exception } from './exceptions.ts'
import { DEMANDED, type Revision } from './requirements.ts'
import type { Check } from './run.ts'

export interface Shortfall {
  check: string
  message: string
}

/** What is wrong with the result of a scenario: checks that failed, and checks that we demand and did not succeed. */
export function shortfalls(revision: Revision, scenario: string, checks: readonly Check[] | undefined): Shortfall[] {
  if (!checks) return [{ check: scenario, message: 'the scenario did not come to its end' }]
  const failed = checks
    .filter(({ status }) => status === 'FAILURE')
    .map(({ id, name, errorMessage = name }) => ({ check: id, message: errorMessage }))
  const succeed = DEMANDED[revision].find((demand) => demand.scenario === scenario)?.succeed ?? []
  const missing = succeed
    .filter((id) => !checks.some((check) => check.id === id && check.status !== 'SKIPPED' && check.status !== 'INFO'))
    .map((id) => ({ check: id, message: 'was not exercised' }))
  const warned = checks
    .filter(({ id, status }) => status === 'WARNING' && succeed.includes(id))
    .map(({ id, name, errorMessage = name }) => ({ check: id, message: errorMessage }))
  return [...failed, ...missing, ...warned]
}

/** What remains when the written exceptions are taken away, and the exceptions that have nothing to excuse. */
export function judge(found: readonly Shortfall[], exceptions: readonly Exception[]) {
  const covers = (exception: Exception, { check }: Shortfall) =>
    exception.check === undefined || exception.check === check
  return {
    failures: found.filter((shortfall) => !exceptions.some((exception) => covers(exception, shortfall))),
    stale: exceptions.filter((exception) => !found.some((shortfall) => covers(exception, shortfall))),
  }
}
