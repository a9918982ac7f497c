import type { Gateway } from '../../gateway/gateway.ts'
import type { StepReport } from '../../workflow/run-state.ts'
import type { Args, Command } from '../args.ts'
import { CONFIG_FLAGS } from '../configuration.ts'
import { CliError, EXIT } from '../exit.ts'
import { withGateway } from '../session.ts'
import { pick, planOf, uncheckedComposites } from './composites.ts'
import { draw } from './draw.ts'
import { loadWorkflows, namedBy } from './named.ts'

export const graphVerb: Command = {
  name: 'workflow graph',
  usage: '[FILE|DIR...] [NAME] [options]',
  summary: 'Draw a composite tool, as Mermaid or as a picture.',
  flags: {
    ...CONFIG_FLAGS,
    svg: { type: 'string', value: 'FILE', help: 'write a picture, after a run with states and durations' },
    run: { type: 'string', value: 'ID', help: 'show what became of the steps of a run that has ended' },
  },
  notes: [
    'Starts no backend without --run. Known are the runs of all callers that the configuration keeps in a file',
    '(workflowStorage: { provider: file }); results name their run in _meta under vmcp/runId.',
  ],
  examples: [
    'vmcp workflow graph vmcp.yaml release',
    'vmcp workflow graph vmcp.yaml release --svg release.svg',
    'vmcp workflow graph vmcp.yaml release --run ID --svg run.svg',
  ],
  run: graph,
}

async function graph(args: Args): Promise<number> {
  const { source, name } = namedBy(args, 'name')
  const loaded = await loadWorkflows(source)
  const plan = planOf(pick(uncheckedComposites(loaded.config), name))
  const run = args.text('run')
  const steps = run === undefined ? [] : await withGateway(loaded, (gateway) => reportsOf(gateway, run))
  draw(plan, steps, args.text('svg'))
  return EXIT.ok
}

async function reportsOf({ runs }: Gateway, id: string): Promise<readonly StepReport[]> {
  const steps = (await runs.find(id))?.steps
  if (steps) return steps
  throw new CliError(
    EXIT.failed,
    `there is no run "${id}" that has ended`,
    'runs outlive a process with workflowStorage: { provider: file }',
  )
}
