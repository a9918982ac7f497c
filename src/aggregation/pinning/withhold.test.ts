import { expect, test } from 'vitest'
import { build, lines, NO_CLAIMS, offers, silent, tool } from '../../../test/support/aggregation.ts'
import { claimsOf } from '../claims.ts'
import type { Contribution } from '../contribution.ts'
import { lockOf } from './lock.ts'
import { pinsOf } from './pins.ts'
import { withhold } from './withhold.ts'

const lockedTo = (...contributions: Contribution[]) =>
  lockOf(contributions.flatMap(({ backend, lists }) => (lists ? pinsOf(backend, lists) : [])))
const evil = tool('search', { description: 'Poison' })

test('what is locked passes as it is', () => {
  const all = [offers('a', { tools: [tool('x')], instructions: 'Be kind' }), silent('b')]
  const { contributions, withheld } = withhold(all, lockedTo(...all))
  expect(withheld).toEqual([])
  expect(contributions).toEqual(all)
  expect(contributions[0]?.lists).toBe(all[0]?.lists)
})

test('new and changed definitions of every kind are taken out, instructions too', () => {
  const offer = (text: string) =>
    offers('a', {
      tools: [tool('t', { description: text }), tool('same')],
      prompts: [{ name: 'p', description: text }],
      resources: [{ uri: 'x:r', name: text }],
      templates: [{ uriTemplate: 'x:{t}', name: text }],
      instructions: text,
    })
  const lock = lockedTo(offer('before'))
  const { contributions, withheld } = withhold([offer('after'), offers('b', ['new'])], lock)
  expect(withheld.map(({ backend, kind, name, why }) => `${backend} ${kind} ${name} ${why}`)).toEqual([
    'a tool t changed',
    'a prompt p changed',
    'a resource x:r changed',
    'a template x:{t} changed',
    'a instructions  changed',
    'b tool new new',
  ])
  expect(contributions[0]?.lists).toEqual({ tools: [tool('same')], prompts: [], resources: [], templates: [] })
  expect(contributions[0]?.reserved).toEqual({ tools: ['t'], prompts: ['p'], resources: ['x:r'], templates: ['x:{t}'] })
  expect(contributions[1]).toMatchObject({ lists: { tools: [] }, reserved: {} })
})

test.each([
  ['priority', { strategy: 'priority', priorityOrder: ['a', 'b'] }, ['search <- a/search'], []],
  [
    'onlyOnConflict',
    { onlyOnConflict: true },
    ['a_search <- a/search', 'b_search <- b/search'],
    ['b_search <- b/search'],
  ],
] as const)('%s: nobody inherits the name of a tool that was altered', (_name, settings, before, after) => {
  const [a, b] = [offers('a', ['search']), offers('b', ['search'])]
  const lock = lockedTo(a, b)
  expect(lines(build(withhold([a, b], lock).contributions, settings))).toEqual(before)
  const altered = withhold([offers('a', { tools: [evil] }), b], lock).contributions
  expect(lines(build(altered, settings))).toEqual(after)
})

test('a claimed name is kept while its tool is withheld, and given back', () => {
  const settings = { onlyOnConflict: true }
  const [a, b] = [offers('a', ['search', 'other']), offers('b', ['search'])]
  const lock = lockedTo(a, b)
  const first = build(withhold([a, silent('b')], lock).contributions, settings)
  expect(lines(first)).toEqual(['search <- a/search', 'other <- a/other'])
  let claims = claimsOf(first, NO_CLAIMS)
  const altered = withhold([offers('a', { tools: [evil, tool('other')] }), b], lock).contributions
  const second = build(altered, settings, claims)
  expect(lines(second)).toEqual(['other <- a/other', 'b_search <- b/search'])
  claims = claimsOf(second, claims, altered)
  const third = build(withhold([a, b], lock).contributions, settings, claims)
  expect(lines(third)).toEqual(['search <- a/search', 'other <- a/other', 'b_search <- b/search'])
})

test('of two entries of one name the altered one is out, the other may be shown', () => {
  const lock = lockedTo(offers('a', ['search']))
  const { contributions, withheld } = withhold([offers('a', { tools: [evil, tool('search')] })], lock)
  expect(withheld).toMatchObject([{ name: 'search', why: 'changed' }])
  expect([...build(contributions).tools.values()].map(({ definition }) => definition)).toEqual([tool('search')])
})
