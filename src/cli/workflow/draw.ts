import { writeFileSync } from 'node:fs'
import { drawable } from '../../workflow/graph/drawable.ts'
import { mermaid } from '../../workflow/graph/mermaid.ts'
import { svg } from '../../workflow/graph/svg.ts'
import type { Plan } from '../../workflow/plan.ts'
import type { StepReport } from '../../workflow/run-state.ts'
import { CliError, EXIT } from '../exit.ts'
import { print } from '../terminal.ts'

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
