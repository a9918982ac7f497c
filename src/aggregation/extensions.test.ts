import { expect, test } from 'vitest'
import { down, offers } from '../../test/support/aggregation.ts'
import type { JsonObject } from '../model/json.ts'
import type { Contribution } from './contribution.ts'
import { mergeExtensions } from './extensions.ts'

const NOBODY: ReadonlySet<string> = new Set()

function declares(backend: string, extensions: JsonObject): Contribution {
  const contribution = offers(backend, {})
  return { ...contribution, lists: { tools: [], prompts: [], resources: [], templates: [], extensions } }
}

test('nobody declares any', () => {
  expect(mergeExtensions([offers('a', ['x'])], NOBODY)).toBeUndefined()
})

test('what backends can do adds up', () => {
  const a = declares('a', {
    'io.modelcontextprotocol/skills': { directoryRead: false, level: 1 },
    'io.modelcontextprotocol/ui': { mimeTypes: ['text/html'] },
  })
  const b = declares('b', {
    'io.modelcontextprotocol/skills': { directoryRead: true, level: 2 },
    'io.modelcontextprotocol/ui': { mimeTypes: ['text/html', 'text/x'] },
  })
  expect(mergeExtensions([a, b], NOBODY)).toEqual({
    'io.modelcontextprotocol/skills': { directoryRead: true, level: 1 },
    'io.modelcontextprotocol/ui': { mimeTypes: ['text/html', 'text/x'] },
  })
})

test('official extensions that are not carried, vendors whose methods do not pass and the unreachable are left out', () => {
  const a = declares('a', { 'io.modelcontextprotocol/other': {}, 'com.acme/jobs': {} })
  const b = declares('b', { 'com.acme/jobs': { version: 2 }, 'com.acme/broken': 7 })
  const c = down(declares('c', { 'io.modelcontextprotocol/tasks': {} }))
  expect(mergeExtensions([a, b, c], new Set(['b']))).toEqual({ 'com.acme/jobs': { version: 2 } })
})

test('names that objects have anyway are names like others', () => {
  const a = declares('a', JSON.parse('{"__proto__":{},"constructor":{"x":true}}') as JsonObject)
  expect(mergeExtensions([a], new Set(['a']))).toMatchObject({ constructor: { x: true } })
})
