import { expect, test } from 'vitest'
import { compilePolicies } from './compile.ts'
import type { Suggest } from './check.ts'
import { checkNames } from './names.ts'

const suggest: Suggest = (name, candidates) => {
  const best = candidates.find((one) => one.slice(0, 2) === name.slice(0, 2))
  return best === undefined ? undefined : `did you mean "${best}"?`
}
const NAMES = { serverName: 'srv', group: 'eng' }

async function faults(policy: string, entitiesJson?: string): Promise<string[]> {
  const { set, faults: found } = await compilePolicies({ policies: [policy], entitiesJson, ...NAMES }, suggest)
  expect(set === undefined).toBe(found.some((one) => one.severity === 'error'))
  return found.map((one) => {
    const hint = one.hint === undefined ? '' : ` (${one.hint})`
    return `${one.severity} ${one.line}:${one.column} ${one.message}${hint}`
  })
}

const CALL = 'principal, action == Action::"call_tool", resource'

test.each([
  [`permit(${CALL} == Tool::"a") when { context has arg_a && context.arg_a == "b" };`],
  [`permit(${CALL}) when { resource has readOnlyHint && resource.readOnlyHint };`],
  [`permit(${CALL}) when { principal has claim_roles && principal.claim_roles.contains("admin") };`],
  [`permit(principal in THVGroup::"x", action, resource in MCP::"srv");`],
  [
    `permit(principal, action == Action::"read_resource", resource in Group::"eng") when { resource.uri == "x" || true };`,
  ],
  [`permit(${CALL} is Tool in Backend::"b") unless { context.origin == "workflow" };`],
  [`permit(${CALL}) when { context has arg_x && context.arg_x.lessThan(decimal("1.5")) };`],
  [`permit(${CALL}); forbid(${CALL} == Tool::"x");`],
])('%s is right', async (policy) => {
  expect((await faults(policy)).filter((one) => one.startsWith('error'))).toEqual([])
})

test.each([
  [
    'permit(principal, action == Action::"tools/call", resource);',
    'error 1:29 unrecognized action `Action::"tools/call"` (that is a method; the action is "call_tool")',
  ],
  [
    '// é\npermit(principal,\n  action == Action::"cal_tool", resource);',
    'error 3:13 unrecognized action `Action::"cal_tool"` (did you mean "call_tool"?)',
  ],
  [
    '// é😀\npermit(principal == Clint::"x", action, resource);',
    'error 2:21 unrecognized entity type `Clint` (did you mean `Client`?)',
  ],
  [
    `permit(${CALL}) when { resource.readonlyHint };`,
    'error 1:76 there is no attribute "readonlyHint" of resource (did you mean "readOnlyHint"?)',
  ],
  [`permit(${CALL}) when { resource has tool };`, 'error 1:80 there is no attribute "tool" of resource (resource has'],
  [
    'permit(principal, action, resource) when { principal.role == "x" };',
    'error 1:54 there is no attribute "role" of principal (principal has claim_<name>)',
  ],
  [
    `permit(${CALL}) when { context.arg_x like "a" && context.arg_x > 5 };`,
    'error 1:93 unexpected type: expected Long but saw String',
  ],
  [
    `permit(${CALL}) when { context.arg_x.contains("a") };`,
    'error 1:75 arg_x is used as a set, which it never is (of lists and objects there is only arg_x_present)',
  ],
  [`permit(${CALL}) when { principal.claim_address.country == "x" };`, 'error 1:77 claim_address is used as a record'],
  [`permit(${CALL}) when { false };`, 'error 1:1 the policy can never match, whatever the catalogue'],
  [`permit(${CALL} == Resource::"x");`, 'error 1:1 the policy can never match, whatever the catalogue'],
  [
    `permit(${CALL} in MCP::"other");`,
    'error 1:62 the policy can never match: nothing is in MCP::"other" (here it is MCP::"srv")',
  ],
  [`permit(${CALL}) when { foo("x") };`, 'error 1:67 `foo` is not a valid function'],
  ['permit(principal, action, resource', 'error 1:35 unexpected end of input'],
  ['permit(principal, action, resource == ?resource);', 'error 1:39 expected a static policy, got a template'],
  ['  // nothing', 'error 1:1 there is no policy in it'],
  [`permit(${CALL}) when { ${'!('.repeat(300)}true${')'.repeat(300)} };`, 'error 1:166 nested more than 50 deep'],
  [
    `permit(${CALL}) when { principal.claim_x == "a" };`,
    'warning 1:67 unable to guarantee safety of access to optional attribute `claim_x`',
  ],
  ['permit(principal, action == Action::"list_tools", resource);', 'warning 1:38 list_tools decides nothing'],
])('%#: what is wrong is told', async (policy, expected) => {
  const found = await faults(policy)
  expect(found.map((one) => one.slice(0, expected.length))).toContain(expected)
})

test('rules may treat an argument of the same name as different types', async () => {
  const rule = (tool: string, use: string): string =>
    `permit(${CALL} == Tool::"${tool}") when { context has arg_a && ${use} };`
  expect(await faults(`${rule('a', 'context.arg_a > 5')} ${rule('b', 'context.arg_a like "x*"')}`)).toEqual([])
})

test('configured entities are known', async () => {
  const entities = JSON.stringify([
    { uid: { type: 'Tool', id: 'a' }, attrs: { owner: 'bob', cost: 3 }, parents: [{ type: 'Folder', id: 'f' }] },
  ])
  expect(
    await faults(`permit(${CALL} in Folder::"f") when { resource has cost && resource.cost < 5 };`, entities),
  ).toEqual([])
  expect(await faults(`permit(${CALL}) when { resource has ownr };`, entities)).toEqual([
    'error 1:80 there is no attribute "ownr" of resource (did you mean "owner"?)',
  ])
  for (const wrong of [
    '{',
    '{}',
    '[1]',
    '[{"uid":{"type":"A","id":"x"},"attrs":{},"parents":[{"type":"A","id":"x"}]}]',
    '['.repeat(100_000),
  ])
    expect((await faults(`permit(${CALL});`, wrong)).some((one) => one.startsWith('error'))).toBe(true)
})

test('ids are those of the annotation', async () => {
  const policies = [`@id("mine") permit(${CALL});`, `permit(${CALL});`, `permit(${CALL}); @id("mine") permit(${CALL});`]
  const { set, faults: found } = await compilePolicies({ policies, ...NAMES }, suggest)
  expect(set?.rules.map((rule) => rule.id)).toEqual(['mine', 'policy1', 'policy2.0', 'mine'])
  expect(found.map((one) => [one.severity, one.index, one.message])).toEqual([
    ['warning', 2, 'another policy has the id "mine"'],
  ])
})

test('names that are not there now are told with the nearest', async () => {
  const policies = [`permit(${CALL} == Tool::"serch");\npermit(${CALL} in Backend::"git");`]
  const { set } = await compilePolicies({ policies, ...NAMES }, suggest)
  const live = { tools: ['search'], prompts: [], backends: ['git'] }
  expect(set && checkNames(set, live, suggest)).toEqual([
    {
      where: 'policies',
      index: 0,
      policy: 'policy0.0',
      line: 1,
      column: 69,
      severity: 'warning',
      message: 'there is no tool "serch" now',
      hint: 'did you mean "search"?',
    },
  ])
})
