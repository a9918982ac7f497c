import { expect, test } from 'vitest'
import { build, offers, tool } from '../../../test/support/aggregation.ts'
import type { Contribution } from '../../aggregation/contribution.ts'
import { readPolicies } from '../../auth/policy/compile.ts'
import { principalOf } from '../../auth/policy/explain.ts'
import { GATEWAY_CALLER, type Caller, type EntryCall } from '../../model/call.ts'
import type { BackendEntry } from '../../model/catalogue.ts'
import { backendId } from '../../model/ids.ts'
import type { NativeName, ShownName } from '../../model/ids.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { PolicyGate } from './gate.ts'

const entry = (name: string): BackendEntry => ({
  shown: name as ShownName,
  route: { kind: 'backend', backend: backendId('git'), native: name as NativeName },
  visibility: 'listed',
  definition: { name },
})
const as = (sub: string): Caller => ({ ...GATEWAY_CALLER, principal: principalOf({ sub }) })
const callOf = (n: number) => ({ kind: 'tool', name: 'a', params: { arguments: { n } } }) satisfies EntryCall

async function gateWith(condition: string): Promise<PolicyGate> {
  const policy = `permit(principal, action == Action::"call_tool", resource) when { ${condition} };`
  const { set } = await readPolicies({ policies: [policy], serverName: 'srv' })
  return new PolicyGate(set, new Telemetry())
}

test('what was found ahead serves the same call, entry and caller, and only once', async () => {
  const gate = await gateWith('context has arg_n && context.arg_n < 5 && principal == Client::"alice"')
  const [a, b] = [entry('a'), entry('b')]
  const alice = as('alice')
  const call = callOf(1)
  const refused = /denied|Unknown/u
  expect(gate.allows(a, call, alice)).toBe(true)
  expect(() => gate.check(a, call, as('bob'))).toThrow(refused)
  expect(gate.allows(a, call, alice)).toBe(true)
  gate.check(a, call, alice)
  call.params.arguments.n = 9
  expect(() => gate.check(a, call, alice)).toThrow(refused)
  expect(gate.allows(b, call, alice)).toBe(false)
  expect(() => gate.check(b, call, alice)).toThrow(refused)
  expect(() => gate.check(a, callOf(9), alice)).toThrow(refused)
})

test('who sees the same gets the same catalogue', async () => {
  const gate = await gateWith('resource.name == "a" && principal has claim_team')
  const none = new Map<string, BackendEntry>()
  const tools = new Map(['a', 'b'].map((name) => [name, entry(name)]))
  const catalogue = { version: 1, tools, prompts: none, resources: none, templates: none, conflicts: [], notes: [] }
  const seen = await gate.view(catalogue, principalOf({ sub: 'x', team: 'one' }))
  expect([...seen.tools.keys()]).toEqual(['a'])
  expect(await gate.view(catalogue, principalOf({ sub: 'y', team: 'two' }))).toBe(seen)
  expect((await gate.view(catalogue, principalOf({ sub: 'z' }))).tools.size).toBe(0)
})

const says = (backend: string, instructions: string, more = {}): Contribution =>
  offers(backend, { tools: [tool('a')], instructions, ...more })
const skilled = (backend: string): Contribution => {
  const silent = offers(backend, { instructions: `I am ${backend}.` })
  return { ...silent, lists: { ...silent.lists!, extensions: { 'io.modelcontextprotocol/skills': {} } } }
}

async function told(contributions: readonly Contribution[], ...policies: string[]): Promise<string | undefined> {
  const { set, faults } = await readPolicies({ policies, serverName: 'srv' })
  expect(faults).toEqual([])
  const gate = new PolicyGate(set, new Telemetry())
  return (await gate.view(build(contributions), principalOf({ sub: 'bob' }))).instructions
}

const ALL = [says('one', 'I am one.'), says('two', 'I am two.'), skilled('three')]

test('a caller is told of backends of which it sees something', async () => {
  expect(await told(ALL, 'permit(principal, action, resource);')).toBe(
    '## one\n\nI am one.\n\n## two\n\nI am two.\n\n## three\n\nI am three.',
  )
  expect(await told(ALL, 'permit(principal, action, resource in Backend::"two");')).toBe('## two\n\nI am two.')
  expect(
    await told(ALL, 'permit(principal, action == Action::"call_tool", resource) when { context has arg_x };'),
  ).toBe('## one\n\nI am one.\n\n## two\n\nI am two.')
  expect(await told(ALL, 'permit(principal == Client::"alice", action, resource);')).toBeUndefined()
})

test('skills, which no list names, are something', async () => {
  const reads =
    'permit(principal, action == Action::"read_resource", resource) when { resource has name && resource.name like'
  expect(await told(ALL, `${reads} "skill://a/*" };`)).toBe('## three\n\nI am three.')
  expect(await told(ALL, 'permit(principal, action == Action::"read_resource", resource in Backend::"one");')).toBe(
    undefined,
  )
})

test('who sees the same lists need not see the same skills', async () => {
  const policies = ['permit(principal == Client::"bob", action == Action::"read_resource", resource);']
  const { set } = await readPolicies({ policies, serverName: 'srv' })
  const gate = new PolicyGate(set, new Telemetry())
  const catalogue = build(ALL)
  const of = async (sub: string) => (await gate.view(catalogue, principalOf({ sub }))).instructions
  expect(await of('bob')).toBe('## three\n\nI am three.')
  expect(await of('eve')).toBeUndefined()
  expect(await of('bob')).toBe('## three\n\nI am three.')
})

test('the instructions of a single backend stand alone, for whoever sees something of it', async () => {
  const [alone] = ALL
  expect(await told([alone!], 'permit(principal, action, resource);')).toBe('I am one.')
  expect(await told([alone!], 'permit(principal, action, resource in Backend::"other");')).toBeUndefined()
})

test('a backend that offers nothing is nothing that anybody sees', async () => {
  const [one, two] = [says('one', 'I am one.'), offers('two', { instructions: 'I am two.' })]
  expect(await told([one, two], 'permit(principal, action, resource);')).toBe('## one\n\nI am one.')
})

test('who was refused what, and by which policies, is told; a completion that is answered is not', async () => {
  const policies = [
    'permit(principal, action, resource) when { context has arg_n && context.arg_n < 5 };',
    '@id("no") forbid(principal, action, resource) when { resource.name == "b" };',
    '@id("odd") permit(principal, action, resource) when { resource.name == "c" && principal.claim_none == 1 };',
  ]
  const { set } = await readPolicies({ policies, serverName: 'srv' })
  const telemetry = new Telemetry()
  const told: unknown[] = []
  telemetry.subscribe((name, data) => told.push([name, data]))
  const gate = new PolicyGate(set, telemetry)
  const alice = as('alice')
  gate.check(entry('a'), callOf(1), alice)
  const completion: EntryCall = { kind: 'complete', ref: { type: 'prompt', name: 'a' }, params: {} }
  gate.check(entry('a'), completion, alice)
  expect(told).toEqual([])
  expect(() => gate.check(entry('a'), callOf(9), alice)).toThrow('denied')
  expect(() => gate.check(entry('b'), callOf(1), alice)).toThrow('Unknown')
  expect(() => gate.check(entry('c'), callOf(1), alice)).toThrow('Unknown')
  expect(told).toEqual([
    ['policy.denied', { principal: 'alice', what: 'call_tool a', by: [] }],
    ['policy.denied', { principal: 'alice', what: 'call_tool b', by: ['no'] }],
    [
      'policy.fault',
      { principal: 'alice', what: 'call_tool c', policy: 'odd', message: expect.stringContaining('claim_none') },
    ],
  ])
})

test('a template is seen, and completed, by whom one of its resources may be read', async () => {
  const policies = [
    'permit(principal, action == Action::"read_resource", resource) when { resource.name like "doc://*" };',
  ]
  const { set } = await readPolicies({ policies, serverName: 'srv' })
  const gate = new PolicyGate(set, new Telemetry())
  const templateOf = (uri: string): BackendEntry => ({ ...entry(uri), definition: { uriTemplate: uri } })
  const complete = (uri: string): EntryCall => ({ kind: 'complete', ref: { type: 'resource', uri }, params: {} })
  const [open, hidden] = ['doc://{id}', 'hid://{id}']
  const templates = new Map([open, hidden].map((uri) => [uri, templateOf(uri)]))
  const none = new Map<string, BackendEntry>()
  const catalogue = { version: 1, tools: none, prompts: none, resources: none, templates, conflicts: [], notes: [] }
  const seen = await gate.view(catalogue, principalOf({ sub: 'rr' }))
  expect([...seen.templates.keys()]).toEqual([open])
  gate.check(templateOf(open), complete(open), as('rr'))
  expect(() => gate.check(templateOf(hidden), complete(hidden), as('rr'))).toThrow('Unknown resource: hid://{id}')
  expect(() => gate.check(templateOf(hidden), complete('hid://1'), as('rr'))).toThrow('Unknown resource: hid://1')
})
