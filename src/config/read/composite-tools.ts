import { type Fault, fileError, warning } from '../faults.ts'
import {
  asMap,
  getItems,
  getMap,
  getString,
  list,
  type Located,
  type LocatedEntry,
  type LocatedMap,
  map,
  put,
  scalar,
} from '../positions.ts'
import { compositeToolSchema } from '../schema/composite.ts'
import { type Dialect, renameKeys } from './rename-keys.ts'

/** Values that earlier documents write, and what they are today. */
const STEP_TYPES: Readonly<Record<string, string>> = { tool_call: 'tool' }
const FAILURE_MODES: Readonly<Record<string, string>> = { best_effort: 'continue' }

const OLDER: Dialect = {
  second: (at, key, name) =>
    fileError(at, `"${key}" is another spelling of "${name}", which stands here already`, 'keep one'),
}

/**
 * Puts the composite tools of all dialects into the spelling of the schema: keys and values that earlier releases and
 * their documents wrote. Unknown keys stay, so that they are refused where they stand.
 */
export function respellCompositeTools(tree: LocatedMap): Fault[] {
  const entry = tree.entries.get('compositeTools')
  if (entry?.value.kind !== 'list') return []
  const faults: Fault[] = []
  const tools = entry.value.items.map((item) => {
    if (item.kind !== 'map') return item
    const tool = renameKeys(item, compositeToolSchema, OLDER, faults)
    respellParameters(tool)
    respellValue(tool, 'failureMode', FAILURE_MODES, faults)
    const steps = getItems(tool, 'steps').filter((step) => step.kind === 'map')
    for (const step of steps) respellStep(step, faults)
    nameRepeated(steps)
    return tool
  })
  put(tree, 'compositeTools', list(tools, entry.value.at), entry.at)
  return faults
}

function respellStep(step: LocatedMap, faults: Fault[]): void {
  respellValue(step, 'type', STEP_TYPES, faults)
  if (getString(step, 'type') === 'elicitation') respellQuestion(step)
  for (const key of LOOP_LIMITS) if (plainOf(step.entries.get(key)) === 0) step.entries.delete(key)
  const inner = getMap(step, 'step')
  if (inner) respellStep(inner, faults)
}

/** Zero is Go's way to leave one out. */
const LOOP_LIMITS = ['maxParallel', 'maxIterations']

/** ToolHive wants no id of a step that a loop repeats: such a one is called after its loop. */
function nameRepeated(steps: readonly LocatedMap[]): void {
  const repeated = steps.flatMap((step) => getMap(step, 'step') ?? [])
  const taken = new Set([...steps, ...repeated].map((step) => getString(step, 'id')))
  for (const step of steps) {
    const inner = getMap(step, 'step')
    if (!inner || !isBlank(inner.entries.get('id'))) continue
    const base = `${getString(step, 'id') ?? 'loop'}_step`
    let id = base
    for (let count = 2; taken.has(id); count++) id = `${base}_${count}`
    taken.add(id)
    put(inner, 'id', scalar(id, inner.at))
  }
}

const isBlank = (entry: LocatedEntry | undefined): boolean =>
  entry === undefined || plainOf(entry) === null || plainOf(entry) === ''

function respellValue(node: LocatedMap, key: string, values: Readonly<Record<string, string>>, faults: Fault[]): void {
  const entry = node.entries.get(key)
  const text = getString(node, key)
  const value = text !== undefined && Object.hasOwn(values, text) ? values[text] : undefined
  if (!entry || value === undefined) return
  faults.push(warning(entry.value.at, `${key} "${text}" is read as "${value}"`, `write "${value}"`))
  put(node, key, scalar(value, entry.value.at), entry.at)
}

/** The first drafts put the question and its form among the arguments. */
const QUESTION_ARGUMENTS: Readonly<Record<string, 'message' | 'schema'>> = {
  prompt: 'message',
  message: 'message',
  schema: 'schema',
}

function respellQuestion(step: LocatedMap): void {
  const args = getMap(step, 'arguments')
  if (!args) return
  const rest = map(args.at, args.entries)
  for (const [name, key] of Object.entries(QUESTION_ARGUMENTS)) {
    const entry = rest.entries.get(name)
    if (!entry || step.entries.has(key)) continue
    put(step, key, entry.value, entry.at)
    rest.entries.delete(name)
  }
  if (rest.entries.size === 0) step.entries.delete('arguments')
  else put(step, 'arguments', rest, step.entries.get('arguments')?.at)
}

/**
 * `parameters` of the first releases is no JSON Schema but a map from names to `{type, description, required, default}`,
 * whose defaults are texts.
 */
function respellParameters(tool: LocatedMap): void {
  const entry = tool.entries.get('parameters')
  const parameters = asMap(entry?.value)
  if (!entry || !parameters || parameters.entries.size === 0 || !isSpecMap(parameters)) return
  const properties = map(parameters.at)
  const required: Located[] = []
  for (const [name, { at, value }] of parameters.entries) {
    const spec = map(value.at, asMap(value)?.entries ?? [])
    if (plainOf(spec.entries.get('required')) === true) required.push(scalar(name, at))
    spec.entries.delete('required')
    const fallback = spec.entries.get('default')
    const typed = fallback && typedDefault(fallback, getString(spec, 'type'))
    if (fallback && typed) put(spec, 'default', typed, fallback.at)
    put(properties, name, spec, at)
  }
  const schema = map(parameters.at)
  put(schema, 'type', scalar('object', parameters.at))
  put(schema, 'properties', properties)
  if (required.length > 0) put(schema, 'required', list(required, parameters.at))
  put(tool, 'parameters', schema, entry.at)
}

/** Every entry is a map with a type of its own; a JSON Schema has a text there, or no such thing at all. */
const isSpecMap = (parameters: LocatedMap): boolean =>
  [...parameters.entries.values()].every(({ value }) => getString(value, 'type') !== undefined)

const plainOf = (entry: LocatedEntry | undefined): unknown =>
  entry?.value.kind === 'scalar' ? entry.value.value : undefined

function typedDefault({ value }: LocatedEntry, type: string | undefined): Located | undefined {
  if (value.kind !== 'scalar' || typeof value.value !== 'string') return undefined
  const text = value.value
  if (type === 'boolean' && (text === 'true' || text === 'false')) return scalar(text === 'true', value.at)
  const isNumber = (type === 'integer' || type === 'number') && /^-?[0-9]+(?:\.[0-9]+)?$/u.test(text)
  return isNumber ? scalar(Number(text), value.at) : undefined
}
