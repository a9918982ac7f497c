import { existsSync, readFileSync } from 'node:fs'
import type { Context } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { principalOwner } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { type Principal, principalKey } from '../../model/principal.ts'
import { profileOf } from '../../protocol/capabilities.ts'
import { parseJson } from '../../protocol/json.ts'
import { LATEST_MODERN } from '../../protocol/revisions.ts'
import { WORKFLOW_META } from '../../gateway/workflows/outcome.ts'
import type { StepReport } from '../../workflow/run-state.ts'
import { actingAs } from '../acting-as.ts'
import type { Args } from '../args.ts'
import { EXIT, usageError } from '../exit.ts'
import { withGateway } from '../session.ts'
import { paintFor, plain, print, printError, table } from '../terminal.ts'
import { askingAt } from './asking.ts'
import { draw } from './graph.ts'
import { compositesIn, loadWorkflows, namedBy, pick } from './subject.ts'

/** `vmcp workflow run`: calls a composite tool as a client would, and asks its questions on the terminal. */
export async function runWorkflow(positionals: readonly string[], args: Args): Promise<number> {
  const { source, name, input } = namedBy(args, positionals, 'arguments')
  const given = objectFrom(input === '-' ? readFileSync(0, 'utf8') : (input ?? '{}'), 'the arguments')
  const answers = answersIn(args.text('answers'))
  const { served, principal } = actingAs(args, await loadWorkflows(source), 'workflow')
  const terminal = askingAt({ input: process.stdin, output: process.stderr }, answers)
  try {
    return await withGateway(served, async (gateway) => {
      const composite = pick(await compositesIn(gateway), name)
      const shown = gateway.current.composites.names.get(composite.workflow) ?? composite.workflow
      const params = { name: shown, arguments: given, _meta: { progressToken: 1 } }
      const context = contextOf(principal, terminal.ask)
      const outcome = await gateway.core.invoke({ kind: 'tool', name: shown, params }, context)
      if (outcome.kind !== 'result') throw new Error(`a ${outcome.kind} was not asked for`)
      const result = outcome.value
      const steps = stepsIn(result)
      const hasFailed = result['isError'] === true
      if (args.on('json')) print(JSON.stringify(result, null, 2))
      else if (hasFailed) printError(`vmcp: ${textOf(result)}`)
      else print(JSON.stringify(result['structuredContent'] ?? result, null, 2))
      if (!args.on('json') && steps.length > 0) printError(`\n${stepTable(steps)}`)
      const file = args.text('svg')
      if (file !== undefined && composite.compiled.plan) draw(composite.compiled.plan, steps, file)
      if (composite.away && !composite.away.waiting) return EXIT.config
      return hasFailed ? EXIT.failed : EXIT.ok
    })
  } finally {
    terminal.close()
  }
}

/** A client that takes every question. */
const askable = profileOf({ elicitation: { form: {}, url: {} } }, LATEST_MODERN)

export const contextOf = (principal: Principal, ask: Context['ask']): Context => ({
  ...GATEWAY_CALLER,
  principal,
  owner: principalOwner(principalKey(principal)),
  revision: LATEST_MODERN,
  profile: askable,
  signal: new Cancellation(),
  deadline: undefined,
  streaming: false,
  emit: ({ method, params }) => {
    if (method !== 'notifications/progress') return
    const { progress, total, message } = params
    // Parts of a loop say nothing.
    if (typeof message === 'string') printError(`[${shown(progress)}/${shown(total)}] ${plain(message)}`)
  },
  ask,
  header: undefined,
})

const shown = (count: unknown): string => (typeof count === 'number' ? String(Math.floor(count)) : '?')

function answersIn(text: string | undefined): JsonObject {
  if (text === undefined) return {}
  return objectFrom(existsSync(text) ? readFileSync(text, 'utf8') : text, '--answers')
}

function objectFrom(text: string, what: string): JsonObject {
  try {
    const value = parseJson(text)
    if (isObject(value)) return value
  } catch {
    // Told below.
  }
  throw usageError(`${what} must be a JSON object`, 'workflow')
}

function stepsIn({ _meta }: JsonObject): StepReport[] {
  const steps = isObject(_meta) ? _meta[WORKFLOW_META] : undefined
  return Array.isArray(steps) ? (steps as unknown as StepReport[]) : []
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
