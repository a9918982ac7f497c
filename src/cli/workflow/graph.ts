import { writeFileSync } from 'node:fs'
import type { Gateway } from '../../gateway/gateway.ts'
import { drawable } from '../../workflow/graph/drawable.ts'
import { mermaid } from '../../workflow/graph/mermaid.ts'
import { svg } from '../../workflow/graph/svg.ts'
import type { Plan } from '../../workflow/plan.ts'
import type { StepReport } from '../../workflow/run-state.ts'
import type { Args } from '../args.ts'
import { actingAs } from '../acting-as.ts'
import { CliError, EXIT } from '../exit.ts'
import { withGateway } from '../session.ts'
import { print } from '../terminal.ts'
import { loadWorkflows, namedBy, pick, planOf, uncheckedComposites } from './subject.ts'

/** `vmcp workflow graph`: Mermaid, or a picture; with a run, what became of its steps. */
export async function graphWorkflow(positionals: readonly string[], args: Args): Promise<number> {
  const { source, name } = namedBy(args, positionals, 'name')
  const loaded = await loadWorkflows(source)
  const { config } = loaded
  const plan = planOf(pick(uncheckedComposites(config), name))
  const run = args.text('run')
  const { served, principal } = actingAs(args, loaded, 'workflow')
  const steps = run === undefined ? [] : await withGateway(served, (gateway) => reportsOf(gateway, run, principal))
  draw(plan, steps, args.text('svg'))
  return EXIT.ok
}

/** Writes a picture to the file, else prints Mermaid. */
export function draw(plan: Plan, reports: readonly StepReport[], file: string | undefined): void {
  const graph = drawable(plan)
  if (file === undefined) return print(mermaid(graph, reports).trimEnd())
  try {
    writeFileSync(file, svg(graph, reports))
  } catch (error) {
    throw new CliError(EXIT.failed, `cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}

async function reportsOf(gateway: Gateway, id: string, principal: Parameters<Gateway['runs']['list']>[1]) {
  const runs = await gateway.runs.list({ limit: MOST_RUNS }, principal)
  const steps = runs.find((run) => run.id === id)?.steps
  if (steps) return steps
  throw new CliError(
    EXIT.failed,
    `there is no run "${id}" that has ended`,
    'runs outlive a process with workflowStorage: { provider: file }',
  )
}

const MOST_RUNS = 10_000
