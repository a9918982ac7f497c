import { expect, test } from 'vitest'

import { isDue, standingOf } from './standing.ts'

const NOW = 1_000
const lease = (until: number) => ({ lease: { holder: 'x', until } })

test.each([
  ['performed until its lease is past', lease(NOW), 'performed'],
  ['abandoned afterwards', lease(NOW - 1), 'abandoned'],
  ['abandoned, whether or not its user has answered', { ...lease(NOW - 1), openUntil: NOW - 1 }, 'abandoned'],
  ['performed while its user is asked, however long', { ...lease(NOW + 1), openUntil: NOW - 1 }, 'performed'],
  ['waiting until nobody waits any longer', { openUntil: NOW + 1 }, 'waiting'],
  ['expired from then on', { openUntil: NOW }, 'expired'],
  ['over, whatever else is said', { endedAt: 1, openUntil: 1, ...lease(1) }, 'over'],
] as const)('a run is %s', (_, run, standing) => {
  expect(standingOf(run, NOW)).toBe(standing)
  expect(isDue(standing)).toBe(standing === 'abandoned' || standing === 'expired')
})
