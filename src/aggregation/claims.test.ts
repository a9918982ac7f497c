import { expect, test } from 'vitest'
import { build, NO_CLAIMS, offers, silent } from '../../test/support/aggregation.ts'
import { claimsOf } from './claims.ts'

const a = offers('a', ['x', 'y'])
const some = { onlyOnConflict: true }

test('every name of a catalogue is claimed, by kind', () => {
  const lists = { tools: [], prompts: [{ name: 'x' }], resources: [{ uri: 'x', name: 'r' }], templates: [] }
  expect([...claimsOf(build([offers('a', lists)]), NO_CLAIMS)]).toEqual([
    ['prompt x', { backend: 'a', native: 'x' }],
    ['resource x', { backend: 'a', native: 'x' }],
  ])
})

test('a silent backend keeps its claims, one that answers keeps what it still offers', () => {
  const claims = claimsOf(build([a], some), NO_CLAIMS)
  expect([...claimsOf(build([silent('a')], some, claims), claims).keys()]).toEqual(['tool x', 'tool y'])
  expect([...claimsOf(build([offers('a', ['y'])], some, claims), claims).keys()]).toEqual(['tool y'])
})

test('a withheld name stays with its owner, in case that falls silent', () => {
  const manual = { strategy: 'manual' as const }
  const alone = claimsOf(build([a], manual), NO_CLAIMS)
  const both = claimsOf(build([a, offers('b', ['x'])], manual, alone), alone)
  expect(both.get('tool x')).toEqual({ backend: 'a', native: 'x' })
  expect(build([silent('a'), offers('b', ['x'])], manual, both).tools.size).toBe(0)
})
