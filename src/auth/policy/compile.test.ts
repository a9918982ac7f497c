import { expect, test } from 'vitest'
import { didYouMean as suggest } from '../../model/nearest.ts'
import { compilePolicies } from './compile.ts'
import { checkArguments, checkNames } from './names.ts'

const NAMES = { serverName: 'srv', group: 'eng', backends: ['git', 'b'] }

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
    'error 2:21 unrecognized entity type `Clint` (did you mean "Client"?)',
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
  [
    `permit(${CALL} in Backend::"gti");`,
    'error 1:62 the policy can never match: nothing is in Backend::"gti" (did you',
  ],
  [
    'permit(principal == User::"x", action, resource);',
    'error 1:21 unrecognized entity type `User` (did you mean "Client"?)',
  ],
  [
    'permit(principal == Usr::"x", action, resource);',
    'error 1:21 unrecognized entity type `Usr` (did you mean "Client"?)',
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

const NEVER = 'the policy can never match: '

test.each([
  ['1 > 2', 'its conditions never hold', '1:60'],
  ['!(1 <= 2)', 'its conditions never hold', '1:60'],
  ['1 > 2 || 2 > 3', 'its conditions never hold', '1:60'],
  ['context.origin == "clients"', 'context.origin is "client" or "workflow"'],
  ['"clients" == context.origin', 'context.origin is "client" or "workflow"'],
  ['["clients"].contains(context.origin)', 'context.origin is "client" or "workflow"'],
  ['resource.feature == "prompt"', 'resource.feature is "tool"'],
  ['resource.operation == "read" || 1 == 2', 'resource.operation is "call"'],
  ['context.origin == "client" && context.origin == "workflow"', 'context.origin is never both'],
  ['principal == Client::"a" && principal == Client::"b"', 'principal is never both'],
  ['resource.name == "a" && true && (resource.name == "b")', 'resource.name is never both "a" and "b"'],
  ['resource.name == "a" && resource.name != "a"', 'resource.name never is "a" and is not'],
  ['if 1 == 1 then resource.name == "a" && !(resource.name == "a") else true', 'resource.name never is "a" and is not'],
  ['resource in Backend::"nobody"', 'nothing is in Backend::"nobody"'],
  ['resource in [Backend::"nobody", Backend::"none"]', 'nothing is in Backend::"nobody"'],
] as [string, string, string?][])('when %s nothing ever matches', async (condition, why, position) => {
  for (const text of [`permit(${CALL}) when { ${condition} };`, `forbid(${CALL}) unless { !(${condition}) };`]) {
    const [found, ...more] = await faults(text)
    expect(more).toEqual([])
    expect(found).toContain(NEVER + why)
    if (position !== undefined) expect(found).toContain(`error ${position} `)
  }
})

test.each([
  ['2 > 1'],
  ['resource.name == "a" || resource.name == "b"'],
  ['!(resource.name == "a" && resource.name == "b")'],
  ['resource.name == "a" || 1 > 2'],
  ['resource.name == "a" && principal == Client::"b"'],
  ['resource.name != "a" && resource.name != "b"'],
  ['!(context.origin == "clients")'],
  ['context.origin != "clients"'],
  ['["clients", "client"].contains(context.origin)'],
  ['resource in [Backend::"nobody", Backend::"git"]'],
  ['resource in Backend::"above"'],
  ['!(resource in Backend::"nobody")'],
  ['9007199254740993 != 9007199254740992'],
  ['9007199254740993 > 9007199254740992'],
  ['if resource.name == "a" then false else true'],
])('%s may hold', async (condition) => {
  const entities = [{ uid: { type: 'Backend', id: 'git' }, attrs: {}, parents: [{ type: 'Backend', id: 'above' }] }]
  expect(await faults(`permit(${CALL}) when { ${condition} };`, JSON.stringify(entities))).toEqual([])
})

test('a scope and a condition that differ never match', async () => {
  const [found] = await faults(`permit(${CALL} == Tool::"a") when { resource == Tool::"b" };`)
  expect(found).toContain(`${NEVER}resource is never both Tool::"a" and Tool::"b"`)
})

test('rules about lists, which decide nothing, may name what lists have', async () => {
  const text = 'permit(principal, action == Action::"list_tools", resource) when { resource.operation == "list" };'
  expect((await faults(text)).filter((one) => one.startsWith('error'))).toEqual([])
})

test('backends count where they are known', async () => {
  const policies = [`permit(${CALL} in Backend::"any");`]
  const open = await compilePolicies({ policies, serverName: 'srv' }, suggest)
  expect(open.faults).toEqual([])
  const { faults: found } = await compilePolicies({ policies, serverName: 'srv', backends: [] }, suggest)
  expect(found).toMatchObject([{ message: expect.stringContaining('nothing is in Backend::"any"'), severity: 'error' }])
})

test('configured entities cannot say of our attributes what they never are', async () => {
  const attrs = { readOnlyHint: 'yes', name: 5, uri: 'a', owner: 3 }
  const entities = JSON.stringify([
    { uid: { type: 'Tool', id: 'a' }, attrs, parents: [] },
    { uid: { type: 'Folder', id: 'a' }, attrs: { name: 5 }, parents: [] },
  ])
  expect(await faults(`permit(${CALL});`, entities)).toEqual([
    'error 1:1 readOnlyHint of Tool::"a" must be a Boolean, not a String',
    'error 1:1 name of Tool::"a" must be a String, not a Long',
  ])
})

test.each(['Client', 'Tool', 'Backend', 'Group', 'MCP'])('groups cannot be %s', async (groupEntityType) => {
  const { faults: found } = await compilePolicies(
    { policies: [`permit(${CALL});`], ...NAMES, groupEntityType },
    suggest,
  )
  expect(found).toMatchObject([{ where: 'groupEntityType', severity: 'error' }])
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
  const live = { tools: new Map([['search', undefined]]), prompts: new Map(), backends: ['git'] }
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

test('arguments that nothing takes are told, where all say what they take', async () => {
  const policies = [
    `permit(${CALL} == Tool::"search") when { context has arg_qeury && context has arg_query };`,
    `permit(principal, action, resource) when { context has arg_who || context has arg_none_present };`,
    `permit(${CALL} == Tool::"open") when { context has arg_anything };`,
    `permit(${CALL} == Tool::"gone") when { context has arg_anything };`,
  ]
  const { set } = await compilePolicies({ policies, ...NAMES }, suggest)
  const told = (tools: [string, string[] | undefined][]) =>
    checkArguments(set!, { tools: new Map(tools), prompts: new Map([['greet', ['who']]]), backends: [] }, suggest).map(
      ({ policy, column, message, hint }) => [policy, column, message, hint],
    )
  expect(told([['search', ['query']]])).toEqual([
    ['policy0', 97, '"search" has no argument "qeury" now', 'did you mean "query"?'],
    ['policy1', 79, 'nothing has an argument "none" now', undefined],
  ])
  expect(told([['open', undefined]])).toEqual([])
})
