import { expect, test } from 'vitest'
import { build, down, offers, tool, toolSettings } from '../../test/support/aggregation.ts'
import { diffCatalogues } from './diff.ts'

const lists = { tools: [tool('x'), tool('y')], prompts: [{ name: 'p' }], resources: [{ uri: 'u:1', name: 'r' }] }
const a = offers('a', lists)
const before = build([a])
const nothing = { tools: false, prompts: false, resources: false }

test.each([
  ['nothing', build([structuredClone(a)]), nothing],
  ['order', build([offers('a', { ...lists, tools: [tool('y'), tool('x')] })]), { ...nothing, tools: true }],
  [
    'a description',
    build([offers('a', { ...lists, tools: [tool('x'), tool('y', { description: '' })] })]),
    { ...nothing, tools: true },
  ],
  ['a prompt less', build([offers('a', { ...lists, prompts: [] })]), { ...nothing, prompts: true }],
  [
    'a template more',
    build([offers('a', { ...lists, templates: [{ uriTemplate: 'u:{n}', name: 't' }] })]),
    { ...nothing, resources: true },
  ],
  ['the backend away', build([down(a)]), { tools: true, prompts: true, resources: true }],
])('%s', (_, after, change) => expect(diffCatalogues(before, after)).toEqual(change))

test('hidden tools may come and go unseen', () => {
  const tools = toolSettings('a', { filter: ['x', 'y'] })
  const more = build([offers('a', { ...lists, tools: [tool('z'), tool('x'), tool('y')] })], { tools })
  expect(diffCatalogues(before, more)).toEqual(nothing)
})
