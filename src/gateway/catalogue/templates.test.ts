import { expect, test } from 'vitest'
import type { Catalogue, Entry, Visibility } from '../../model/catalogue.ts'
import { backendId, type NativeName, type ShownName } from '../../model/ids.ts'
import { matchesTemplate, resolveResource } from './templates.ts'

test.each([
  ['file:///{path}', 'file:///a', true],
  ['file:///{path}', 'file:///a/b', false],
  ['file:///{+path}', 'file:///a/b?c#d', true],
  ['file:///{path*}', 'file:///a/b', true],
  ['file:///{path}', 'file:///', false],
  ['x://{a}/{b}', 'x://1/2', true],
  ['x://{a}/{b}', 'x://1/2/3', false],
  ['x://{a}-{b}', 'x://1-2-3', true],
  ['x://{+a}/end/{b}', 'x://end/end/end/1', true],
  ['x://{owner}/{repo}{?ref}', 'x://me/mine', true],
  ['x://{owner}/{repo}{?ref}', 'x://me/mine?ref=main', true],
  ['x://{owner}/{repo}{?ref}', 'x://me/mine#main', false],
  ['x://{a}{b}', 'x://12', true],
  ['x://{a}{b}', 'x://1', false],
  ['x://a{/rest}', 'x://a', true],
  ['x://a{/rest}', 'x://a/b/c', true],
  ['x://a{/rest}', 'x://ab', false],
  ['x://a{#f}', 'x://a#b', true],
  ['x://plain', 'x://plain', true],
  ['x://plain', 'x://plainer', false],
  ['x://(a+)+$', 'x://aaaa', false],
  ['x://{unclosed', 'x://{unclosed', true],
  ['', '', true],
])('%s and %s: %s', (template, uri, fits) => {
  expect(matchesTemplate(template, uri)).toBe(fits)
})

function catalogue(resources: [string, Visibility][], templates: [string, Visibility][]): Catalogue {
  const map = (entries: [string, Visibility][]) =>
    new Map<string, Entry>(
      entries.map(([shown, visibility]) => {
        const route = { kind: 'backend', backend: backendId('b'), native: shown as NativeName } as const
        return [shown, { shown: shown as ShownName, route, visibility, definition: {} }]
      }),
    )
  const none = new Map()
  return {
    version: 1,
    tools: none,
    prompts: none,
    resources: map(resources),
    templates: map(templates),
    conflicts: [],
    notes: [],
  }
}

test('a resource comes before templates, a listed template before one that is out of reach', () => {
  const all = catalogue(
    [['x://1', 'listed']],
    [
      ['x://{hidden}', 'hidden'],
      ['x://{away}', 'unreachable'],
      ['x://{here}', 'listed'],
    ],
  )
  expect(resolveResource(all, 'x://1')?.shown).toBe('x://1')
  expect(resolveResource(all, 'x://2')?.shown).toBe('x://{here}')
  expect(resolveResource(all, 'x://{here}')?.shown).toBe('x://{here}')
  expect(resolveResource(all, 'y://2')).toBeUndefined()
  const away = catalogue(
    [],
    [
      ['x://{hidden}', 'hidden'],
      ['x://{away}', 'unreachable'],
    ],
  )
  expect(resolveResource(away, 'x://2')?.shown).toBe('x://{away}')
})
