import { expect, test } from 'vitest'
import { formatFault } from '../format.ts'
import { loadConfig } from '../load.ts'

async function read(tool: string) {
  const text = `backends: [{name: a, url: "http://a/mcp"}]\ncompositeTools:\n  - name: t\n${tool}`
  const { config, faults } = await loadConfig(['-'], { stdin: text, env: {} })
  return {
    tool: config?.compositeTools[0],
    faults: faults.map((fault) => `${fault.severity} ${formatFault(fault).replace('<stdin>:', '')}`),
  }
}

test('keys of older documents are read wherever keys of ours stand, and nowhere else', async () => {
  const { tool, faults } = await read(`    failure_mode: continue
    steps:
      - id: a
        tool: x
        arguments: {depends_on: 1, on_error: {max_retries: 2}}
        on_error: {action: retry, max_retries: 3, retry_delay: 1s}
      - {id: b, type: elicitation, message: m, dependson: [a], on_decline: {action: continue}}
`)
  expect(faults).toEqual([])
  expect(tool).toEqual({
    name: 't',
    failureMode: 'continue',
    steps: [
      {
        id: 'a',
        tool: 'x',
        arguments: { depends_on: 1, on_error: { max_retries: 2 } },
        onError: { action: 'retry', maxRetries: 3, retryDelay: '1s' },
      },
      { id: 'b', type: 'elicitation', message: 'm', dependsOn: ['a'], onDecline: { action: 'continue' } },
    ],
  })
})

test('a map of parameters becomes a schema; a schema stays one', async () => {
  const { tool, faults } = await read(`    parameters:
      type: {type: string, required: true}
      n: {type: integer, default: "3", required: false}
      s: {type: number, default: "many"}
      l: {type: string, default: "3"}
    steps: [{id: a, tool: x}]
`)
  expect(faults).toEqual([])
  expect(tool?.parameters).toEqual({
    type: 'object',
    properties: {
      type: { type: 'string' },
      n: { type: 'integer', default: 3 },
      s: { type: 'number', default: 'many' },
      l: { type: 'string', default: '3' },
    },
    required: ['type'],
  })
  const schema = await read(`    parameters: {properties: {a: {type: string}}}\n    steps: [{id: a, tool: x}]\n`)
  expect(schema.tool?.parameters).toEqual({ properties: { a: { type: 'string' } } })
})

test('values of older documents are read with a warning', async () => {
  const { tool, faults } = await read(`    failureMode: best_effort
    steps: [{id: a, type: tool_call, tool: x}, {id: b, type: elicitation, arguments: {prompt: Sure?}}]
`)
  expect(faults).toEqual([
    'warning 4:18 compositeTools[0].failureMode: failureMode "best_effort" is read as "continue" (write "continue")',
    'warning 5:27 compositeTools[0].steps[0].type: type "tool_call" is read as "tool" (write "tool")',
  ])
  expect(tool).toMatchObject({ failureMode: 'continue', steps: [{ type: 'tool' }, { id: 'b', message: 'Sure?' }] })
})

test('a repeated step without an id is called after its loop, and limits of zero are none', async () => {
  const { tool, faults } = await read(`    steps:
      - {id: all, type: forEach, collection: "[1]", maxParallel: 0, maxIterations: 0, step: {type: tool, tool: x}}
      - {id: more, type: forEach, collection: "[1]", maxParallel: 2, step: {id: "", tool: x}}
      - {id: all_step, tool: x}
      - {id: named, type: forEach, collection: "[1]", step: {id: own, tool: x}}
`)
  expect(faults).toEqual([])
  expect(tool?.steps).toEqual([
    { id: 'all', type: 'forEach', collection: '[1]', step: { id: 'all_step_2', type: 'tool', tool: 'x' } },
    { id: 'more', type: 'forEach', collection: '[1]', maxParallel: 2, step: { id: 'more_step', tool: 'x' } },
    { id: 'all_step', tool: 'x' },
    { id: 'named', type: 'forEach', collection: '[1]', step: { id: 'own', tool: 'x' } },
  ])
})

test('two spellings of one key, and unknown keys, are refused where they stand', async () => {
  const { faults } = await read(`    steps: [{id: a, tool: x, dependsOn: [], depends_on: [], tol: 1}]\n`)
  expect(faults).toEqual([
    'error 4:45 compositeTools[0].steps[0].depends_on: "depends_on" is another spelling of "dependsOn", which stands here already (keep one)',
    'error 4:61 compositeTools[0].steps[0].tol: unknown key "tol" (did you mean "tool"?)',
  ])
})
