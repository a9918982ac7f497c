import { expect, test } from 'vitest'
import type { CacheHint } from '../model/catalogue.ts'
import { mergeHints } from './hints.ts'

const hint = (ttlMs: number, cacheScope: CacheHint['cacheScope'] = 'public'): CacheHint => ({ ttlMs, cacheScope })

test.each<[what: string, own: CacheHint, others: (CacheHint | undefined)[], merged: CacheHint]>([
  ['nobody says anything', hint(5000), [], hint(5000)],
  ['who says nothing changes nothing', hint(5000), [undefined], hint(5000)],
  ['the stalest counts', hint(5000), [hint(900), undefined, hint(300)], hint(300)],
  ['never longer than our own', hint(5000), [hint(60_000)], hint(5000)],
  ['what is stale already', hint(5000), [hint(0), hint(60_000)], hint(0)],
  ['one private list', hint(5000), [hint(900), hint(60_000, 'private')], hint(900, 'private')],
  ['a list of our own that depends on its caller', hint(5000, 'private'), [hint(900)], hint(900, 'private')],
])('%s', (_what, own, others, merged) => {
  expect(mergeHints(own, others)).toEqual(merged)
})
