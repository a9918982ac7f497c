import { suggest } from '../../model/nearest.ts'
import type { JsonObject } from '../../model/json.ts'
import { EvaluationError, type Plan, type PlannedStep, type PlannedTool } from '../plan.ts'
import { applyDefaults } from '../schema/defaults.ts'
import { validatorFor } from '../schema/validate.ts'
import { calleesOf } from './callees.ts'
import type { Path } from './faults.ts'
import type { Reading } from './reading.ts'
import type { World } from './world.ts'

export interface Nested {
  readonly plan: Plan
  readonly inputSchema: JsonObject
  readonly outputSchema?: JsonObject
  /** It asks the user something. */
  readonly asks: boolean
  /** The parameters that a call gives it: defaults filled in, checked. Throws `EvaluationError`. */
  readonly params: (args: JsonObject) => JsonObject
}

/** The plan of a workflow that is a step of another one, in this world; undefined after a fault. */
export function readNested(name: string, path: Path, reading: Reading, world: World): Nested | undefined {
  const { ledger, chain } = reading
  const definition = world.workflow(name)
  if (!definition) {
    const isTool = typeof world.tool(name) !== 'string'
    const hint = isTool ? `"${name}" is a tool: write type: tool and tool: ${name}` : suggest(name, world.workflows())
    ledger.error({ path }, `there is no composite tool "${name}"`, hint)
    return undefined
  }
  const circle = circleFrom(name, chain, world, new Set())
  if (circle) {
    const all = circle.map((one) => `"${one}"`).join(' -> ')
    ledger.error({ path }, `a workflow cannot run itself: ${all}`)
    return undefined
  }
  if (chain.length >= world.limits.depth) {
    const hint = 'raise workflowLimits.depth, or put some of them together'
    ledger.error({ path }, `workflows are nested more than ${world.limits.depth} deep`, hint)
    return undefined
  }
  const compiled = reading.compile(definition, world, [...chain, name])
  const { faults, needs, inputSchema, outputSchema, asks } = compiled
  for (const need of needs) reading.needs.add(need)
  if (asks) reading.asks.inside = true
  const plan = compiled.plan && withEntrance(compiled.plan, chain.at(-1) ?? '', world.limits.stepMs)
  if (plan) {
    const validate = validatorFor(inputSchema)
    const params = (args: JsonObject): JsonObject => {
      const filled = applyDefaults(inputSchema, args)
      const problem = validate(filled)
      if (problem === undefined) return filled
      throw new EvaluationError(`the arguments are not what "${name}" asks for: ${problem}`)
    }
    return { plan, inputSchema, ...(outputSchema ? { outputSchema } : {}), asks, params }
  }
  const first = faults.find((fault) => fault.severity === 'error')
  // Of workflows within workflows the innermost cause is what helps.
  const cause = first?.message.endsWith(OF_ITS_OWN) ? first.hint : first?.message
  ledger.error({ path }, `the composite tool "${name}" ${OF_ITS_OWN}`, cause)
  return undefined
}

const OF_ITS_OWN = 'has faults of its own'

/**
 * The plan behind a first step that asks whether the caller may use this workflow: inside of another one it is called by
 * nobody, and yet nobody may use it who could not call it.
 */
function withEntrance(plan: Plan, caller: string, timeoutMs: number): Plan {
  const { name } = plan
  const entrance: PlannedTool = {
    kind: 'tool',
    id: '(entrance)',
    after: [],
    timeoutMs,
    onError: { action: 'abort', retries: 0, delayMs: 0 },
    tool: name,
    workflow: caller,
    enters: name,
    arguments: ({ params }) => params,
    repeatable: true,
  }
  const behind = ({ after, ...step }: PlannedStep): PlannedStep => ({
    ...step,
    after: [0, ...after.map((place) => place + 1)],
  })
  return { ...plan, steps: [entrance, ...plan.steps.map(behind)] }
}

/** The circle of workflows that running `name` would close; `seen` leads to none. */
function circleFrom(
  name: string,
  chain: readonly string[],
  world: World,
  seen: Set<string>,
): readonly string[] | undefined {
  if (chain.includes(name)) return [...chain.slice(chain.indexOf(name)), name]
  if (seen.has(name)) return undefined
  const definition = world.workflow(name)
  for (const callee of definition ? calleesOf(definition) : []) {
    const circle = circleFrom(callee, [...chain, name], world, seen)
    if (circle) return circle
  }
  seen.add(name)
  return undefined
}
