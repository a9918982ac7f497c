import { expect, test } from 'vitest'
import type { BackendId } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import { NO_PROFILE } from '../model/profile.ts'
import { outcomeOf } from './outcome.ts'

const caller = (era: 'legacy' | 'modern', modern: JsonObject = {}) => ({ era, profile: { ...NO_PROFILE, modern } })
const outcome = (value: JsonObject, asking: ReturnType<typeof caller>) =>
  outcomeOf({ kind: 'result', value, era: 'modern' }, asking, 'b' as BackendId)

test('types of results: known ones are told apart, others need an extension that the client declared', () => {
  expect(outcome({}, caller('legacy')).kind).toBe('result')
  expect(outcome({ resultType: 'complete' }, caller('legacy')).kind).toBe('result')
  expect(outcome({ resultType: 'input_required' }, caller('modern')).kind).toBe('needs-input')
  const odd = { resultType: 'vendor.odd' }
  expect(outcome(odd, caller('modern', { extensions: { vendor: {} } }))).toMatchObject({ value: odd })
  for (const asking of [caller('modern'), caller('legacy'), caller('legacy', { extensions: { vendor: {} } })]) {
    expect(() => outcome(odd, asking)).toThrow('backend "b" answered with a result of the type "vendor.odd"')
  }
  expect(() => outcome({ resultType: { a: 1 } }, caller('modern'))).toThrow('of the type {"a":1}')
})
