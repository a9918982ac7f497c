import type { Gateway } from '../../gateway/gateway.ts'
import type { Principal } from '../../model/principal.ts'
import type { StepReport } from '../../workflow/run-state.ts'
import { AS_FLAG, actingAs } from '../acting-as.ts'
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
    ...AS_FLAG,
    svg: { type: 'string', value: 'FILE', help: 'write a picture, after a run with states and durations' },
    run: { type: 'string', value: 'ID', help: 'show what became of the steps of a run that has ended' },
  },
  notes: [
    'Starts no backend without --run. Of the runs of --as, or of whoever starts the command, those are known that the',
    'configuration keeps in a file (workflowStorage: { provider: file }).',
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
  const { served, principal } = actingAs(args, loaded)
  const steps = run === undefined ? [] : await withGateway(served, (gateway) => reportsOf(gateway, run, principal))
  draw(plan, steps, args.text('svg'))
  return EXIT.ok
}

async function reportsOf({ runs }: Gateway, id: string, principal: Principal): Promise<readonly StepReport[]> {
  const steps = (await runs.find(id, principal))?.steps
  if (steps) return steps
  throw new CliError(
    EXIT.failed,
    `there is no run "${id}" that has ended`,
    'runs outlive a process with workflowStorage: { provider: file }',
  )
}
