import { AS_FLAG } from '../acting-as.ts'
import type { Args, Command } from '../args.ts'
import { CONFIG_FLAGS } from '../configuration.ts'
import { usageError } from '../exit.ts'
import { WORKFLOW_CASES_FORMAT } from '../workflow/cases.ts'
import { checkWorkflows } from '../workflow/check.ts'
import { graphWorkflow } from '../workflow/graph.ts'
import { listWorkflows } from '../workflow/list.ts'
import { runWorkflow } from '../workflow/run.ts'
import { testWorkflows } from '../workflow/test.ts'

const VERBS: Readonly<Record<string, (positionals: readonly string[], args: Args) => Promise<number>>> = {
  list: listWorkflows,
  check: checkWorkflows,
  graph: graphWorkflow,
  run: runWorkflow,
  test: testWorkflows,
}

export const workflowCommand: Command = {
  name: 'workflow',
  usage: 'list|check|graph|run|test [FILE|DIR...] [NAME] [JSON|-] [options]',
  summary: 'List, check, draw, run and test composite tools.',
  flags: {
    ...CONFIG_FLAGS,
    ...AS_FLAG,
    offline: { type: 'boolean', help: 'list, check: ask no backend, and check only what needs none' },
    svg: { type: 'string', value: 'FILE', help: 'graph, run: write a picture, after a run with states and durations' },
    run: { type: 'string', value: 'ID', help: 'graph: show what became of the steps of a run that has ended' },
    answers: {
      type: 'string',
      value: 'JSON|FILE',
      help: 'run: answers by step id: {"ask":{"action":"accept","content":{}}}',
    },
    connect: { type: 'boolean', help: 'test: start the backends and check the cases against their schemas' },
    json: { type: 'boolean', help: 'print the result as JSON' },
  },
  notes: [
    'list and check start the backends, since composite tools are checked against the tools that are really there.',
    'run asks the questions of a workflow on the terminal.',
    ...WORKFLOW_CASES_FORMAT,
    'Exits with 1 when a run or a case fails, or list shows a composite tool that is withdrawn; with 3 when check finds errors.',
  ],
  examples: [
    'vmcp workflow list vmcp.yaml',
    'vmcp workflow check vmcp.yaml release',
    'vmcp workflow graph vmcp.yaml release --svg release.svg',
    `vmcp workflow run vmcp.yaml release '{"branch":"main"}' --svg run.svg`,
    'vmcp workflow test vmcp.workflow.test.yaml',
  ],
  run: async (args) => {
    const [verb, ...positionals] = args.positionals
    const run = verb !== undefined && Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
    if (!run) throw usageError(`say what to do: ${Object.keys(VERBS).join(', ')}`, 'workflow')
    return run(positionals, args)
  },
}
