import { expect, test } from 'vitest'
import type { CacheHint } from '../../model/catalogue.ts'
import type { JsonObject } from '../../model/json.ts'
import { hintNow, isOutdated, mayHaveChanged } from './lists-age.ts'
import type { Listing } from './lists.ts'

const NOW = 1_000_000

function aged(ageMs: number, ttlMs: number | undefined, tools: JsonObject | undefined, hears = true): Listing {
  const hint: CacheHint | undefined = ttlMs === undefined ? undefined : { ttlMs, cacheScope: 'public' }
  return {
    lists: { tools: [], prompts: [], resources: [], templates: [] },
    hints: { tools: tools && hint, prompts: undefined, resources: undefined, templates: undefined },
    at: NOW - ageMs,
    leg: { capabilities: tools ? { tools } : {}, hears },
  }
}
const ANNOUNCED = { listChanged: true }

test('what is not announced gets older, what is announced does not', () => {
  expect(hintNow(aged(400, 1000, {}), 'tools', NOW)?.ttlMs).toBe(600)
  expect(hintNow(aged(4000, 1000, {}), 'tools', NOW)?.ttlMs).toBe(0)
  expect(hintNow(aged(4000, 1000, ANNOUNCED), 'tools', NOW)?.ttlMs).toBe(1000)
  expect(hintNow(aged(4000, 1000, ANNOUNCED, false), 'tools', NOW)?.ttlMs).toBe(0)
  expect(hintNow(aged(4000, undefined, {}), 'tools', NOW)).toBeUndefined()
})

test.each<[what: string, listing: Listing, outdated: boolean]>([
  ['within its time', aged(1500, 2000, {}), false],
  ['past its time', aged(2500, 2000, {}), true],
  ['past its time, announced', aged(2500, 2000, ANNOUNCED), false],
  ['past its time, announced where nobody hears it', aged(2500, 2000, ANNOUNCED, false), true],
  ['of no time at all, asked for just now', aged(900, 0, {}), false],
  ['of no time at all', aged(1000, 0, {}), true],
  ['of a server that says nothing', aged(59_000, undefined, {}), false],
  ['of a server that says nothing, after a minute', aged(60_000, undefined, {}), true],
  ['that the server does not have', aged(90_000, undefined, undefined), false],
])('a list %s', (_what, listing, outdated) => {
  expect(isOutdated(listing, NOW)).toBe(outdated)
})

test('a name may be new where nobody would have told of it', () => {
  expect(mayHaveChanged(aged(1000, 60_000, {}), 'tools', NOW)).toBe(true)
  expect(mayHaveChanged(aged(999, 60_000, {}), 'tools', NOW)).toBe(false)
  expect(mayHaveChanged(aged(1000, 60_000, ANNOUNCED), 'tools', NOW)).toBe(false)
  expect(mayHaveChanged(aged(1000, 60_000, {}), 'prompts', NOW)).toBe(false)
})
