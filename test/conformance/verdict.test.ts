import { expect, test } from 'vitest'

import type { Exception } from './exceptions.ts'
import type { Check } from './run.ts'
import { judge, shortfalls } from './verdict.ts'

const check = (id: string, status: Check['status']): Check => ({ id, name: id, status })
const excuse = (id?: string): Exception => ({
  requirements: '2025-11-25',
  view: 'both',
  scenario: 's',
  ...(id === undefined ? {} : { check: id }),
  reason: 'because',
})

test('a scenario that ended without a failure falls short of nothing', () => {
  expect(shortfalls('2025-11-25', 'ping', [check('ping', 'SUCCESS'), check('other', 'WARNING')])).toEqual([])
})

test('a failed check and a scenario without an end are shortfalls', () => {
  expect(shortfalls('2025-11-25', 'ping', [check('ping', 'FAILURE')])).toEqual([{ check: 'ping', message: 'ping' }])
  expect(shortfalls('2025-11-25', 'ping', undefined)).toHaveLength(1)
})

test('a demanded check must succeed: it may be neither absent, nor skipped, nor a warning', () => {
  const priming = 'server-sse-priming-event'
  const retry = 'server-sse-retry-field'
  const resumed = check('server-sse-disconnect-resume', 'SUCCESS')
  const found = (checks: Check[]) => shortfalls('2025-11-25', 'server-sse-polling', checks).map((each) => each.check)
  expect(found([check(priming, 'SUCCESS'), check(retry, 'SUCCESS'), resumed])).toEqual([])
  expect(found([check(priming, 'SKIPPED'), resumed])).toEqual([priming, retry])
  expect(found([check(priming, 'SUCCESS'), check(retry, 'WARNING'), resumed])).toEqual([retry])
})

test('an exception excuses its check, or the scenario, and fails when it excuses nothing', () => {
  const found = [
    { check: 'a', message: '' },
    { check: 'b', message: '' },
  ]
  expect(judge(found, [excuse('a')])).toEqual({ failures: [found[1]], stale: [] })
  expect(judge(found, [excuse()])).toEqual({ failures: [], stale: [] })
  expect(judge([], [excuse('a')])).toEqual({ failures: [], stale: [excuse('a')] })
})
