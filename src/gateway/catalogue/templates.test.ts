import { expect, test } from 'vitest'
import type { Catalogue, BackendEntry, Visibility } from '../../model/catalogue.ts'
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

type Given = [template: string, visibility: Visibility, backend?: string]

function catalogue(resources: Given[], templates: Given[]): Catalogue {
  const map = (entries: Given[]) =>
    new Map<string, BackendEntry>(
      entries.map(([shown, visibility, backend = 'b']) => {
        const route = { kind: 'backend', backend: backendId(backend), native: shown as NativeName } as const
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

const TEN_PARTS = 'x://{a}/{b}/{c}/{d}/{e}/'
const TEN_LONG = `x://${`${'v'.repeat(1636)}/`.repeat(5)}`

test('long addresses match templates of ten parts, and those of 64', () => {
  expect(TEN_LONG.length).toBeGreaterThan(8180)
  expect(matchesTemplate(TEN_PARTS, TEN_LONG)).toBe(true)
  expect(matchesTemplate('{v}/'.repeat(32), 'v/'.repeat(32))).toBe(true)
  expect(matchesTemplate('{v}/'.repeat(33), 'v/'.repeat(33))).toBe(false)
  const many = '{v}/'.repeat(33)
  expect(resolveResource(catalogue([], [[many, 'listed']]), many)?.shown).toBe(many)
})

const variables = (count: number, operator = '') =>
  Array.from({ length: count }, (_, index) => `{${operator}v${index}}`).join('')

test.each<[what: string, template: (index: number) => string, count: number]>([
  ['as many variables as count', (index) => `x://${variables(60)}!${index}`, 40],
  ['as many that take anything', (index) => `x://${variables(60, '+')}!${index}`, 40],
  ['more variables than count', (index) => `x://${variables(1200)}!${index}`, 40],
  ['long literals of one letter', (index) => `x://{+v}${'v'.repeat(4000)}!${index}`, 40],
  ['short ones, many of them', (index) => `x://{+v}!${index}`, 20_000],
  ['long ones, more than are remembered', (index) => `x://${'{v}'.repeat(2000)}!${index}`, 11_000],
])('templates of one backend with %s cost little, and keep nothing from another', (_what, template, count) => {
  const hostile = Array.from({ length: count }, (_, index): Given => [template(index), 'listed', 'hostile'])
  const all = catalogue([], [...hostile, [TEN_PARTS, 'listed', 'honest']])
  const cpu = process.cpuUsage()
  expect(resolveResource(all, TEN_LONG)?.shown).toBe(TEN_PARTS)
  const { user } = process.cpuUsage(cpu)
  // A tenth of it where nothing else runs.
  expect(user / 1000).toBeLessThan(300)
})

test('forty templates of ten parts are all looked at, however long the address', () => {
  const near = Array.from({ length: 39 }, (_, index): Given => [`${TEN_PARTS}${index}`, 'listed'])
  expect(resolveResource(catalogue([], [...near, [TEN_PARTS, 'listed']]), TEN_LONG)?.shown).toBe(TEN_PARTS)
})
