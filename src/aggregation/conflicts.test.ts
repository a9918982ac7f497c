import { expect, test } from 'vitest'
import { build, lines, offers, silent, toolSettings } from '../../test/support/aggregation.ts'
import { claimsOf, type Claims } from './claims.ts'
import type { Contribution } from './build.ts'
import type { AggregationSettings } from '../model/settings.ts'

const a = offers('a', ['x', 'only_a'])
const b = offers('b', ['x', 'only_b'])
const c = offers('c', ['x'])
type Row = [what: string, contributions: Contribution[], some: Partial<AggregationSettings>, shown: string[]]

const PREFIX: Row[] = [
  ['every tool', [a, b], {}, ['a_x <- a/x', 'a_only_a <- a/only_a', 'b_x <- b/x', 'b_only_b <- b/only_b']],
  [
    'another format',
    [c, b],
    { prefixFormat: '{workload}-{workload}--' },
    ['c-c--x <- c/x', 'b-b--x <- b/x', 'b-b--only_b <- b/only_b'],
  ],
  ['not a single backend', [c], {}, ['x <- c/x']],
  ['a single backend, when said explicitly', [c], { prefixExplicit: true }, ['c_x <- c/x']],
  ['single counts what is configured', [c, silent('d')], {}, ['c_x <- c/x']],
  [
    'onlyOnConflict: every contender',
    [a, b],
    { onlyOnConflict: true },
    ['a_x <- a/x', 'only_a <- a/only_a', 'b_x <- b/x', 'only_b <- b/only_b'],
  ],
  ['replacement patterns in a name are plain text', [offers('$&', ['x']), c], {}, ['___x <- $&/x', 'c_x <- c/x']],
]
test.each(PREFIX)('prefix: %s', (_, contributions, some, shown) =>
  expect(lines(build(contributions, some))).toEqual(shown),
)

const PRIORITY: Row[] = [
  [
    'the earliest wins',
    [a, b],
    { priorityOrder: ['b', 'a'] },
    ['only_a <- a/only_a', 'x <- b/x', 'only_b <- b/only_b'],
  ],
  ['listed beats unlisted', [a, c], { priorityOrder: ['c'] }, ['only_a <- a/only_a', 'x <- c/x']],
  ['unlisted ones are prefixed', [a, c], { priorityOrder: ['z'] }, ['a_x <- a/x', 'only_a <- a/only_a', 'c_x <- c/x']],
  [
    'a fallback never overwrites',
    [offers('a', ['x', 'b_x']), offers('b', ['x'])],
    {},
    ['a_x <- a/x', 'b_x <- a/b_x', 'b_x_839f5599 <- b/x'],
  ],
]
test.each(PRIORITY)('priority: %s', (_, contributions, some, shown) =>
  expect(lines(build(contributions, { strategy: 'priority', ...some }))).toEqual(shown),
)

test('priority: the loser is told, and how to get it back', () => {
  const { conflicts, tools } = build([a, b], { strategy: 'priority', priorityOrder: ['a', 'b'] })
  expect(conflicts).toEqual([
    {
      name: 'x',
      kind: 'tool',
      backends: ['a', 'b'],
      resolution:
        '"x" of a is shown as "x", "x" of b is not shown: a comes first in priorityOrder; ' +
        'rename one of them, for example with aggregation.tools[workload: b].overrides["x"].name',
      withheld: false,
    },
  ])
  expect(tools.get('x')?.conflict).toBe(conflicts[0]?.resolution)
  expect(tools.get('only_a')).not.toHaveProperty('conflict')
})

const MANUAL: Row[] = [
  ['a contested name goes to nobody, the rest is served', [a, b], {}, ['only_a <- a/only_a', 'only_b <- b/only_b']],
  [
    'a rename settles it',
    [a, b],
    { tools: toolSettings('b', { overrides: { x: { name: 'bx' } } }) },
    ['x <- a/x', 'only_a <- a/only_a', 'bx <- b/x', 'only_b <- b/only_b'],
  ],
  [
    'so does a filter',
    [a, c],
    { tools: toolSettings('c', { excludeAll: true }) },
    ['x <- a/x', 'only_a <- a/only_a', 'c_x <- c/x (hidden)'],
  ],
  [
    'a rename can make a clash within one backend',
    [a],
    { tools: toolSettings('a', { overrides: { only_a: { name: 'x' } } }) },
    [],
  ],
]
test.each(MANUAL)('manual: %s', (_, contributions, some, shown) =>
  expect(lines(build(contributions, { strategy: 'manual', ...some }))).toEqual(shown),
)

test('manual: the conflict names both sides and the key to write', () => {
  const [conflict] = build([a, b], { strategy: 'manual' }).conflicts
  expect(conflict).toMatchObject({ name: 'x', backends: ['a', 'b'], withheld: true })
  expect(conflict?.resolution).toContain('"x" of a is not shown, "x" of b is not shown')
  expect(conflict?.resolution).toContain('aggregation.tools[workload: b].overrides["x"].name')
})

test('prompts follow the strategy of tools', () => {
  const prompts = [
    offers('a', { prompts: [{ name: 'p' }] }),
    offers('b', { prompts: [{ name: 'p' }, { name: 'ö.q' }] }),
  ]
  expect(lines(build(prompts), 'prompts')).toEqual(['a_p <- a/p', 'b_p <- b/p', 'b_ö.q <- b/ö.q'])
  expect(lines(build(prompts, { strategy: 'priority', priorityOrder: ['b'] }), 'prompts')).toEqual([
    'p <- b/p',
    'ö.q <- b/ö.q',
  ])
  expect(lines(build(prompts, { strategy: 'manual' }), 'prompts')).toEqual(['ö.q <- b/ö.q'])
})

test('equal URIs: the first configured backend wins under every strategy', () => {
  const lists = { resources: [{ uri: 'u:1', name: 'r' }], templates: [{ uriTemplate: 'u:{n}', name: 't' }] }
  for (const strategy of ['prefix', 'priority', 'manual'] as const) {
    const catalogue = build([offers('a', lists), offers('b', lists)], { strategy, priorityOrder: ['b'] })
    expect(lines(catalogue, 'resources')).toEqual(['u:1 <- a/u:1'])
    expect(lines(catalogue, 'templates')).toEqual(['u:{n} <- a/u:{n}'])
    expect(catalogue.conflicts.map(({ kind, backends, withheld }) => ({ kind, backends, withheld }))).toEqual([
      { kind: 'resource', backends: ['a', 'b'], withheld: false },
      { kind: 'template', backends: ['a', 'b'], withheld: false },
    ])
  }
})

const LATE: Row[] = [
  ['onlyOnConflict', [b, c], { onlyOnConflict: true }, ['b_x <- b/x', 'only_b <- b/only_b', 'x <- c/x']],
  [
    'priority, better placed',
    [b, c],
    { strategy: 'priority', priorityOrder: ['b', 'c'] },
    ['b_x <- b/x', 'only_b <- b/only_b', 'x <- c/x'],
  ],
  [
    'priority, worse placed',
    [b, c],
    { strategy: 'priority', priorityOrder: ['c', 'b'] },
    ['only_b <- b/only_b', 'x <- c/x'],
  ],
  ['priority, both unlisted', [b, c], { strategy: 'priority' }, ['b_x <- b/x', 'only_b <- b/only_b', 'x <- c/x']],
  ['manual', [b, c], { strategy: 'manual' }, ['only_b <- b/only_b']],
]
test.each(LATE)('who comes late does not take a name that is settled: %s', (_, [late, first], some, shown) => {
  if (!late || !first) throw new Error('two backends')
  const claims = claimsOf(build([silent('b'), first], some), new Map())
  const catalogue = build([late, first], some, claims)
  expect(lines(catalogue)).toEqual(shown)
  expect(catalogue.conflicts).toHaveLength(1)
  // The name waits for its owner, however long that is silent.
  expect(lines(build([late, silent('c')], some, claims))).toEqual(shown.filter((line) => !line.includes('c/')))
})

test('a late backend does not take a URI either, and is told why', () => {
  const lists = { resources: [{ uri: 'u:1', name: 'r' }] }
  const claims = claimsOf(build([silent('a'), offers('b', lists)]), new Map())
  const catalogue = build([offers('a', lists), offers('b', lists)], {}, claims)
  expect(lines(catalogue, 'resources')).toEqual(['u:1 <- b/u:1'])
  expect(catalogue.conflicts[0]?.resolution).toContain('b had it first')
})

test('a name is free again when its owner answers without it or is gone; who was prefixed meanwhile stays so', () => {
  const some = { onlyOnConflict: true }
  let claims: Claims = claimsOf(build([a, silent('b')], some), new Map())
  claims = claimsOf(build([a, b], some, claims), claims)
  const empty = offers('a', [])
  expect(lines(build([empty, b], some, claims))).toEqual(['b_x <- b/x', 'only_b <- b/only_b'])
  expect(lines(build([empty, b, c], some, claims))).toEqual(['b_x <- b/x', 'only_b <- b/only_b', 'c_x <- c/x'])
  expect(lines(build([empty, c], some, claims))).toEqual(['x <- c/x'])
  expect(lines(build([c], some, claims))).toEqual(['x <- c/x'])
})

test('a settled name is not lost to a better placed backend that comes later', () => {
  const some = { strategy: 'priority' as const, priorityOrder: ['c'] }
  const claims = claimsOf(build([a, b, silent('c')], some), new Map())
  expect(lines(build([a, b, c], some, claims)).filter((line) => line.endsWith('/x'))).toEqual([
    'a_x <- a/x',
    'b_x <- b/x',
    'x <- c/x',
  ])
})

test('a visible tool does not take over the name of a hidden one, which a workflow may use', () => {
  const some = { onlyOnConflict: true, tools: toolSettings('a', { excludeAll: true }) }
  const claims = claimsOf(build([a, silent('c')], some), new Map())
  expect(lines(build([a, c], some, claims))).toContain('x <- a/x (hidden)')
  expect(lines(build([a, c], some, claims))).toContain('c_x <- c/x')
})
