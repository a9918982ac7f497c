import { expect, test } from 'vitest'
import { ANONYMOUS } from '../../model/principal.ts'
import { readPolicies } from './compile.ts'
import { explain, principalOf, requestOf, runCases } from './explain.ts'
import type { PolicySet } from './set.ts'

const CALL = 'principal, action == Action::"call_tool", resource'
const POLICIES = [
  `@id("team") permit(${CALL}) when { principal has claim_team && principal.claim_team == "x" };`,
  `@id("small") permit(${CALL} == Tool::"pay") when { context.arg_amount < 100 };`,
  `@id("careful") forbid(${CALL}) when { resource has destructiveHint && resource.destructiveHint };`,
  `@id("other") permit(principal, action == Action::"get_prompt", resource);`,
]
const read = async (policies: string[]): Promise<PolicySet> =>
  (await readPolicies({ policies, serverName: 'srv', group: 'eng' })).set

test('an explanation says what each policy said, and what it missed', async () => {
  const set = await read(POLICIES)
  const request = requestOf(principalOf({ sub: 'bob' }), { tool: 'pay' })
  const told = explain(set, request)
  expect(told).toMatchObject({
    decision: { kind: 'deny', why: 'fault', faults: [{ policy: 'small' }] },
    listed: true,
    policies: [
      { id: 'team', index: 0, effect: 'permit', says: 'does not apply', missing: ['principal.claim_team'] },
      { id: 'small', says: 'fails', missing: ['context.arg_amount'] },
      { id: 'careful', effect: 'forbid', says: 'does not apply', missing: ['resource.destructiveHint'] },
    ],
  })
  const fixed = explain(set, requestOf(principalOf({ sub: 'bob' }), { tool: 'pay', arguments: { amount: 5 } }))
  expect([fixed.decision.kind, fixed.policies[1]?.says]).toEqual(['allow', 'applies'])
})

test('cases are run', async () => {
  const set = await read(POLICIES)
  const principal = { sub: 'bob', team: 'x' }
  const results = runCases(set, [
    { principal, call: { tool: 'a' }, expected: 'allow' },
    { principal, call: { tool: 'a', annotations: { destructiveHint: true } }, expected: 'allow' },
    { principal: {}, call: { prompt: 'a', workflow: 'w' }, expected: 'allow' },
  ])
  expect(results.map((one) => one.passed)).toEqual([true, false, true])
  expect(principalOf({})).toBe(ANONYMOUS)
  expect(() => requestOf(ANONYMOUS, {})).toThrow('names one of')
  expect(() => requestOf(ANONYMOUS, { tool: 'a', prompt: 'b' })).toThrow('names one of')
})
