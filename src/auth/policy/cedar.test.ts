import { expect, test } from 'vitest'
import { CedarTrapped, createEngine } from './cedar.ts'

const DEEP = `permit(principal, action, resource) when { ${'('.repeat(20_000)}true${')'.repeat(20_000)} };`

test('a trap discards the instance, and the next use has a new one', () => {
  const engine = createEngine()
  const first = engine.run((cedar) => cedar)
  expect(engine.run((cedar) => cedar)).toBe(first)
  expect(() => engine.run((cedar) => cedar.policyToJson(DEEP))).toThrow(CedarTrapped)
  const second = engine.run((cedar) => cedar)
  expect(second).not.toBe(first)
  expect(engine.run((cedar) => cedar.getCedarVersion())).toBe('4.13.0')
})

test('two engines share nothing', () => {
  const [a, b] = [createEngine(), createEngine()]
  a.run((cedar) => cedar.preparsePolicySet('x', { staticPolicies: {} }))
  const call = { principal: { type: 'A', id: '' }, action: { type: 'Action', id: '' }, resource: { type: 'A', id: '' } }
  const ask = (engine: typeof a) =>
    engine.run((cedar) => cedar.statefulIsAuthorized({ ...call, context: {}, entities: [], preparsedPolicySetId: 'x' }))
      .type
  expect([ask(a), ask(b)]).toEqual(['success', 'failure'])
})
