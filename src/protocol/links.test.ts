import fc from 'fast-check'
import { expect, test } from 'vitest'
import { linksIn } from './links.ts'

test('links and embedded resources of a tool result', () => {
  const content = [
    { type: 'text', text: 'file:///not-a-link' },
    { type: 'resource_link', uri: 'file:///a', name: 'a' },
    { type: 'resource', resource: { uri: 'file:///b', text: '' } },
    { type: 'image', uri: 'file:///c' },
  ]
  expect(linksIn({ content })).toEqual(['file:///a', 'file:///b'])
})

test('links of prompt messages, whose content is one block', () => {
  const link = { type: 'resource_link', uri: 'x://1' }
  const messages = [
    { role: 'user', content: link },
    { role: 'assistant', content: [{ ...link, uri: 'x://2' }] },
  ]
  expect(linksIn({ messages })).toEqual(['x://1', 'x://2'])
})

test('the page of an app, in definitions and results, in both spellings', () => {
  expect(linksIn({ name: 't', _meta: { ui: { resourceUri: 'ui://new' } } })).toEqual(['ui://new'])
  expect(linksIn({ name: 't', _meta: { 'ui/resourceUri': 'ui://old' } })).toEqual(['ui://old'])
  expect(linksIn({ content: [], _meta: { ui: { resourceUri: 'ui://a' } } })).toEqual(['ui://a'])
})

test('a result without links costs no list of its own', () => {
  expect(linksIn({})).toBe(linksIn({ content: [{ type: 'text', text: 'x' }], _meta: { a: 1 } }))
})

test('too many and too long links are left out', () => {
  const link = (uri: string) => ({ type: 'resource_link', uri })
  const many = Array.from({ length: 5000 }, (_, index) => link(`x://${index}`))
  expect(linksIn({ content: many })).toHaveLength(1000)
  expect(linksIn({ content: [link(`x://${'a'.repeat(3000)}`), link(''), link('x://b')] })).toEqual(['x://b'])
})

test('any JSON is taken, and only strings come out', () => {
  const member = fc.jsonValue()
  const block = fc.record(
    { type: fc.constantFrom('resource_link', 'resource', 'text'), uri: member, resource: member },
    { requiredKeys: [] },
  )
  const content = fc.oneof(member, fc.array(fc.oneof(member, block)))
  const messages = fc.oneof(member, fc.array(fc.oneof(member, fc.record({ content }))))
  fc.assert(
    fc.property(fc.record({ content, messages, _meta: member }, { requiredKeys: [] }), (result) => {
      for (const uri of linksIn(result)) expect(typeof uri).toBe('string')
    }),
  )
})
