import { expect, test } from 'vitest'
import type { Entry } from '../../model/catalogue.ts'
import { backendId } from '../../model/ids.ts'
import type { NativeName, ShownName } from '../../model/ids.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { readPolicies } from './compile.ts'
import { decide, mayBeAllowed } from './decide.ts'
import { principalOf } from './explain.ts'
import { listFilter } from './list.ts'
import { remember, rememberList } from './set.ts'
import type { PolicySet } from './set.ts'
import type { TargetKind } from './vocabulary.ts'

const CALL = 'principal, action == Action::"call_tool", resource'
const READ = 'principal, action == Action::"read_resource", resource'

async function read(policies: string[], entitiesJson?: string): Promise<PolicySet> {
  const { set, faults } = await readPolicies({ policies, entitiesJson, serverName: 'srv', group: 'eng' })
  expect(faults).toEqual([])
  return set
}

const entry = (name: string): Entry => ({
  shown: name as ShownName,
  route: { kind: 'backend', backend: backendId('git'), native: name as NativeName },
  visibility: 'listed',
  definition: { name },
})
const entries = (names: string[]): Map<string, Entry> => new Map(names.map((name) => [name, entry(name)]))
const ALICE = principalOf({ sub: 'alice', team: 'x' })

const isListed = (set: PolicySet, kind: TargetKind, name: string): boolean =>
  mayBeAllowed(set, { principal: ALICE, target: { kind, name, backend: 'git' }, origin: 'client' })

test('a list shows what could be allowed, in order, and remembers it by class', async () => {
  const set = await read([
    `permit(${CALL} == Tool::"c"); permit(${CALL} == Tool::"a") when { context.arg_n > 5 };`,
    `permit(${CALL} == Tool::"b") when { principal has claim_team && principal.claim_team == "x" };`,
  ])
  const all = entries(['a', 'b', 'c', 'd'])
  const seen = await listFilter(set, ALICE, 'tool', all)
  expect([...seen.keys()]).toEqual(['a', 'b', 'c'])
  expect(await listFilter(set, principalOf({ sub: 'bob', team: 'x' }), 'tool', all)).toBe(seen)
  expect([...(await listFilter(set, ANONYMOUS, 'tool', all)).keys()]).toEqual(['a', 'c'])
  expect([...(await listFilter(set, ALICE, 'prompt', entries(['a']))).keys()]).toEqual([])
})

test('who sees the same gets the same map, whatever the class, and who sees all the whole', async () => {
  const set = await read([
    `permit(${CALL} == Tool::"a") when { principal has claim_team && principal.claim_team like "x*" };`,
    `permit(${CALL}) when { principal has claim_team && principal.claim_team == "all" };`,
  ])
  const all = entries(['a', 'b'])
  const seenBy = (team: string) => listFilter(set, principalOf({ sub: 'bob', team }), 'tool', all)
  const seen = await seenBy('x1')
  expect([...seen.keys()]).toEqual(['a'])
  expect(await seenBy('x2')).toBe(seen)
  expect(await seenBy('all')).toBe(all)
  expect(await seenBy('y')).toBe(await seenBy('z'))
  expect((await seenBy('y')).size).toBe(0)
})

test('lists outlive what is remembered of decisions, and are bounded themselves', async () => {
  const set = await read([`permit(${CALL} == Tool::"a") when { principal.claim_team like "x*" };`])
  const all = entries(['a', 'b'])
  const first = listFilter(set, ALICE, 'tool', all)
  await first
  remember(set, 1_000_000)
  expect(set.memory.size).toBe(0)
  expect(listFilter(set, ALICE, 'tool', all)).toBe(first)
  rememberList(set, 1_000_000)
  expect(set.lists.size).toBe(0)
  const second = listFilter(set, ALICE, 'tool', all)
  expect(second).not.toBe(first)
  expect([...(await second).keys()]).toEqual(['a'])
})

test.each([
  ['context.arg_n > 5', true],
  ['context has arg_n && context.arg_n > 5 && principal.claim_team == "y"', false],
  ['context has arg_n && principal.claim_team == "x"', true],
  ['!(context has arg_n) && principal.claim_team == "y"', false],
  ['!(context has arg_n || principal.claim_team == "x")', false],
  ['!(context has arg_n && principal.claim_team == "x")', true],
  ['(context.arg_n == 1 && principal.claim_team == "y") || (context.arg_n == 2 && principal.claim_team == "z")', false],
  ['(context.arg_n == 1 && principal.claim_none) || context.arg_n == 2', true],
  ['if context.arg_n == 1 then principal.claim_team == "y" else principal.claim_team == "z"', false],
  ['if principal.claim_team == "x" then context.arg_n == 1 else true', true],
  ['context == {}', true],
  ['context.origin == "workflow" && context has arg_n', false],
  ['resource.arg_n == 1 && resource.name == "b"', false],
  ['context.arg_n == 9007199254740993 && principal.claim_team == "x"', true],
])('a permit when %s lists: %s', async (condition, expected) => {
  expect(isListed(await read([`permit(${CALL}) when { ${condition} };`]), 'tool', 'a')).toBe(expected)
  expect(isListed(await read([`permit(${CALL}) unless { !(${condition}) };`]), 'tool', 'a')).toBe(expected)
})

test.each([
  ['context has arg_n', true],
  ['principal.claim_team == "x"', false],
  ['principal.claim_none', false],
])('a forbid when %s lists: %s', async (condition, expected) => {
  const set = await read([`permit(${CALL});`, `forbid(${CALL}) when { ${condition} };`])
  expect(isListed(set, 'tool', 'a')).toBe(expected)
})

test('long and deep conditions beside arguments do not hide', async () => {
  const long = Array.from({ length: 60 }, (_, i) => `principal.claim_team == "${i}"`).join(' || ')
  const deep = `${'if principal.claim_team == "y" then false else ('.repeat(40)}true${')'.repeat(40)}`
  for (const body of [`context.arg_n == 1 && !(${long})`, `context.arg_n == 1 && (${deep})`]) {
    const set = await read([`permit(${CALL}) when { ${body} };`])
    expect(isListed(set, 'tool', 'a')).toBe(true)
    const request = { principal: ALICE, target: { kind: 'tool', name: 'a', backend: 'git' }, origin: 'client' } as const
    expect(decide(set, { ...request, arguments: { n: 1 } }).kind).toBe('allow')
  }
})

test('beside arguments long alternatives are kept, and what is too deep for the engine is taken as possible', async () => {
  const long = Array.from({ length: 80 }, (_, i) => `principal.claim_team == "${i}"`).join(' || ')
  expect(isListed(await read([`permit(${CALL}) when { context.arg_n == 1 && (${long}) };`]), 'tool', 'a')).toBe(false)
  const deep = `${'!('.repeat(40)}principal.claim_team${'.a'.repeat(40)} == 1${')'.repeat(40)}`
  expect(
    isListed(await read([`permit(${CALL}) when { context.arg_n == 1 && (false && ${deep}) };`]), 'tool', 'a'),
  ).toBe(true)
})

test.each([
  [`permit(${READ} == Resource::"file:///a");`, true],
  [`permit(${READ} == Resource::"http://a");`, false],
  [`permit(${READ}) when { resource.name like "file:*" };`, true],
  [`permit(${READ} in Backend::"git");`, true],
  [`permit(${READ} in Backend::"other");`, false],
  [`permit(${READ}); forbid(${READ} == Resource::"file:///a");`, true],
  [`permit(${READ}); forbid(${READ} in Backend::"git");`, false],
  [`permit(${READ} in Folder::"f");`, true],
  [`permit(${CALL});`, false],
])('%s lists a template: %s', async (policy, expected) => {
  const entities = [{ uid: { type: 'Resource', id: 'file:///b' }, attrs: {}, parents: [{ type: 'Folder', id: 'f' }] }]
  expect(isListed(await read([policy], JSON.stringify(entities)), 'template', 'file:///{path}')).toBe(expected)
})

const NAMED = 'resource has name && resource.name'

test.each([
  // Patterns and names that no URI of the template has, and those that some have.
  [`permit(${READ}) when { resource.name like "doc://*" };`, 'doc://{id}', true],
  [`permit(${READ}) when { resource.name like "doc://*" };`, 'hid://{id}', false],
  [`permit(${READ}) when { ${NAMED} like "doc://*" };`, 'hid://{id}', false],
  [`permit(${READ}) unless { !(resource.uri like "doc://*") };`, 'hid://{id}', false],
  [`permit(${READ}) when { resource.name like "doc://a/*" };`, 'doc://{id}', true],
  [`permit(${READ}) when { resource.name like "*.md" };`, 'doc://{id}.txt', false],
  [`permit(${READ}) when { resource.name like "*.md" };`, 'doc://{id}', true],
  [`permit(${READ}) when { resource.name == "doc://1" };`, 'doc://{id}', true],
  [`permit(${READ}) when { "hid://1" == resource.name };`, 'doc://{id}', false],
  [`permit(${READ}) when { resource == Resource::"hid://1" };`, 'doc://{id}', false],
  [`permit(${READ}) when { resource in [Resource::"hid://1", Backend::"other"] };`, 'doc://{id}', false],
  [`permit(${READ}) when { resource in [Resource::"hid://1", Backend::"git"] };`, 'doc://{id}', true],
  [`permit(${READ}) when { ["hid://1", "x"].contains(resource.name) };`, 'doc://{id}', false],
  [`permit(${READ}) when { ["hid://1", "doc://2"].contains(resource.name) };`, 'doc://{id}', true],
  [`permit(${READ}) when { resource is Tool || resource.feature == "tool" };`, 'doc://{id}', false],
  [`permit(${READ}) when { resource is Resource in Backend::"git" };`, 'doc://{id}', true],
  [`permit(${READ}) when { resource.name like "h*" && context has arg_a };`, 'doc://{id}', false],
  [`permit(${READ}) when { resource.name like "d*" && principal.claim_team == "y" };`, 'doc://{id}', false],
  [`permit(${READ}) when { resource.name like "h*" || principal.claim_team == "x" };`, 'doc://{id}', true],
  [`permit(${READ}) when { if resource.name like "h*" then true else false };`, 'doc://{id}', false],
  [`permit(${READ} in Resource::"doc://top");`, 'doc://{id}', true],
  [`permit(${READ} in Folder::"f");`, 'hid://{id}', false],
  [`permit(${READ});`, '{+any}', true],
  // A template without expressions is one URI.
  [`permit(${READ}) when { resource.name like "doc://*s" };`, 'doc://ids', true],
  [`permit(${READ}) when { resource.name like "doc://*x" };`, 'doc://ids', false],
  // What is no whole expression is text.
  [`permit(${READ}) when { resource.name like "a{b*" };`, 'a{b{c}', true],
  [`permit(${READ}) when { resource.name like "ac*" };`, 'a{b{c}', false],
  // A forbid hides what it matches whatever the URI.
  [`permit(${READ}); forbid(${READ}) when { resource.name like "doc://*" };`, 'doc://{id}', false],
  [`permit(${READ}); forbid(${READ}) when { resource.name like "doc://1*" };`, 'doc://{id}', true],
  [`permit(${READ}); forbid(${READ}) unless { resource.name like "doc://*" };`, 'hid://{id}', false],
  [`permit(${READ}); forbid(${READ}) when { resource.name like "*a*c*" };`, '{x}abc{y}', true],
  [`permit(${READ}); forbid(${READ}) when { resource.name like "*a*c*" };`, 'abc{y}', false],
  [`permit(${READ}); forbid(${READ}) when { resource.name like "a*b*c" };`, 'ab{y}c', false],
  [`permit(${READ}); forbid(${READ}) when { resource.name like "ab*bc" };`, 'ab{y}c', true],
  [`permit(${READ}); forbid(${READ}) when { resource.name == "a" || resource.name like "d*" };`, 'doc://{id}', false],
  [`permit(${READ}); forbid(${READ}) when { context has arg_a || resource.name like "d*" };`, 'doc://{id}', false],
  [`permit(${READ}); forbid(${READ}) when { context has arg_a && resource.name like "d*" };`, 'doc://{id}', true],
  [
    `permit(${READ}); forbid(${READ}) when { resource.name like "*x" || principal.claim_team == "x" };`,
    'doc://{id}',
    false,
  ],
  [
    `permit(${READ}); forbid(${READ}) when { resource.name like "*x" || principal.claim_none == "x" };`,
    'doc://{id}',
    true,
  ],
  [`permit(${READ}); forbid(principal, action, resource == Resource::"doc://1");`, 'doc://{id}', true],
])('%s lists the template %s: %s', async (policy, template, expected) => {
  const entities = [
    { uid: { type: 'Resource', id: 'doc://b' }, attrs: {}, parents: [{ type: 'Folder', id: 'f' }] },
    { uid: { type: 'Resource', id: 'doc://c' }, attrs: {}, parents: [{ type: 'Resource', id: 'doc://top' }] },
  ]
  expect(isListed(await read([policy], JSON.stringify(entities)), 'template', template)).toBe(expected)
})

test('templates of which policies know the same share what is made for them, however many there are', async () => {
  const set = await read([`permit(${READ}) when { resource.name like "doc://*" };`, `permit(${READ} in MCP::"srv");`])
  for (let i = 0; i < 50; i++) isListed(set, 'template', `x${i}://{id}`)
  expect(set.memory.ofTemplates.size).toBe(2)
  // More than the engine holds at a time.
  const forbids = Array.from({ length: 3 }, (_, i) => {
    const any = Array.from({ length: 90 }, (_, j) => `resource.name like "t${i * 90 + j}://*"`).join(' || ')
    return `forbid(${READ}) when { principal.claim_team == "x" && (${any}) };`
  })
  const own = await read([`permit(${READ});`, ...forbids])
  const other = principalOf({ sub: 'bob', team: 'y' })
  for (const i of [...Array(270).keys(), 0, 1, 269]) {
    const target = { kind: 'template', name: `t${i}://{id}`, backend: 'git' } as const
    expect(mayBeAllowed(own, { principal: ALICE, target, origin: 'client' })).toBe(false)
    expect(mayBeAllowed(own, { principal: other, target, origin: 'client' })).toBe(true)
  }
  expect(isListed(own, 'template', 'u://{id}')).toBe(true)
})

test('others have their turn while many lists are made', async () => {
  const policies = Array.from(
    { length: 300 },
    (_, i) => `permit(${CALL} == Tool::"${i}") when { resource.name == "${i}" };`,
  )
  const set = await read(policies)
  let turns = 0
  let running = true
  const tick = (): void => {
    turns++
    if (running) setImmediate(tick)
  }
  tick()
  const names = policies.map((_, i) => String(i))
  const people = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const lists = people.map((sub) => listFilter(set, principalOf({ sub }), 'tool', entries(names)))
  expect((await Promise.all(lists)).every((list) => list.size === 300)).toBe(true)
  running = false
  // 2,400 decisions take at least 60 ms; a slice is three.
  expect(turns).toBeGreaterThan(15)
})
