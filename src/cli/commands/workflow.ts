import { withVerbs } from '../verbs.ts'
import { WORKFLOW_CASES_FORMAT } from '../workflow/cases.ts'
import { checkVerb } from '../workflow/check.ts'
import { graphVerb } from '../workflow/graph.ts'
import { listVerb } from '../workflow/list.ts'
import { runVerb } from '../workflow/run.ts'
import { testVerb } from '../workflow/test.ts'

export const workflowCommand = withVerbs({
  name: 'workflow',
  usage: '[FILE|DIR...] [NAME] [JSON|-] [options]',
  summary: 'List, check, draw, run and test composite tools.',
  verbs: [listVerb, checkVerb, graphVerb, runVerb, testVerb],
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
})
