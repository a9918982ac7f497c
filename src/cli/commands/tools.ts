import { estimateTokens } from '../../aggregation/tokens.ts'
import type { BackendFault } from '../../model/backend.ts'
import type { Catalogue, Entry } from '../../model/catalogue.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import type { NotReady } from '../../gateway/workflows/composite-status.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import type { Finding } from '../../aggregation/suspicion/rules.ts'
import type { Withheld } from '../../aggregation/pinning/withhold.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import { findSuspicious } from '../../aggregation/suspicion/suspicion.ts'
import { AS_FLAG, actingAs } from '../acting-as.ts'
import type { Command } from '../args.ts'
import { CONFIG_FLAGS, loadOrExit, sourceOf } from '../configuration.ts'
import { EXIT } from '../exit.ts'
import { LOCK_FLAGS, frozenBy } from '../lock-file.ts'
import { withGateway } from '../session.ts'
import { printSuspicious, subjectText } from '../suspicious.ts'
import { count, paintFor, plain, print, printJson, table } from '../terminal.ts'

interface ToolRow {
  name: string
  /** Null: a composite tool. */
  backend: string | null
  nativeName?: string
  /** Name of the composite tool. */
  workflow?: string
  title?: string
  description?: string
  tokens: number
  inputSchema?: JsonObject
  outputSchema?: JsonObject
  conflict?: string
}

interface BackendRow {
  name: string
  transport: string
  state: string
  revision?: string
  tools: number
  resources: number
  prompts: number
  ms?: number
  error?: string
}

interface Report {
  tools: ToolRow[]
  backends: BackendRow[]
  conflicts: { name: string; backends: readonly string[]; resolution: string }[]
  tokens: number
  /** Composite tools that cannot be called. */
  workflows: readonly { name: string; state: NotReady['kind']; why: string }[]
  /** With --frozen: what is not as the lock says. */
  withheld?: readonly Withheld[]
  suspicious: readonly Finding[]
}

export const toolsCommand: Command = {
  name: 'tools',
  usage: '[FILE|DIR...] [options]',
  summary: 'Show the catalogue that clients would see: names, backends, conflicts, tokens.',
  flags: { ...CONFIG_FLAGS, ...LOCK_FLAGS, ...AS_FLAG, json: { type: 'boolean', help: 'print the catalogue as JSON' } },
  notes: [
    'Exits with 1 when a name that several backends claim is withheld (strategy "manual"), or --frozen withholds something.',
  ],
  examples: ['vmcp tools mcp.json', 'vmcp tools mcp.json --json | jq .tokens'],
  run: async (args) => {
    const source = sourceOf(args)
    const lock = frozenBy(args, source)?.lock
    const { served, principal } = actingAs(args, await loadOrExit(source))
    return withGateway({ ...served, ...(lock && { lock }) }, async (gateway) => {
      const caller = { ...GATEWAY_CALLER, principal }
      const { catalogue } = await gateway.core.catalogue(caller, 'list')
      const { offered, withheld } = gateway.current.keeper.admission(caller)
      const report: Report = {
        ...reportOf(gateway, catalogue),
        ...(lock && { withheld }),
        suspicious: findSuspicious(offered),
      }
      if (args.on('json')) printJson(report)
      else show(report)
      return withheld.length > 0 || catalogue.conflicts.some((conflict) => conflict.withheld) ? EXIT.failed : EXIT.ok
    })
  },
}

function reportOf(gateway: Gateway, catalogue: Catalogue): Omit<Report, 'withheld' | 'suspicious'> {
  const { backends, keeper } = gateway.current
  const tools = [...catalogue.tools.values()].filter(({ visibility }) => visibility === 'listed').map(toolRow)
  return {
    tools,
    backends: backends.map(({ spec, state, lists, revision }) => ({
      name: spec.id,
      transport: spec.endpoint.kind,
      state: state.kind,
      ...(revision !== undefined && { revision }),
      tools: lists?.tools.length ?? 0,
      resources: (lists?.resources.length ?? 0) + (lists?.templates.length ?? 0),
      prompts: lists?.prompts.length ?? 0,
      ...(state.kind === 'ready' && { ms: Math.round(state.ms) }),
      ...(state.kind === 'failing' && { error: errorOf(state.fault) }),
    })),
    conflicts: catalogue.conflicts.map(({ name, backends: claimants, resolution }) => ({
      name,
      backends: claimants,
      resolution,
    })),
    tokens: tools.reduce((sum, tool) => sum + tool.tokens, 0),
    workflows: [...keeper.composites.values()].flatMap(({ workflow, status }) =>
      status.kind === 'ready' ? [] : [{ name: workflow, state: status.kind, why: withHint(status) }],
    ),
  }
}

const withHint = ({ why, hint }: { why: string; hint?: string }): string =>
  hint === undefined ? why : `${why} (${hint})`

/** The operator sees what clients do not: what the backend wrote last. */
function errorOf({ message, detail }: BackendFault): string {
  return detail === undefined ? message : `${message}; it wrote: ${detail}`
}

function toolRow({ shown, route, definition, conflict }: Entry): ToolRow {
  const { title, description, inputSchema, outputSchema } = definition
  return {
    name: shown,
    ...(route.kind === 'backend'
      ? { backend: route.backend, nativeName: route.native }
      : { backend: null, workflow: route.workflow }),
    ...(typeof title === 'string' && { title }),
    ...(typeof description === 'string' && { description }),
    tokens: estimateTokens(definition),
    ...(isObject(inputSchema) && { inputSchema }),
    ...(isObject(outputSchema) && { outputSchema }),
    ...(conflict !== undefined && { conflict }),
  }
}

function show(report: Report): void {
  const paint = paintFor(process.stdout)
  const rows = report.tools.map((tool) => [
    tool.name,
    tool.backend ?? '(workflow)',
    tool.nativeName === undefined || tool.nativeName === tool.name ? '' : plain(tool.nativeName),
    String(tool.tokens),
    plain(tool.conflict ?? ''),
  ])
  if (rows.length > 0) print(table([['TOOL', 'BACKEND', 'NATIVE NAME', 'TOKENS', 'CONFLICT'], ...rows]))
  print('')
  for (const backend of report.backends) {
    const { name, transport, state, error, revision, tools, resources, prompts, ms } = backend
    const offers = [count(tools, 'tool'), count(resources, 'resource'), count(prompts, 'prompt')].join(', ')
    const what =
      state === 'ready'
        ? `${revision ?? 'for those who sign in'}, ${offers}, ${ms} ms`
        : paint.bad(plain(`${state}: ${error ?? 'no answer'}`))
    print(`${paint.bold(name)} (${transport}): ${what}`)
  }
  for (const { resolution } of report.conflicts) print(`${paint.warn('conflict')}: ${plain(resolution)}`)
  for (const one of report.withheld ?? []) {
    const why = one.why === 'new' ? 'it is not in the lock' : 'it is not what the lock says'
    print(`${paint.bad('withheld')}: ${subjectText(one)}, ${why}`)
  }
  for (const { name, state, why } of report.workflows)
    print(`${state === 'waiting' ? paint.warn(state) : paint.bad(state)}: composite tool "${name}": ${plain(why)}`)
  printSuspicious(report.suspicious)
  print(`\n${count(report.tools.length, 'tool')}, about ${report.tokens} tokens in a client's context`)
}
