import { expect, test, vi } from 'vitest'
import type { Catalogue, Entry, Visibility } from '../../../model/catalogue.ts'
import { backendId, type NativeName, type ShownName } from '../../../model/ids.ts'
import type { JsonObject } from '../../../model/json.ts'
import { META } from '../../../protocol/envelope.ts'
import { Sealer } from '../../../protocol/sealed.ts'
import type { ListRequest } from './lists.ts'
import { listPage } from './lists.ts'

const IDENTITY = { name: 'vmcp', version: '1' }
const sealer = new Sealer()
const REQUEST: ListRequest = {
  kind: 'tools',
  revision: '2025-11-25',
  cursor: undefined,
  principal: 'me',
  hint: { ttlMs: 5000, cacheScope: 'public' },
}

function catalogueOf(tools: [name: string, visibility: Visibility, more?: JsonObject][]): Catalogue {
  const entries = tools.map(([name, visibility, more]): [string, Entry] => {
    const route = { kind: 'backend', backend: backendId('b'), native: name as NativeName } as const
    return [name, { shown: name as ShownName, route, visibility, definition: { name, ...more } }]
  })
  const none = new Map()
  return {
    version: 1,
    tools: new Map(entries),
    prompts: none,
    resources: none,
    templates: none,
    conflicts: [],
    notes: [],
  }
}
const page = (catalogue: Catalogue, some: Partial<ListRequest> = {}): JsonObject =>
  JSON.parse(listPage(catalogue, { ...REQUEST, ...some }, sealer, IDENTITY)) as JsonObject

test('only what is listed, under the name of its kind', () => {
  const catalogue = catalogueOf([
    ['a', 'listed'],
    ['b', 'hidden'],
    ['c', 'unreachable'],
    ['d', 'listed'],
  ])
  expect(page(catalogue)).toEqual({ tools: [{ name: 'a' }, { name: 'd' }] })
  expect(page(catalogue, { kind: 'templates' })).toEqual({ resourceTemplates: [] })
})

test('each era gets what it knows', () => {
  const catalogue = catalogueOf([['a', 'listed', { outputSchema: { type: 'array' } }]])
  expect(page(catalogue)).toEqual({ tools: [{ name: 'a' }] })
  expect(page(catalogue, { revision: '2026-07-28' })).toEqual({
    tools: [{ name: 'a', outputSchema: { type: 'array' } }],
    resultType: 'complete',
    ttlMs: 5000,
    cacheScope: 'public',
    _meta: { [META.server]: IDENTITY },
  })
  const hint = { ttlMs: 7, cacheScope: 'private' } as const
  expect(page(catalogue, { revision: '2026-07-28', hint })).toMatchObject(hint)
})

test('one text per page, whoever asks: only the cursor is their own', () => {
  const catalogue = catalogueOf(Array.from({ length: 1500 }, (_, i) => [`n${i}`, 'listed']))
  const stringify = vi.spyOn(JSON, 'stringify')
  const texts = ['one', 'other'].map((principal) => listPage(catalogue, { ...REQUEST, principal }, sealer, IDENTITY))
  const made = stringify.mock.calls.filter(([value]) => (value as JsonObject)['tools'] !== undefined)
  stringify.mockRestore()
  expect(made).toHaveLength(1)
  const [one, other] = texts.map((text) => JSON.parse(text) as JsonObject)
  expect({ ...one, nextCursor: 0 }).toEqual({ ...other, nextCursor: 0 })
  expect(one?.['nextCursor']).not.toBe(other?.['nextCursor'])
})

test('a page goes on behind its last entry even when that has left the list', () => {
  const plan = Array.from({ length: 1500 }, (_, i): [string, Visibility] => [`n${i}`, 'listed'])
  const { nextCursor } = page(catalogueOf(plan))
  const down = plan.map(([name], i): [string, Visibility] => [name, i >= 400 && i < 1100 ? 'unreachable' : 'listed'])
  const { tools } = page(catalogueOf(down), { cursor: nextCursor }) as { tools: JsonObject[] }
  expect(tools.map(({ name }) => name)).toEqual(plan.slice(1100).map(([name]) => name))
})

test('a cursor fits into a token whatever the last entry is called', () => {
  // Only the last ones stand in it.
  const name = (i: number) => `${'\u0001'.repeat(i < 990 ? 1 : i % 2 === 0 ? 1000 : 100_000)}${i}`
  const catalogue = catalogueOf(Array.from({ length: 1001 }, (_, i) => [name(i), 'listed']))
  const { nextCursor } = page(catalogue)
  expect((nextCursor as string).length).toBeLessThan(8192)
  expect(page(catalogue, { cursor: nextCursor })).toEqual({ tools: [{ name: name(1000) }] })
})

test.each([null, 5, '', 'x', {}, sealer.seal({ index: 0 }, 'something else')])('the cursor %j is refused', (cursor) => {
  expect(() => page(catalogueOf([]), { cursor })).toThrow(expect.objectContaining({ code: 'PARAMS_INVALID' }))
})
