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
