import { suggest } from '../../model/nearest.ts'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import type { Evaluate, Plan } from '../plan.ts'
import { checkArguments } from '../schema/literals.ts'
import { convertExactly } from '../schema/convert.ts'
import { own } from '../schema/node.ts'
import { checkSchema } from '../schema/shape.ts'
import type { Draft } from './draft.ts'
import { readDuration } from './durations.ts'
import type { Place } from './faults.ts'
import { checkMentions } from './mentions.ts'
import { type Edge, order } from './order.ts'
import { outputSchemaOf, readOutput } from './output.ts'
import { type Compiled, type Pen, type Reading, startReading, type Text } from './reading.ts'
import { COUNT, members, schemaShape, type Shape, TEXT, UNKNOWN } from './shapes.ts'
import { readStep } from './steps.ts'
import { checkVariables, readVariables, variableShape } from './variables.ts'
import type { World } from './world.ts'

/**
 * Turns a definition into a plan, or says what is wrong with it: everything at once, each at its place. Pure; takes
 * time in proportion to the definition and to what the schemas of its tools say about it.
 */
export function compile(definition: AuthoredCompositeTool, world: World): Compiled {
  // A workflow that many steps run is compiled once for each depth: as a tree they would be millions.
  const known = new WeakMap<World, Map<string, Compiled>>()
  const compileOnce: Reading['compile'] = (inner, within, chain) => {
    const key = JSON.stringify([inner.name, chain.length])
    const compiled = known.get(within)?.get(key) ?? compileWithin(inner, within, chain, compileOnce)
    known.set(within, (known.get(within) ?? new Map<string, Compiled>()).set(key, compiled))
    return compiled
  }
  return compileWithin(definition, world, [definition.name], compileOnce)
}

/** `chain`: this workflow, behind those that run it. */
function compileWithin(
  definition: AuthoredCompositeTool,
  world: World,
  chain: readonly string[],
  compileInner: Reading['compile'],
): Compiled {
  const reading = startReading(world, chain, compileInner)
  const { ledger } = reading
  const inputSchema = readParameters(definition, reading)
  const outputSchema = outputSchemaOf(definition)
  const plan = readDefinition(definition, inputSchema, reading)
  const failed = ledger.faults.some(({ severity }) => severity === 'error')
  return {
    ...(plan && !failed ? { plan } : {}),
    faults: ledger.faults,
    needs: reading.needs,
    inputSchema,
    ...(outputSchema ? { outputSchema } : {}),
    asks: reading.questions.size > 0 || reading.asks.inside,
  }
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/u
const LONGEST_NAME = 64

function readDefinition(
  definition: AuthoredCompositeTool,
  inputSchema: JsonObject,
  reading: Reading,
): Plan | undefined {
  const { ledger, world } = reading
  const { limits } = world
  const { name, steps } = definition
  if (!NAME.test(name)) ledger.error({ path: ['name'] }, 'a name consists of letters, digits, ".", "_" and "-"')
  if (name.length > LONGEST_NAME) ledger.error({ path: ['name'] }, `a name has at most ${LONGEST_NAME} characters`)
  const timeoutMs = readDuration(definition.timeout, ['timeout'], limits.runMs, ledger)
  if (steps.length > limits.steps) {
    ledger.error(
      { path: ['steps'] },
      `a workflow has at most ${limits.steps} steps, found ${steps.length}`,
      'raise workflowLimits.steps, or put some into a workflow of their own',
    )
    return undefined
  }
  readIds(definition, reading)
  readVariables(definition, reading)
  const drafts = steps.map((step, index) => readStep(step, ['steps', index], reading))
  const byId = new Map(drafts.toReversed().map((draft) => [draft.id, draft]))
  reading.roots.shape = rootsOf(inputSchema, byId, reading)

  const pen: Pen = { reading, texts: [] }
  const result = readOutput(definition, pen)
  checkVariables(byId, reading)
  for (const draft of drafts) checkMentions(draft, byId, reading)
  checkMentions({ texts: pen.texts, inside: new Map(), id: undefined }, byId, reading)

  const edges = drafts.map((draft) => edgesOf(draft, reading))
  const sorted = order(edges)
  for (const circle of sorted.circles) {
    const all = circle.steps.map((step) => `"${drafts[step]?.id}"`).join(' -> ')
    ledger.error(circle.at, `the steps wait for each other: ${all}`)
  }
  if (sorted.circles.length > 0) return undefined
  checkReach(sorted.order, drafts, edges, reading)
  checkConsent(sorted.order, drafts, edges, reading)
  return makePlan(definition, timeoutMs, sorted.order, drafts, edges, result, reading)
}

function makePlan(
  { name, failureMode = 'abort' }: AuthoredCompositeTool,
  timeoutMs: number,
  sequence: readonly number[],
  drafts: readonly Draft[],
  edges: readonly (readonly Edge[])[],
  result: ReturnType<typeof readOutput>,
  { world }: Reading,
): Plan {
  const places = new Map(sequence.map((step, place) => [step, place]))
  const steps = sequence.flatMap((step) => {
    const after = new Set((edges[step] ?? []).flatMap(({ to }) => places.get(to) ?? []))
    return drafts[step]?.plan([...after].sort((a, b) => a - b)) ?? []
  })
  const output: Evaluate<JsonObject> | undefined = result?.(steps.map(({ id }) => id))
  return { name, steps, timeoutMs, failureMode, maxParallel: world.limits.parallel, ...(output ? { output } : {}) }
}

/** The schema of the arguments of the whole, and what is wrong with it. */
function readParameters({ parameters }: AuthoredCompositeTool, { ledger }: Reading): JsonObject {
  if (parameters === undefined) return { type: 'object', properties: {} }
  const schema = parameters as JsonObject
  const type = own(schema, 'type')
  if (type !== undefined && type !== 'object') {
    ledger.error({ path: ['parameters', 'type'] }, 'parameters are a JSON Schema of type object')
  }
  for (const { path, message, hint } of checkSchema(schema))
    ledger.error({ path: ['parameters', ...path] }, message, hint)
  const properties = own(schema, 'properties')
  if (!isObject(properties)) return { ...schema, type: 'object' }
  const entries = Object.entries(properties).map(([name, property]) => {
    const fallback = isObject(property) ? own(property, 'default') : undefined
    if (!isObject(property) || fallback === undefined) return [name, property]
    const node = { schema: property, root: schema }
    for (const fault of checkArguments(node, fallback, { isTemplate: () => false, member: 'member' })) {
      const path = ['parameters', 'properties', name, 'default', ...fault.path]
      ledger.error({ path }, `the default does not fit: ${fault.message}`, fault.hint)
    }
    const converted = convertExactly(fallback, node)
    return [name, { ...property, default: converted.ok ? converted.value : fallback }]
  })
  return { ...schema, type: 'object', properties: Object.fromEntries(entries) as JsonObject }
}

function readIds({ steps }: AuthoredCompositeTool, { ids, inner, questions, ledger }: Reading): void {
  const take = (id: string, path: Place['path']) => {
    if (id === '__proto__') ledger.error({ path: [...path, 'id'] }, `"${id}" cannot be the id of a step`)
    if (ids.has(id) || inner.has(id))
      ledger.error({ path: [...path, 'id'] }, `a second step "${id}"`, 'give it another id')
  }
  for (const [index, { id, type, step }] of steps.entries()) {
    take(id, ['steps', index])
    if (!ids.has(id)) ids.set(id, index)
    if (type === 'elicitation') questions.add(id)
    if (type !== 'forEach' || !step) continue
    take(step.id, ['steps', index, 'step'])
    inner.set(step.id, id)
  }
}

const WORKFLOW = members([
  ['id', TEXT],
  ['name', TEXT],
  ['duration_ms', COUNT],
  ['step_count', COUNT],
  ['status', TEXT],
  ['start_time', TEXT],
])

function rootsOf(inputSchema: JsonObject, drafts: ReadonlyMap<string, Draft>, reading: Reading): Shape {
  const { variables } = reading
  const params = schemaShape(inputSchema)
  const steps = members(
    [...drafts].map(([id, { output }]) => [
      id,
      members([
        ['status', TEXT],
        ['output', output],
        ['content', UNKNOWN],
        ['error', TEXT],
      ]),
    ]),
  )
  return members([
    ['params', params],
    ['parameters', params],
    ['steps', steps],
    ['vars', members([...variables].map(([name, variable]) => [name, variableShape(variable, drafts, reading)]))],
    ['workflow', WORKFLOW],
  ])
}

/** What a step waits for: what it says, and what its texts mention. */
function edgesOf({ id, path, step, texts }: Draft, { ids, variables, ledger }: Reading): Edge[] {
  const self = ids.get(id)
  const edges: Edge[] = []
  for (const [index, name] of (step.dependsOn ?? []).entries()) {
    const at = { path: [...path, 'dependsOn', index] }
    const to = ids.get(name)
    if (to === undefined) ledger.error(at, `there is no step "${name}"`, suggest(name, ids.keys()))
    else if (to === self) ledger.error(at, `the step "${name}" waits for itself`)
    else edges.push({ to, at })
  }
  const add = (text: Text, place: Text['path']) => {
    for (const mention of text.template.mentions) {
      const [root, name] = mention.path.map(String)
      const at = { path: place, offset: mention.offset }
      const to = root === 'steps' && name !== undefined ? ids.get(name) : undefined
      if (to !== undefined && to !== self) edges.push({ to, at })
      const variable = root === 'vars' && name !== undefined ? variables.get(name) : undefined
      if (!variable) continue
      if (variable.owner === self) ledger.error(at, `"${name}" comes from the output of the same step`)
      else edges.push({ to: variable.owner, at })
      if ('text' in variable.from) add(variable.from.text, place)
    }
  }
  for (const text of texts) add(text, text.path)
  return edges
}

/** Steps behind a question, as they are written, that do not wait for it: they run whatever the user answers. */
function checkConsent(
  sequence: readonly number[],
  drafts: readonly Draft[],
  edges: readonly (readonly Edge[])[],
  { questions, ledger }: Reading,
): void {
  if (questions.size === 0) return
  /** All that each step waits for, directly or not. */
  const behind = new Map<number, Set<number>>()
  for (const step of sequence) {
    const all = new Set<number>()
    for (const { to } of edges[step] ?? []) for (const one of [to, ...(behind.get(to) ?? [])]) all.add(one)
    behind.set(step, all)
  }
  const isQuestion = ({ id }: Draft): boolean => questions.has(id)
  for (const [place, draft] of drafts.entries()) {
    const asked = drafts.findLastIndex((other, at) => at < place && isQuestion(other))
    const question = drafts[asked]
    if (!question || isQuestion(draft) || behind.get(place)?.has(asked) || behind.get(asked)?.has(place)) continue
    ledger.warn(
      { path: draft.path },
      `"${draft.id}" does not wait for the question "${question.id}": it runs whatever the user answers`,
      `write dependsOn: [${question.id}], or put it before the question`,
    )
  }
}

/** Steps that wait for one that never runs. */
function checkReach(
  sequence: readonly number[],
  drafts: readonly Draft[],
  edges: readonly (readonly Edge[])[],
  { ledger }: Reading,
): void {
  const never = new Set<number>()
  for (const step of sequence) {
    const draft = drafts[step]
    const cause = (edges[step] ?? []).find(({ to }) => never.has(to))
    if (draft?.never || cause) never.add(step)
    if (!draft || !cause || draft.never) continue
    ledger.error(cause.at, `"${draft.id}" never runs: it waits for "${drafts[cause.to]?.id}", which never does`)
  }
}
