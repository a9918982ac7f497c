import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Composite } from '../../gateway/workflows/compiled-composites.ts'
import type { CompositeStatus } from '../../gateway/workflows/composite-status.ts'
import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { CONFIG_FLAGS } from '../configuration.ts'
import { EXIT } from '../exit.ts'
import { paintFor, plain, print, printJson, table } from '../terminal.ts'
import { checkedComposites, OFFLINE_FLAG, pick } from './composites.ts'
import { loadWorkflows, namedBy } from './named.ts'

export const listVerb: Command = {
  name: 'workflow list',
  usage: '[FILE|DIR...] [NAME] [options]',
  summary: 'Show which composite tools can be called, and why others cannot.',
  flags: { ...CONFIG_FLAGS, ...OFFLINE_FLAG, ...JSON_FLAG },
  notes: [
    'Starts the backends: ready is what fits the tools that are there, waiting what needs a backend that is away.',
    'Exits with 1 when a composite tool is withdrawn.',
  ],
  examples: ['vmcp workflow list vmcp.yaml', 'vmcp workflow list vmcp.yaml --json | jq .workflows[].state'],
  run: list,
}

async function list(args: Args): Promise<number> {
  const { source, name } = namedBy(args, 'name')
  const loaded = await loadWorkflows(source)
  const all = await checkedComposites(args, loaded)
  const meant = name === undefined ? all : [pick(all, name)]
  const rows = meant.map((one) => rowOf(one, loaded.config))
  const withdrawn = rows.filter(({ state }) => state === 'withdrawn').length
  if (args.on('json')) printJson({ workflows: rows })
  else {
    const lines = rows.map((row) => [row.name, row.state, String(row.steps), plain(row.why ?? row.description ?? '')])
    print(table([['WORKFLOW', 'STATE', 'STEPS', ''], ...lines]))
    const told = paintFor(process.stdout).bad(`${withdrawn} withdrawn`)
    if (withdrawn > 0) print(`\n${told}: vmcp workflow check tells all that is wrong`)
  }
  return withdrawn > 0 ? EXIT.failed : EXIT.ok
}

interface Row {
  name: string
  state: CompositeStatus['kind']
  steps: number
  description?: string
  tools: readonly string[]
  why?: string
}

function rowOf({ workflow, status, compiled }: Composite, { compositeTools }: GatewayConfig): Row {
  const definition = compositeTools.find(({ name }) => name === workflow)
  return {
    name: workflow,
    state: status.kind,
    steps: definition?.steps.length ?? 0,
    ...(definition?.description !== undefined && { description: definition.description }),
    tools: [...compiled.needs],
    ...(status.kind !== 'ready' && { why: status.why }),
  }
}
