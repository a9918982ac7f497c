import { expect, test } from 'vitest'
import { build, down, lines, offers, silent, tool, toolSettings } from '../../test/support/aggregation.ts'

test('configured order, then upstream order; a backend that is away keeps its place', () => {
  const catalogue = build([down(offers('z', ['b', 'a'])), silent('m'), offers('a', ['c'])])
  expect(lines(catalogue)).toEqual(['z_b <- z/b (unreachable)', 'z_a <- z/a (unreachable)', 'a_c <- a/c'])
})

test('hidden stays hidden while its backend is away', () => {
  expect(lines(build([down(offers('a', ['x']))], { excludeAllTools: true }))).toEqual(['x <- a/x (hidden)'])
})

test('only the name is replaced; a definition that needs no change is the one received', () => {
  const definition = tool('x', {
    title: 'X',
    _meta: { 'a/b': [1] },
    icons: [],
    outputSchema: false,
    vendor: { deep: null },
  })
  const a = offers('a', { tools: [definition] })
  expect(build([a]).tools.get('x')?.definition).toBe(definition)
  expect(build([a], { prefixExplicit: true }).tools.get('a_x')?.definition).toEqual({ ...definition, name: 'a_x' })
  expect(definition['name']).toBe('x')
})

test('an override reaches the definition', () => {
  const tools = toolSettings('a', {
    overrides: { x: { name: 'y', description: 'better', annotations: { readOnlyHint: true } } },
  })
  expect(build([offers('a', ['x'])], { tools }).tools.get('y')).toEqual({
    shown: 'y',
    route: { kind: 'backend', backend: 'a', native: 'x' },
    visibility: 'listed',
    definition: { ...tool('y'), description: 'better', annotations: { readOnlyHint: true } },
  })
})

test('a malformed or repeated definition leaves, its list stays', () => {
  const broken = [null, 'x', { name: 'bad\n' }, tool('x'), tool('x', { title: 'again' })] as never[]
  const catalogue = build([offers('a', { tools: broken })])
  expect(lines(catalogue)).toEqual(['x <- a/x'])
  expect(catalogue.tools.get('x')?.definition).not.toHaveProperty('title')
  expect(catalogue.notes).toEqual([
    'a: a tool is left out, it is not an object',
    'a: a tool is left out, it is not an object',
    'a: a tool is left out, it has no inputSchema object: "bad\\n"',
    'a: lists the tool "x" twice, the first one counts',
  ])
})

test('prefixes that flow together: the first configured keeps the name, the other carries a hash', () => {
  const some = { prefixFormat: '{workload}' }
  const catalogue = build([offers('a_b_', ['c']), offers('a_', ['b_c'])], some)
  expect(lines(catalogue)).toEqual(['a_b_c <- a_b_/c', expect.stringMatching(/^a_b_c_[0-9a-f]{8} <- a_\/b_c$/)])
  expect(catalogue.conflicts).toMatchObject([{ name: 'a_b_c', backends: ['a_b_', 'a_'], withheld: false }])
})

test('the name guard: whoever it did not touch keeps the name, wherever it stands', () => {
  const catalogue = build([offers('a', ['x.y', 'x y', 'x_y'])])
  expect(lines(catalogue)).toEqual([
    expect.stringMatching(/^x_y_[0-9a-f]{8} <- a\/x\.y$/),
    expect.stringMatching(/^x_y_[0-9a-f]{8} <- a\/x y$/),
    'x_y <- a/x_y',
  ])
  expect(catalogue.notes[0]).toMatch(/^a: the tool "x\.y" is shown as "x_y_[0-9a-f]{8}" \(name guard\)$/)
})

test('a backend that occupies the hash in advance gains nothing', () => {
  const [first] = lines(build([offers('a', ['x.y', 'x_y'])]))
  const hashed = first?.split(' ')[0] ?? ''
  const names = [...build([offers('a', ['x.y', 'x_y', hashed])]).tools.keys()]
  expect(names).toHaveLength(3)
  expect(names.slice(1)).toEqual(['x_y', hashed])
})

test('hostile names are names', () => {
  const names = [
    '__proto__',
    'constructor',
    '\ud800',
    '\udfff',
    '\0',
    'n'.repeat(10_000_000),
    `${'n'.repeat(10_000_000)}!`,
  ]
  const overrides = JSON.parse('{"__proto__":{"name":"hasOwnProperty"}}')
  const catalogue = build([offers('a', names)], { tools: toolSettings('a', { overrides }) })
  expect([...catalogue.tools.values()].map(({ route }) => route.native)).toEqual(names)
  expect([...catalogue.tools.keys()].slice(0, 2)).toEqual(['hasOwnProperty', 'constructor'])
  expect(Math.max(...catalogue.notes.map((note) => note.length))).toBeLessThan(1000)
})

test('ten thousand tools over a hundred backends, all names alike and all of them touched by the guard', () => {
  const backends = Array.from({ length: 100 }, (_, b) =>
    offers(
      `b${b}`,
      Array.from({ length: 100 }, (_, i) => String.fromCodePoint(0x4e00 + i)),
    ),
  )
  const start = performance.now()
  expect(build(backends, { prefixFormat: '' }).tools.size).toBe(10_000)
  // Ten times what it takes: only something quadratic is as slow.
  expect(performance.now() - start).toBeLessThan(1000)
})
