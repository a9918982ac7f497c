import { expect, test } from 'vitest'
import { loadConfig } from '../../config/load.ts'
import { answerable, isAnswerable } from './answerable.ts'
import { planOf, uncheckedComposites } from './composites.ts'

test('answers are for steps as their questions name them', async () => {
  const stdin = `
backends: [{ name: a, url: "http://a/mcp" }]
compositeTools:
  - name: outer
    parameters: { type: object, properties: { l: { type: array } } }
    steps:
      - { id: one, tool: a_x }
      - { id: nested, type: workflow, workflow: inner }
      - { id: all, type: forEach, collection: "{{ params.l }}", step: { type: workflow, workflow: calling } }
      - { id: calls, type: forEach, collection: "{{ params.l }}", step: { tool: a_x } }
  - { name: inner, steps: [{ id: ask, type: elicitation, message: m }] }
  - { name: calling, steps: [{ id: call, tool: a_x }] }
`
  const { config } = await loadConfig(['-'], { stdin, env: {} })
  const [outer] = uncheckedComposites(config!)
  const places = answerable(planOf(outer!))
  expect(places).toEqual(['one', 'nested', 'nested.ask', 'all[0]', 'all[0].call', 'calls[0]'])
  expect(['one', 'nested.ask', 'all[12].call', 'calls[3]'].every((name) => isAnswerable(name, places))).toBe(true)
  expect(['ask', 'all.call', 'calls', 'two'].some((name) => isAnswerable(name, places))).toBe(false)
})
