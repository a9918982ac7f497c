import { existsSync, readFileSync } from 'node:fs'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { suggest } from '../../model/nearest.ts'
import { VENDOR_META } from '../../protocol/envelope.ts'
import type { Composite } from '../../gateway/workflows/compiled-composites.ts'
import type { StepReport } from '../../workflow/run-state.ts'
import { AS_FLAG, actingAs } from '../acting-as.ts'
import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { callTool } from '../call-tool.ts'
import { CONFIG_FLAGS } from '../configuration.ts'
import { EXIT } from '../exit.ts'
import { objectFrom } from '../json-argument.ts'
import { readOrExit } from '../read-file.ts'
import { withGateway } from '../session.ts'
import { paintFor, plain, printError, printJson, table } from '../terminal.ts'
import { answerable, isAnswerable } from './answerable.ts'
import { askingAt } from './asking.ts'
import { compositesIn, pick } from './composites.ts'
import { contextOf } from './context.ts'
import { draw } from './draw.ts'
import { loadWorkflows, namedBy } from './named.ts'

export const runVerb: Command = {
  name: 'workflow run',
  usage: '[FILE|DIR...] [NAME] [JSON|-] [options]',
  summary: 'Call a composite tool as a client would.',
  flags: {
    ...CONFIG_FLAGS,
    ...AS_FLAG,
    answers: {
      type: 'string',
      value: 'JSON|FILE',
      help: 'answers by step id: {"ask":{"action":"accept","content":{}}}',
    },
    svg: { type: 'string', value: 'FILE', help: 'write a picture of the run, with states and durations' },
    ...JSON_FLAG,
  },
  notes: [
    'Asks on the terminal what --answers does not. "-" reads the arguments from standard input.',
    'Exits with 1 when the run fails, with 3 when the composite tool is withdrawn.',
  ],
  examples: [
    `vmcp workflow run vmcp.yaml release '{"branch":"main"}' --svg run.svg`,
    `vmcp workflow run vmcp.yaml release '{"branch":"main"}' --answers '{"approve":{"action":"accept"}}'`,
  ],
  run,
}

async function run(args: Args): Promise<number> {
  const { source, name, input } = namedBy(args, 'arguments')
  const given = objectFrom(input === '-' ? readFileSync(0, 'utf8') : (input ?? '{}'), 'the arguments', args.command)
  const answers = answersIn(args)
  const { served, principal } = actingAs(args, await loadWorkflows(source))
  const terminal = askingAt({ input: process.stdin, output: process.stderr }, answers)
  try {
    return await withGateway(served, async (gateway) => {
      const composite = pick(await compositesIn(gateway), name)
      tellUnknown(answers, composite)
      const shown = gateway.current.composites.names.get(composite.workflow) ?? composite.workflow
      const result = await callTool(gateway.core, shown, given, contextOf(principal, terminal.ask))
      const steps = stepsIn(result)
      if (args.on('json')) printJson(result)
      else show(result, steps)
      const file = args.text('svg')
      if (file !== undefined && composite.compiled.plan) draw(composite.compiled.plan, steps, file)
      if (composite.status.kind === 'withdrawn') return EXIT.config
      return result['isError'] === true ? EXIT.failed : EXIT.ok
    })
  } finally {
    terminal.close()
  }
}

function answersIn(args: Args): JsonObject {
  const given = args.text('answers') ?? '{}'
  const text = existsSync(given) ? readOrExit(given, EXIT.usage).toString() : given
  return objectFrom(text, '--answers', args.command)
}

/** An answer that nobody can ask for is a slip: the question that it was meant for is asked on the terminal. */
function tellUnknown(answers: JsonObject, { compiled }: Composite): void {
  if (!compiled.plan) return
  const places = answerable(compiled.plan)
  for (const name of Object.keys(answers)) {
    if (!isAnswerable(name, places))
      printError(`warning: --answers: there is no step "${plain(name)}" (${suggest(name, places) ?? ''})`)
  }
}

function stepsIn({ _meta }: JsonObject): StepReport[] {
  const steps = isObject(_meta) ? _meta[VENDOR_META.workflow] : undefined
  return Array.isArray(steps) ? (steps as unknown as StepReport[]) : []
}

function show(result: JsonObject, steps: readonly StepReport[]): void {
  if (result['isError'] === true) printError(`vmcp: ${textOf(result)}`)
  else printJson(result['structuredContent'] ?? result)
  if (steps.length > 0) printError(`\n${stepTable(steps)}`)
}

function textOf(result: JsonObject): string {
  const content = Array.isArray(result['content']) ? result['content'] : []
  const texts = content.flatMap((part) => (isObject(part) && typeof part['text'] === 'string' ? [part['text']] : []))
  return texts.join('\n')
}

function stepTable(steps: readonly StepReport[]): string {
  const paint = paintFor(process.stderr)
  const rows = steps.map(({ id, status, ms, error }) => [plain(id), status, `${Math.round(ms)} ms`, plain(error ?? '')])
  return paint.dim(table([['STEP', 'STATUS', 'TIME', ''], ...rows]))
}
