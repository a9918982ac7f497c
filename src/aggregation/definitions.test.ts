import { expect, test } from 'vitest'
import { tool } from '../../test/support/aggregation.ts'
import { definitionFault } from './definitions.ts'

const deep = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels))

test.each([
  ['tools', tool('x')],
  ['tools', tool('x', { outputSchema: true, annotations: { readOnlyHint: 'yes' }, vendor: null })],
  ['tools', tool('__proto__')],
  ['prompts', { name: 'p' }],
  ['prompts', { name: 'p', arguments: [{ name: 'a' }] }],
  ['resources', { uri: 'file:///x', name: '' }],
  ['templates', { uriTemplate: 'file:///{x}', name: 'x' }],
] as const)('%s: %j is usable', (list, definition) => expect(definitionFault(list, definition)).toBeUndefined())

test.each([
  ['tools', null, 'it is not an object'],
  ['tools', ['x'], 'it is not an object'],
  ['tools', {}, 'it has no name'],
  ['tools', { name: 7, inputSchema: { type: 'object' } }, 'it has no name'],
  ['tools', tool(''), 'it has no name'],
  ['tools', { name: 'x' }, 'it has no inputSchema object'],
  ['tools', { name: 'x', inputSchema: {} }, 'its inputSchema is not of type object'],
  ['tools', tool('x', { description: null }), 'description is not a string'],
  ['tools', tool('x', { annotations: [] }), 'annotations is not an object'],
  ['tools', tool('x', { deep: deep(10_000) }), 'it is nested more than 200 levels deep'],
  ['prompts', { name: 'p', arguments: [{}] }, 'arguments is not a list of named arguments'],
  ['resources', { name: 'x' }, 'it has no uri'],
  ['resources', { uri: 'file:///x' }, 'it has no name'],
  ['templates', { name: 'x', uri: 'file:///x' }, 'it has no uriTemplate'],
] as const)('%s: case %# is refused', (list, definition, fault) =>
  expect(definitionFault(list, definition)).toBe(fault),
)
