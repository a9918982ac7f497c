import { expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { createEngine } from './cedar.ts'
import { readPolicies } from './compile.ts'
import type { PolicySettings } from './compile.ts'
import { decide, mayBeAllowed } from './decide.ts'
import { principalOf } from './explain.ts'
import { MAX_DEPTH } from './scan.ts'
import type { Target } from './request.ts'
import type { PolicySet } from './set.ts'

const TOOL: Target = { kind: 'tool', name: 'a', backend: 'git' }
const BOB = principalOf({ sub: 'bob', groups: ['dev'], email: 'bob@x' })
const CALL = 'principal, action == Action::"call_tool", resource'

async function read(policies: string[], more: Partial<PolicySettings> = {}): Promise<PolicySet> {
  const { set, faults } = await readPolicies({ policies, serverName: 'srv', group: 'eng', ...more })
  expect(faults).toEqual([])
  return set
}

const ask = (set: PolicySet, args?: JsonObject, target = TOOL, principal = BOB): string => {
  const decision = decide(set, { principal, target, arguments: args, origin: 'client' })
  return decision.kind === 'allow' ? 'allow' : decision.why
}

test('what decided is named', async () => {
  const set = await read([`@id("yes") permit(${CALL});`, `@id("no") forbid(${CALL} == Tool::"b");`])
  expect(decide(set, { principal: BOB, target: TOOL, origin: 'client' })).toEqual({ kind: 'allow', by: ['yes'] })
  const other = { ...TOOL, name: 'b' }
  expect(decide(set, { principal: BOB, target: other, origin: 'client' })).toEqual({
    kind: 'deny',
    why: 'policy',
    by: ['no'],
    faults: [],
  })
  expect(ask(set, {}, { kind: 'prompt', name: 'a', backend: 'git' })).toBe('no-match')
})

test.each([
  ['resource in MCP::"srv"', true],
  ['resource in Backend::"git"', true],
  ['resource in Backend::"other"', false],
  ['resource in Group::"eng"', true],
  ['resource is Tool in Group::"eng"', true],
])('a tool of a backend is %s: %s', async (scope, expected) => {
  expect(ask(await read([`permit(principal, action, ${scope});`]))).toBe(expected ? 'allow' : 'no-match')
})

test.each<[JsonObject, Partial<PolicySettings>, string[]]>([
  [{ groups: ['a'], roles: ['b'] }, {}, ['a']],
  [{ roles: ['b'], 'cognito:groups': ['c'] }, {}, ['b']],
  [{ 'cognito:groups': ['c', 7] }, {}, ['c']],
  [{ groups: ['a'], roles: ['b'] }, { roleClaimName: 'roles' }, ['a', 'b']],
  [{ groups: ['a'], realm: { roles: ['b'] } }, { groupClaimName: 'realm.roles' }, ['b']],
  [{ groups: ['a'], 'https://x.y/roles': ['b'] }, { groupClaimName: 'https://x.y/roles' }, ['b']],
  [{ groups: 'a' }, { groupClaimName: '__proto__.x' }, []],
  [{ groups: [], roles: ['b'] }, {}, []],
])('the groups of %j with %j are %j', async (claims, settings, groups) => {
  const names = ['a', 'b', 'c']
  const set = await read(
    names.map((name) => `@id("${name}") permit(principal in Team::"${name}", action, resource);`),
    {
      ...settings,
      groupEntityType: 'Team',
    },
  )
  const decision = decide(set, { principal: principalOf({ sub: 'x', ...claims }), target: TOOL, origin: 'client' })
  expect([...decision.by].sort()).toEqual(groups)
})

test('claims are attributes of principal and context', async () => {
  const set = await read([
    `permit(${CALL}) when { principal.claim_email == "bob@x" && context.claim_email == principal.claim_email };`,
  ])
  expect([ask(set), ask(set, {}, TOOL, ANONYMOUS)]).toEqual(['allow', 'fault'])
  const roles = await read([`permit(${CALL}) when { principal.claim_roles.contains("admin") };`])
  const as = (value: JsonValue): string => ask(roles, {}, TOOL, principalOf({ sub: 'x', roles: value }))
  expect([as(['admin']), as([]), as('admin'), as({ admin: true }), as([{ __entity: 1 }])]).toEqual([
    'allow',
    'no-match',
    'fault',
    'fault',
    'fault',
  ])
})

test('annotations count when they are boolean', async () => {
  const set = await read([`permit(${CALL}) when { resource has readOnlyHint && resource.readOnlyHint };`])
  const as = (readOnlyHint: JsonValue): string => ask(set, {}, { ...TOOL, annotations: { readOnlyHint } })
  expect([as(true), as(false), as('yes'), as({ __entity: { type: 'Tool', id: 'a' } })]).toEqual([
    'allow',
    'no-match',
    'no-match',
    'no-match',
  ])
})

test('origin and workflow', async () => {
  const set = await read([`permit(${CALL}) when { context.origin == "workflow" && context.workflow == "w" };`])
  const request = { principal: BOB, target: TOOL }
  expect(decide(set, { ...request, origin: 'workflow', workflow: 'w' }).kind).toBe('allow')
  expect(decide(set, { ...request, origin: 'workflow', workflow: 'v' }).kind).toBe('deny')
  expect(decide(set, { ...request, origin: 'client' }).kind).toBe('deny')
  expect(decide(set, { ...request, origin: 'workflow', workflow: 'w' }).kind).toBe('allow')
})

/** Values of an argument, and what a permit and a forbid that look at it give. */
const raw = (text: string): JsonValue => (JSON as unknown as { rawJSON(text: string): JsonValue }).rawJSON(text)
test.each<[string, JsonValue, string]>([
  ['context.arg_n < 200', 100, 'allow'],
  ['context.arg_n < 200', 100.5, 'fault'],
  ['context.arg_n < 200', '100', 'fault'],
  ['context.arg_n == 100', 100.5, 'fault'],
  ['context.arg_n.lessThan(decimal("200.0"))', 100.5, 'allow'],
  ['context.arg_n.lessThan(decimal("200.0"))', 100, 'allow'],
  ['context.arg_n.lessThan(decimal("200.0"))', 0.12345, 'fault'],
  ['context.arg_n.lessThan(decimal("200.0"))', 1e300, 'fault'],
  ['context.arg_n == 9007199254740993', raw('9007199254740993'), 'allow'],
  ['context.arg_n == 9007199254740992', raw('9007199254740993'), 'no-match'],
  ['context.arg_n > 0', raw('9223372036854775807'), 'allow'],
  ['context.arg_n > 0', raw('9223372036854775808'), 'fault'],
  ['context.arg_n > 0', raw('1e400'), 'fault'],
  ['context.arg_n > 0', 9007199254740992, 'fault'],
  ['context has arg_n', [1], 'fault'],
  ['context has arg_n', null, 'fault'],
  ['context has arg_n', { a: 1 }, 'fault'],
  ['context has arg_n', '\ud800', 'fault'],
  ['context has arg_n_present', [1], 'allow'],
  ['context has arg_n_present', {}, 'allow'],
  ['context has arg_n_present', 1, 'no-match'],
  ['principal == context.arg_n', { __entity: { type: 'Client', id: 'bob' } }, 'fault'],
  ['context.arg_n == decimal("1.0")', { __extn: { fn: 'decimal', arg: '1.0' } }, 'fault'],
])('%s with %j: %s', async (condition, value, expected) => {
  const set = await read([`permit(${CALL}) when { ${condition} };`])
  expect(ask(set, { n: value })).toBe(expected)
  // What no policy looks at does not matter.
  expect(ask(await read([`permit(${CALL}) when { context has arg_m };`]), { m: 1, n: value })).toBe('allow')
  // A forbid that cannot look must not let pass.
  const forbidding = await read([`permit(${CALL});`, `forbid(${CALL}) when { ${condition} };`])
  expect(ask(forbidding, { n: value })).toBe({ allow: 'policy', 'no-match': 'allow', fault: 'fault' }[expected])
})

test('an argument that only policies for others look at does not deny', async () => {
  const looks = (who: string): string =>
    `forbid(${who}, action, resource) when { context has arg_n && context.arg_n > 5 };`
  const others = await read([
    `permit(${CALL});`,
    looks('principal in THVGroup::"ops"'),
    looks('principal').replaceAll('arg_n', 'arg_m'),
  ])
  const own = await read([`permit(${CALL});`, looks('principal in THVGroup::"dev"')])
  expect([ask(others, { n: [1] }), ask(own, { n: [1] }), ask(own, { n: 1 })]).toEqual(['allow', 'fault', 'allow'])
})

test('names of prototypes are names', async () => {
  const set = await read([
    `permit(${CALL}) when { context has arg___proto__ && context.arg___proto__ == "x" && context has arg_constructor };`,
  ])
  const hostile = JSON.parse('{"__proto__":"x","constructor":"y"}') as JsonObject
  expect([ask(set, hostile), ask(set, {}), ask(set, { constructor: 'y' })]).toEqual(['allow', 'no-match', 'no-match'])
  const named = await read([`permit(${CALL} == Tool::"__proto__");`])
  expect(ask(named, {}, { ...TOOL, name: '__proto__' })).toBe('allow')
})

test('an argument cannot say that another is not there', async () => {
  const set = await read([
    `permit(${CALL});`,
    `forbid(${CALL}) when { context has arg_x_present && context.arg_x_present };`,
  ])
  expect([ask(set, { x: [1] }), ask(set, { x: [1], x_present: false }), ask(set, { x: 1 })]).toEqual([
    'policy',
    'fault',
    'allow',
  ])
})

test('a missing attribute in a forbid denies', async () => {
  const set = await read([`permit(${CALL});`, `@id("f") forbid(${CALL}) when { principal.claim_banned };`])
  const decision = decide(set, { principal: BOB, target: TOOL, origin: 'client' })
  expect(decision).toMatchObject({ kind: 'deny', why: 'fault', faults: [{ policy: 'f' }] })
  expect(mayBeAllowed(set, { principal: BOB, target: TOOL, origin: 'client' })).toBe(false)
})

test('names that Cedar cannot hold deny', async () => {
  const set = await read(['permit(principal, action, resource);'])
  const instance = set.engine.run((cedar) => cedar)
  expect(ask(set, {}, { ...TOOL, name: '\ud800' })).toBe('fault')
  expect(ask(set, {}, TOOL, principalOf({ sub: '\ud800' }))).toBe('fault')
  expect(ask(set)).toBe('allow')
  // Nobody makes the engine start anew by a name.
  expect(set.engine.run((cedar) => cedar)).toBe(instance)
})

test('a trap denies this call and no later one', async () => {
  const set = await read([`permit(${CALL}) when { context has arg_n };`])
  expect(ask(set, { n: 1 })).toBe('allow')
  let traps = 0
  const real = createEngine()
  const trapping: PolicySet = {
    ...set,
    engine: createEngine(() => ({
      ...real.run((cedar) => cedar),
      statefulIsAuthorized: (call) => {
        if (traps++ === 0) throw new RangeError('Maximum call stack size exceeded')
        return real.run((cedar) => cedar.statefulIsAuthorized(call))
      },
    })),
  }
  const request = { principal: BOB, target: TOOL, arguments: { n: 1 }, origin: 'client' } as const
  expect(decide(trapping, request)).toMatchObject({
    kind: 'deny',
    why: 'fault',
    by: [],
  })
  expect(decide(trapping, request).kind).toBe('allow')
})

test('the deepest policy that is taken can be decided deep in a stack', async () => {
  const chain = Array.from({ length: MAX_DEPTH - 8 }, (_, i) => `context.arg_n != ${i}`).join(' && ')
  const set = await read([`permit(${CALL}) when { ${chain} };`])
  const deep = (levels: number): string => (levels === 0 ? ask(set, { n: -1 }) : deep(levels - 1))
  expect(deep(1000)).toBe('allow')
  expect(mayBeAllowed(set, { principal: BOB, target: TOOL, origin: 'client' })).toBe(true)
})

test('what was decided of one target counts for no other that policies can tell apart', async () => {
  const below = { uid: { type: 'Tool', id: 'b' }, attrs: {}, parents: [{ type: 'Tool', id: 'a' }] }
  const more = { entitiesJson: JSON.stringify([below]) }
  const other = { ...TOOL, name: 'b' }
  const both = async (policy: string): Promise<string[]> => {
    const set = await read([policy], more)
    return [ask(set), ask(set, {}, other), ask(set), ask(set, {}, other)]
  }
  expect(await both(`permit(${CALL} == Tool::"a");`)).toEqual(['allow', 'no-match', 'allow', 'no-match'])
  expect(await both(`permit(${CALL} in Tool::"a");`)).toEqual(['allow', 'allow', 'allow', 'allow'])
  expect(await both(`permit(${CALL}) when { resource.name == "a" };`)).toEqual([
    'allow',
    'no-match',
    'allow',
    'no-match',
  ])
  expect(await both(`permit(${CALL}) when { Tool::"a" == resource };`)).toEqual([
    'allow',
    'no-match',
    'allow',
    'no-match',
  ])
})

test('what principals of one class were told counts for the others, and for nobody else', async () => {
  const set = await read([`permit(${CALL}) when { principal has claim_team && principal.claim_team == "x" };`])
  let asked = 0
  const counting: PolicySet = { ...set, engine: { run: (use) => set.engine.run((cedar) => (asked++, use(cedar))) } }
  const as = (sub: string, team: string): string => ask(counting, { n: sub }, TOOL, principalOf({ sub, team }))
  expect([as('a', 'x'), as('b', 'x'), as('c', 'y'), as('d', 'y'), as('a', 'x')]).toEqual([
    'allow',
    'allow',
    'no-match',
    'no-match',
    'allow',
  ])
  expect(asked).toBe(2)
})

test('what is longer than patterns may be matched with is denied, where a policy looks at it', async () => {
  const set = await read([`permit(${CALL}) when { context has arg_p && context.arg_p like "*" };`])
  expect(ask(set, { p: 'a'.repeat(2 ** 20) })).toBe('allow')
  expect(ask(set, { p: 'a'.repeat(2 ** 20 + 1) })).toBe('fault')
  expect(ask(set, { p: 'a', q: 'a'.repeat(2 ** 20 + 1) })).toBe('allow')
  const long = { ...TOOL, name: 'a'.repeat(2 ** 16 + 1) }
  expect(ask(set, { p: 'a' }, long)).toBe('fault')
  expect(mayBeAllowed(set, { principal: BOB, target: long, origin: 'client' })).toBe(false)
})

test.each([
  ['docs://open/a', true],
  ['docs://open/./a', true],
  ['docs://open/x/../a', true],
  ['docs://open/../closed/b', false],
  ['docs://open/%2e%2e/closed/b', false],
  ['docs://open/..%2fclosed/b', false],
  ['docs://open//../closed/b', false],
  ['docs://open\\..\\closed\\b', false],
  ['docs://open/%252525252e%252525252e/closed/b', false],
  ['docs://closed/../open/a', false],
  ['docs://open/../open/a', true],
])('a resource is allowed under every name that a backend could take its URI for: %s, %s', async (name, allowed) => {
  const READ = 'principal, action == Action::"read_resource", resource'
  const target: Target = { kind: 'resource', name, backend: 'git' }
  const permitting = await read([`permit(${READ}) when { resource has name && resource.name like "docs://open/*" };`])
  expect(decide(permitting, { principal: BOB, target, origin: 'client' }).kind).toBe(allowed ? 'allow' : 'deny')
  expect(mayBeAllowed(permitting, { principal: BOB, target, origin: 'client' })).toBe(allowed)
  const tool: Target = { ...target, kind: 'tool' }
  expect(ask(await read([`permit(${CALL}) when { resource.name like "docs://*" };`]), {}, tool)).toBe('allow')
})

test.each(['docs://closed/b', 'docs://open/../closed/b', 'docs://%63losed/b', 'DOCS://closed/b'])(
  'what is forbidden is so under every name: %s',
  async (name) => {
    const set = await read([
      'permit(principal, action, resource);',
      'forbid(principal, action, resource) when { resource has name && resource.name like "docs://closed/*" };',
    ])
    expect(ask(set, {}, { kind: 'resource', name, backend: 'git' })).toBe('policy')
  },
)
