import { expect, test } from 'vitest'
import { build, lines, offers, toolSettings } from '../../test/support/aggregation.ts'

const backends = [offers('a', ['x', 'y']), offers('b', ['z'])]
const x = '(hidden)'

test.each([
  ['nothing set', {}, ['', '', '']],
  ['excludeAllTools', { excludeAllTools: true }, [x, x, x]],
  ['excludeAllTools beats a filter', { excludeAllTools: true, tools: toolSettings('a', { filter: ['x'] }) }, [x, x, x]],
  ['excludeAll', { tools: toolSettings('a', { excludeAll: true, filter: ['x'] }) }, [x, x, '']],
  ['filter', { tools: toolSettings('a', { filter: ['x'] }) }, ['', x, '']],
  ['an empty filter filters nothing', { tools: toolSettings('a', { filter: [] }) }, ['', '', '']],
  ['deny', { defaultToolVisibility: 'deny' as const }, [x, x, x]],
  ['deny, but a is spoken of', { defaultToolVisibility: 'deny' as const, tools: toolSettings('a', {}) }, ['', '', x]],
])('%s', (_, some, marks) => {
  const shown = ['a_x <- a/x', 'a_y <- a/y', 'b_z <- b/z']
  expect(lines(build(backends, some))).toEqual(shown.map((line, i) => `${line} ${marks[i]}`.trim()))
})

test('a filter reads names after overrides; one that reads the old name hides the tool and is told', () => {
  const overrides = { x: { name: 'new' } }
  expect(lines(build(backends, { tools: toolSettings('a', { overrides, filter: ['new'] }) }))).toEqual([
    'a_new <- a/x',
    'a_y <- a/y (hidden)',
    'b_z <- b/z',
  ])
  const old = build(backends, { tools: toolSettings('a', { overrides, filter: ['x'] }) })
  expect(lines(old)[0]).toBe('a_new <- a/x (hidden)')
  expect(old.notes).toEqual(['a: filter names the tool "x", which overrides rename: write "new"'])
})

test('settings for tools that are not there are told, unless the backend has not answered', () => {
  const tools = toolSettings('a', { filter: ['gone', 'x'], overrides: { lost: { name: 'found' } } })
  expect(build(backends, { tools }).notes).toEqual([
    'a: overrides name the tool "lost", which the backend does not have',
    'a: filter names the tool "gone", which the backend does not have',
  ])
  expect(build([{ ...offers('a', []), lists: undefined }], { tools }).notes).toEqual([])
})

test('hidden tools leave the good names to visible ones and stay routable', () => {
  const some = {
    strategy: 'priority' as const,
    priorityOrder: ['a', 'b'],
    tools: toolSettings('a', { excludeAll: true }),
  }
  expect(lines(build([offers('a', ['x']), offers('b', ['x'])], some))).toEqual(['a_x <- a/x (hidden)', 'x <- b/x'])
})

test('among hidden tools none is lost: a clash that no client sees only takes prefixes', () => {
  const contributions = [offers('a', ['x']), offers('b', ['x'])]
  const hidden = (some: object) =>
    lines(build(contributions, { excludeAllTools: true, ...some })).map((line) => line.slice(0, 12))
  expect(hidden({ strategy: 'priority', priorityOrder: ['b'] })).toEqual(['a_x <- a/x (', 'x <- b/x (hi'])
  expect(hidden({ strategy: 'manual' })).toEqual(['a_x <- a/x (', 'b_x <- b/x ('])
})
