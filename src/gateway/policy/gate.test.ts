import { expect, test } from 'vitest'
import { readPolicies } from '../../auth/policy/compile.ts'
import { principalOf } from '../../auth/policy/explain.ts'
import { GATEWAY_CALLER, type Caller, type EntryCall } from '../../model/call.ts'
import type { Entry } from '../../model/catalogue.ts'
import { backendId } from '../../model/ids.ts'
import type { NativeName, ShownName } from '../../model/ids.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { PolicyGate } from './gate.ts'

const entry = (name: string): Entry => ({
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
  const none = new Map<string, Entry>()
  const tools = new Map(['a', 'b'].map((name) => [name, entry(name)]))
  const catalogue = { version: 1, tools, prompts: none, resources: none, templates: none, conflicts: [], notes: [] }
  const seen = await gate.view(catalogue, principalOf({ sub: 'x', team: 'one' }))
  expect([...seen.tools.keys()]).toEqual(['a'])
  expect(await gate.view(catalogue, principalOf({ sub: 'y', team: 'two' }))).toBe(seen)
  expect((await gate.view(catalogue, principalOf({ sub: 'z' }))).tools.size).toBe(0)
})
