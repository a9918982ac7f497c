import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../../model/settings.ts'
import type { Offer } from '../../workflow/compile/world.ts'
import type { Tools } from './offers.ts'
import { storedDefinition } from './stored-definition.ts'
import { StoredPlans } from './stored-plans.ts'

const TEXT: JsonObject = { type: 'object', properties: { text: { type: 'string' } } }
const NUMBER: JsonObject = { type: 'object', properties: { text: { type: 'integer' } } }

/** Tools that take these arguments, and how often they are asked for. */
function toolsWith(schemas: Readonly<Record<string, JsonObject>>) {
  const tool = vi.fn<Tools['tool']>((name) => {
    const inputSchema = schemas[name]
    return inputSchema ? ({ shown: name, inputSchema } satisfies Offer) : 'unknown'
  })
  return { tool, tools: () => Object.keys(schemas) } satisfies Tools
}

const TWO: AuthoredCompositeTool = {
  name: 'two',
  steps: [
    { id: 'a', tool: 'first', arguments: { text: 'x' } },
    { id: 'b', tool: 'second', dependsOn: ['a'] },
  ],
}
const lying = (): JsonValue => JSON.parse(JSON.stringify(storedDefinition(TWO, new Map()))) as JsonValue
const plansOf = () => new StoredPlans(DEFAULT_WORKFLOW_LIMITS)

test('runs of one definition are planned once, until a tool of theirs is another', () => {
  const plans = plansOf()
  const plan = (schemas: Record<string, JsonObject>, ended: string[] = []) =>
    plans.plan(lying(), ended, toolsWith(schemas))
  const first = plan({ first: TEXT, second: TEXT })
  expect(first).toMatchObject({ plan: { steps: [{ id: 'a' }, { id: 'b' }] } })
  expect(plan({ first: TEXT, second: TEXT, third: TEXT })).toBe(first)
  expect(plan({ first: TEXT, second: TEXT }, ['a'])).toBe(first)
  expect(plan({ first: NUMBER, second: TEXT })).toEqual({ faults: ['expected a whole number, found "x"'] })
  expect(plan({ first: TEXT, second: TEXT })).toBe(first)
})

test('a step that has ended calls nothing any more', () => {
  const plans = plansOf()
  const left = toolsWith({ second: TEXT })
  expect(plans.plan(lying(), [], left)).toEqual({ faults: ['there is no tool "first"'] })
  const rest = plans.plan(lying(), ['a'], left)
  expect(rest).toMatchObject({ plan: { steps: [{ id: 'a' }, { id: 'b' }] } })
  expect(plans.plan(lying(), ['a'], left)).toBe(rest)
})

test('plans of a thousand definitions are not kept', () => {
  const plans = plansOf()
  const tools = toolsWith({ first: TEXT, second: TEXT })
  const plan = (index: number) =>
    plans.plan(storedDefinition({ ...TWO, description: `${index}` }, new Map()), [], tools)
  const [oldest, newest] = [plan(0), Array.from({ length: 1000 }, (_, index) => plan(index + 1)).at(-1)]
  expect(plan(1000)).toBe(newest)
  expect(plan(0)).not.toBe(oldest)
})

test('what another version of the gateway has stored is no plan, and says why', () => {
  const tools = toolsWith({ first: TEXT, second: TEXT })
  const faults = (stored: JsonValue) => plansOf().plan(stored, [], tools)
  const other = /stored by another version of the gateway/
  const { tool } = lying() as { tool: JsonObject }
  for (const stored of [null, {}, { tool, within: [] }, { format: 2, tool, within: [] }]) {
    expect(faults(stored)).toEqual({ faults: [expect.stringMatching(other)] })
  }
  expect(faults({ format: 1, tool: { ...tool, stepz: [] }, within: [] })).toEqual({
    faults: [expect.stringMatching(/another version.*stepz/)],
  })
  expect(faults({ format: 1, tool, within: [{}] })).toEqual({ faults: [expect.stringMatching(other)] })
})

test('definitions of format 1 are read by every later version', () => {
  const file = new URL('stored-definition.format-1.json', import.meta.url)
  const stored = JSON.parse(readFileSync(file, 'utf8')) as JsonValue
  const tools = toolsWith({ list: {}, fetch: TEXT, deploy: TEXT })
  expect(plansOf().plan(stored, [], tools)).toMatchObject({
    plan: {
      name: 'release',
      timeoutMs: 600_000,
      failureMode: 'continue',
      steps: [
        { id: 'find', kind: 'tool', tool: 'list', onError: { action: 'retry', retries: 2 } },
        { id: 'each', kind: 'forEach', itemVar: 'one', maxParallel: 3, step: { id: 'get', tool: 'fetch' } },
        { id: 'ok', kind: 'question', onDecline: 'skip_remaining', onCancel: 'abort' },
        { id: 'visit', kind: 'question' },
        {
          id: 'inner',
          kind: 'workflow',
          plan: { name: 'ship', steps: [{ enters: 'ship' }, { id: 'push', tool: 'deploy' }] },
        },
      ],
    },
  })
})
