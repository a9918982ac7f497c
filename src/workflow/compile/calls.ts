import { suggest } from '../../model/nearest.ts'
import type { JsonObject } from '../../model/json.ts'
import type { PlannedNested, PlannedTool } from '../plan.ts'
import { checkArguments } from '../schema/literals.ts'
import { nodeOf, own, type SchemaNode } from '../schema/node.ts'
import type { AuthoredStep, Kind } from './draft.ts'
import type { Path } from './faults.ts'
import { readNested } from './nested.ts'
import type { Pen, Reading } from './reading.ts'
import { schemaShape, UNDECLARED, UNKNOWN } from './shapes.ts'
import { buildArguments } from './values.ts'
import type { Offer, World } from './world.ts'

/** Reads the call of a tool. */
export function readTool(step: AuthoredStep, path: Path, pen: Pen): Kind<PlannedTool> {
  const { reading } = pen
  const name = step.tool ?? ''
  const offer = offerOf(step, reading)
  if (offer === 'unknown' && step.tool !== undefined) unknownTool(name, [...path, 'tool'], pen)
  if (offer === 'not known yet') {
    reading.ledger.warn(
      { path: [...path, 'tool'] },
      `the tool "${name}" is not known yet, so its arguments are unchecked`,
    )
  }
  const known: Offer | undefined = typeof offer === 'string' ? undefined : offer
  const shown = known?.shown ?? name
  if (step.tool !== undefined) reading.needs.add(shown)
  const schema = known && nodeOf(known.inputSchema)
  const args = (step.arguments ?? {}) as JsonObject
  const at = [...path, 'arguments']
  const makeArguments = buildArguments(args, schema, at, pen)
  if (schema) checkCall(args, schema, at, 'argument', pen)
  const readOnly = known?.annotations !== undefined && own(known.annotations, 'readOnlyHint') === true
  return {
    plan: {
      kind: 'tool',
      tool: shown,
      arguments: makeArguments,
      repeatable: step.idempotent ?? readOnly,
      workflow: reading.chain.at(-1) ?? '',
      ...(step.timeout !== undefined && { ownTimeout: true }),
    },
    output: known ? (known.outputSchema ? schemaShape(known.outputSchema) : UNDECLARED) : UNKNOWN,
  }
}

function offerOf(step: AuthoredStep, reading: Reading): ReturnType<World['tool']> {
  return step.tool === undefined ? 'unknown' : worldOf(step, reading).tool(step.tool)
}

/** What a step is checked against: when it has ended, tools matter to it no more. */
function worldOf({ id }: AuthoredStep, { world, inner, chain }: Reading): World {
  const outermost = chain.length === 1 ? (inner.get(id) ?? id) : undefined
  const hasEnded = outermost !== undefined && world.ended?.has(outermost)
  return hasEnded ? { ...world, tool: () => 'not known yet' } : world
}

function checkCall(args: JsonObject, schema: SchemaNode, path: Path, member: string, { reading }: Pen): void {
  for (const fault of checkArguments(schema, args, { isTemplate: (text) => text.includes('{{'), member })) {
    reading.ledger.error({ path: [...path, ...fault.path] }, fault.message, fault.hint)
  }
}

function unknownTool(name: string, path: Path, { reading }: Pen): void {
  const { world, ledger } = reading
  const hint = world.workflow(name)
    ? `"${name}" is a composite tool: write type: workflow and workflow: ${name}`
    : suggest(name, world.tools())
  ledger.error({ path }, `there is no tool "${name}"`, hint)
}

/** Reads a workflow as a step of another one. */
export function readWorkflow(step: AuthoredStep, path: Path, pen: Pen): Kind<PlannedNested> {
  const { reading } = pen
  const { workflow } = step
  const nested =
    workflow === undefined ? undefined : readNested(workflow, [...path, 'workflow'], reading, worldOf(step, reading))
  if (pen.loop && nested?.asks) {
    const hint = 'ask before the loop, or after it'
    reading.ledger.error({ path: [...path, 'workflow'] }, `"${workflow}" asks the user, and a loop cannot`, hint)
  }
  const at = [...path, 'arguments']
  const args = (step.arguments ?? {}) as JsonObject
  const schema = nested && nodeOf(nested.inputSchema)
  const makeArguments = buildArguments(args, schema, at, pen)
  if (schema) checkCall(args, schema, at, 'parameter', pen)
  const plan = nested?.plan ?? NOTHING
  return {
    plan: { kind: 'workflow', plan, arguments: (scope, now) => nested?.params(makeArguments(scope, now)) ?? {} },
    output: nested?.outputSchema ? schemaShape(nested.outputSchema) : UNKNOWN,
  }
}

/** Stands in for a plan that has faults, in a definition that has faults. */
const NOTHING = { name: '', steps: [], timeoutMs: 0, failureMode: 'abort', maxParallel: 1 } as const
