import type { Composite } from '../../gateway/workflows/composites.ts'
import type { Args } from '../args.ts'
import { EXIT } from '../exit.ts'
import { withGateway } from '../session.ts'
import { paintFor, plain, print, table } from '../terminal.ts'
import { compositesIn, loadWorkflows, namedBy, uncheckedComposites } from './subject.ts'

/** `vmcp workflow list`: what there is, and whether it can be called with the tools that are there. */
export async function listWorkflows(positionals: readonly string[], args: Args): Promise<number> {
  const { source, name } = namedBy(args, positionals, 'name')
  const loaded = await loadWorkflows(source)
  const { config } = loaded
  const all = args.on('offline') ? uncheckedComposites(config) : await withGateway(loaded, compositesIn)
  const rows = all.filter(({ workflow }) => name === undefined || workflow === name).map((one) => rowOf(one, config))
  if (args.on('json')) print(JSON.stringify({ workflows: rows }, null, 2))
  else {
    const paint = paintFor(process.stdout)
    const lines = rows.map((row) => [row.name, row.state, String(row.steps), plain(row.why ?? row.description ?? '')])
    print(table([['WORKFLOW', 'STATE', 'STEPS', ''], ...lines]))
    const away = rows.filter(({ state }) => state === 'withdrawn').length
    if (away > 0) print(`\n${paint.bad(`${away} withdrawn`)}: vmcp workflow check tells all that is wrong`)
  }
  return rows.some(({ state }) => state === 'withdrawn') ? EXIT.failed : EXIT.ok
}

interface Row {
  name: string
  state: 'ready' | 'waiting' | 'withdrawn'
  steps: number
  description?: string
  tools: readonly string[]
  why?: string
}

function rowOf(
  { workflow, away, compiled }: Composite,
  {
    compositeTools,
  }: { compositeTools: readonly { name: string; description?: string | undefined; steps: readonly unknown[] }[] },
): Row {
  const definition = compositeTools.find(({ name }) => name === workflow)
  return {
    name: workflow,
    state: away ? (away.waiting ? 'waiting' : 'withdrawn') : 'ready',
    steps: definition?.steps.length ?? 0,
    ...(definition?.description !== undefined && { description: definition.description }),
    tools: [...compiled.needs],
    ...(away && { why: away.why }),
  }
}
