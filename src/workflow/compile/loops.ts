import { isObject, type JsonValue } from '../../model/json.ts'
import { EvaluationError, type PlannedLoop, type PlannedNested, type PlannedTool } from '../plan.ts'
import { HELPERS } from '../template/helpers.ts'
import { readTool, readWorkflow } from './calls.ts'
import { readCommon } from './common.ts'
import type { AuthoredStep, Kind } from './draft.ts'
import type { Path } from './faults.ts'
import { readKind } from './keys.ts'
import type { Pen, Reading, Text } from './reading.ts'
import { COUNT, follow, itemOf, later, listOf, members, type Shape, TEXT, UNKNOWN } from './shapes.ts'
import { isConstant, readText, valueOf } from './texts.ts'

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/u
const TAKEN = new Set([
  'index',
  'params',
  'parameters',
  'steps',
  'vars',
  'workflow',
  'forEach',
  'this',
  'true',
  'false',
  'null',
])
const DEFAULT_ITERATIONS = 100

/** Reads a loop and the step that it repeats. */
export function readLoop(step: AuthoredStep, path: Path, pen: Pen): Kind<PlannedLoop> {
  const { ledger, world } = pen.reading
  const { error } = ledger
  const { limits } = world
  const itemVar = step.itemVar ?? 'item'
  if (!IDENTIFIER.test(itemVar) || TAKEN.has(itemVar) || HELPERS.has(itemVar)) {
    const message = `"${itemVar}" cannot be the name of an item`
    error(
      { path: [...path, 'itemVar'] },
      message,
      'take letters, digits and "_", and no name that templates have already',
    )
  }
  const maxIterations = step.maxIterations ?? Math.min(DEFAULT_ITERATIONS, limits.iterations)
  if (maxIterations > limits.iterations) {
    error(
      { path: [...path, 'maxIterations'] },
      `a loop has at most ${limits.iterations} iterations, found ${maxIterations}`,
      'raise workflowLimits.iterations',
    )
  }
  const maxParallel = step.maxParallel ?? limits.parallel
  if (maxParallel > limits.parallel) {
    error(
      { path: [...path, 'maxParallel'] },
      `at most ${limits.parallel} iterations run at once, found ${maxParallel}`,
      'raise workflowLimits.parallel',
    )
  }
  const { collection, item } = readCollection(step, path, pen)
  const before = pen.texts.length
  const inner = readInner(step, path, { ...pen, loop: { itemVar: step.itemVar } })
  const forEach = members([
    ['item', item],
    [itemVar, item],
    ['index', COUNT],
  ])
  const roots = members([['forEach', forEach], ...(step.itemVar === undefined ? [] : [[itemVar, item] as const])])
  const iteration = members([
    ['index', COUNT],
    ['item', item],
    ['status', TEXT],
    ['output', inner.output],
    ['error', TEXT],
  ])
  return {
    plan: { kind: 'forEach', collection, itemVar, maxParallel, maxIterations, step: inner.plan },
    output: members([
      ['iterations', listOf(iteration)],
      ['count', COUNT],
      ['completed', COUNT],
      ['failed', COUNT],
    ]),
    inside: new Map(pen.texts.slice(before).map((text) => [text, roots])),
  }
}

/** What the loop goes over. */
function readCollection(
  step: AuthoredStep,
  path: Path,
  pen: Pen,
): { collection: PlannedLoop['collection']; item: Shape } {
  const at = [...path, 'collection']
  const text = step.collection === undefined ? undefined : readText(step.collection, at, 'value', pen)
  const read = text ? valueOf(text, pen) : () => []
  const collection = (scope: Parameters<typeof read>[0], now: number) => {
    const value = read(scope, now)
    const list = typeof value === 'string' ? parsed(value) : value
    if (!Array.isArray(list)) throw new EvaluationError(`the collection is no list: ${described(value)}`)
    return list
  }
  if (text && isConstant(text)) {
    try {
      collection({ params: {}, steps: {}, workflow: {} }, 0)
    } catch (problem) {
      if (!(problem instanceof EvaluationError)) throw problem
      pen.reading.ledger.error({ path: at }, problem.message, 'write a template that gives a list, or a JSON list')
    }
  }
  return { collection, item: text ? later(() => itemOf(shapeOf(text, pen.reading))) : UNKNOWN }
}

/** What a text gives that is one path and nothing else. */
function shapeOf({ template }: Text, { roots }: Reading): Shape {
  const [only] = template.tree.nodes
  const [mention] = template.mentions
  if (!template.single || only?.kind !== 'output' || only.value.kind !== 'path' || !mention || mention.dynamic)
    return UNKNOWN
  const end = follow(roots.shape, mention.path)
  return end.end === 'reached' ? end.shape : UNKNOWN
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const described = (value: JsonValue | undefined): string =>
  value === undefined || value === null
    ? 'there is nothing'
    : isObject(value)
      ? 'an object'
      : JSON.stringify(value).slice(0, 60)

/** The step that is repeated: a call or a workflow, which waits for nothing of its own. */
function readInner(step: AuthoredStep, path: Path, pen: Pen): { plan: PlannedTool | PlannedNested; output: Shape } {
  const { error } = pen.reading.ledger
  const at = [...path, 'step']
  const inner = step.step
  if (!inner) return { plan: IDLE, output: UNKNOWN }
  const kind = readKind(inner, at, pen.reading.ledger)
  if (inner.dependsOn !== undefined && inner.dependsOn.length > 0) {
    error(
      { path: [...at, 'dependsOn'] },
      'a step inside of a loop cannot wait for others',
      'let the loop wait for them',
    )
  }
  if (inner.outputMapping !== undefined) {
    error({ path: [...at, 'outputMapping'] }, 'outputs inside of a loop are many and get no names')
  }
  if (kind === 'elicitation' || kind === 'forEach') {
    const what = kind === 'elicitation' ? 'a question' : 'another loop'
    error({ path: [...at, 'type'] }, `${what} cannot stand inside of a loop`, 'there is tool and workflow')
    return { plan: IDLE, output: UNKNOWN }
  }
  const common = readCommon(inner, at, pen)
  const { plan, output } = kind === 'tool' ? readTool(inner, at, pen) : readWorkflow(inner, at, pen)
  return { plan: { ...common.planned, ...plan, after: [] }, output }
}

/** Stands in for a step that has faults. */
const IDLE: PlannedTool = {
  kind: 'tool',
  id: '',
  after: [],
  timeoutMs: 0,
  onError: { action: 'abort', retries: 0, delayMs: 0 },
  tool: '',
  arguments: () => ({}),
  repeatable: false,
}
