import { type JsonValue, isObject } from '../../model/json.ts'
import { TemplateError } from './fault.ts'
import { type Helper, HELPERS } from './helpers.ts'
import { misfit } from './kinds.ts'
import type { Call, Expression, LoopSlots, Node, Path, Tree } from './tree.ts'
import { absent, describe, follow, isAbsent, missing, type Result, toText } from './values.ts'

const MAX_STEPS = 1_000_000
const MAX_OUTPUT = 10 * 1024 * 1024
/** So many characters, or so many items, are worth one step: a helper that works on them costs what they weigh. */
const CHARACTERS_A_STEP = 256
const ITEMS_A_STEP = 16

/** What evaluation costs, counted over all the templates of a value. */
export interface Budget {
  steps: number
  /** UTF-8. */
  bytes: number
  /** Members of objects, counted once. */
  readonly sizes: WeakMap<object, number>
}
export const startBudget = (): Budget => ({ steps: 0, bytes: 0, sizes: new WeakMap() })

interface Machine {
  readonly scope: JsonValue
  readonly now: number
  readonly budget: Budget
  /** What `.` and `this` are, the innermost last. */
  readonly contexts: Result[]
  readonly slots: (Result | undefined)[]
  out: string
}

/** Where a template stands still: that which a loop looks at. */
type Flow = 'on' | 'break' | 'continue'

/** The value of a tree: of its one expression if it is `single`, else its text. Throws `TemplateError`. */
export function run(tree: Tree, single: boolean, scope: object, now: number, budget: Budget): Result {
  const machine: Machine = { scope: scope as JsonValue, now, budget, contexts: [], slots: [], out: '' }
  try {
    const [only] = tree.nodes
    if (single && only?.kind === 'output') return evaluate(only.value, machine)
    render(tree.nodes, machine)
    return machine.out
  } catch (error) {
    // The engine's own limits: values nested beyond its stack, texts beyond its longest.
    if (error instanceof RangeError)
      throw new TemplateError('nesting_limit', `too deep or too long: ${error.message}`, 0)
    throw error
  }
}

function tick(machine: Machine, steps: number, offset: number): void {
  machine.budget.steps += steps
  if (machine.budget.steps > MAX_STEPS) throw new TemplateError('step_limit', `more than ${MAX_STEPS} steps`, offset)
}

function write(machine: Machine, text: string, offset: number): void {
  machine.budget.bytes += Buffer.byteLength(text)
  if (machine.budget.bytes > MAX_OUTPUT) {
    throw new TemplateError('output_limit', `the text grows beyond ${MAX_OUTPUT} bytes`, offset)
  }
  machine.out += text
}

const need = (value: Result): JsonValue => {
  if (isAbsent(value)) throw missing(value)
  return value
}

function render(nodes: readonly Node[], machine: Machine): Flow {
  for (const node of nodes) {
    tick(machine, 1, 0)
    switch (node.kind) {
      case 'text':
        write(machine, node.text, 0)
        break
      case 'output': {
        const text = toText(need(evaluate(node.value, machine)))
        tick(machine, text.length / CHARACTERS_A_STEP, node.value.offset)
        write(machine, text, node.value.offset)
        break
      }
      case 'set':
        machine.slots[node.slot] = evaluate(node.value, machine)
        break
      case 'break':
      case 'continue':
        return node.kind
      case 'if':
      case 'with':
      case 'each': {
        const flow = block(node, machine)
        if (flow !== 'on') return flow
      }
    }
  }
  return 'on'
}

function block(node: Extract<Node, { kind: 'if' | 'with' | 'each' }>, machine: Machine): Flow {
  if (node.kind === 'each') return loop(node, machine)
  if (node.kind === 'if') {
    for (const { test, slot, body } of node.branches) {
      const value = evaluate(test, machine)
      if (slot !== undefined) machine.slots[slot] = value
      if (isTruthy(value, machine)) return render(body, machine)
    }
    return render(node.otherwise, machine)
  }
  const value = evaluate(node.value, machine)
  if (node.slot !== undefined) machine.slots[node.slot] = value
  if (!isTruthy(value, machine)) return render(node.otherwise, machine)
  machine.contexts.push(value)
  const flow = render(node.body, machine)
  machine.contexts.pop()
  return flow
}

function loop(node: Extract<Node, { kind: 'each' }>, machine: Machine): Flow {
  const found = evaluate(node.list, machine)
  const value = node.hasElse && isAbsent(found) ? null : need(found)
  const entries = entriesOf(value, node.list.offset, machine)
  if (entries.length === 0) return render(node.otherwise, machine)
  for (const [index, [key, item]] of entries.entries()) {
    tick(machine, 1, node.list.offset)
    fill(machine.slots, node.slots, { item, key, index, first: index === 0, last: index === entries.length - 1 })
    machine.contexts.push(item)
    const flow = render(node.body, machine)
    machine.contexts.pop()
    if (flow === 'break') break
  }
  return 'on'
}

/** Members of an object come in the order of their names, whatever order they were sent in. */
function entriesOf(value: JsonValue, offset: number, machine: Machine): [JsonValue, JsonValue][] {
  if (value === null) return []
  if (!Array.isArray(value) && (!isObject(value) || JSON.isRawJSON(value))) {
    throw new TemplateError('type', `a loop needs a list or an object, got ${describe(value)}`, offset)
  }
  tick(machine, size(value, machine), offset)
  if (Array.isArray(value)) return value.map((item, index) => [index, item])
  return Object.keys(value)
    .sort()
    .flatMap((key): [JsonValue, JsonValue][] => (value[key] === undefined ? [] : [[key, value[key]]]))
}

function fill(slots: Machine['slots'], wanted: LoopSlots, values: Record<keyof LoopSlots, JsonValue>): void {
  for (const name of ['item', 'key', 'index', 'first', 'last'] as const) {
    const slot = wanted[name]
    if (slot !== undefined) slots[slot] = values[name]
  }
}

/** False, zero, and what is empty or missing. The same in both spellings, as Go has it. */
function isTruthy(value: Result, machine: Machine): boolean {
  if (isAbsent(value) || value === null || value === false || value === 0 || value === '') return false
  if (Array.isArray(value)) return value.length > 0
  if (!isObject(value)) return true
  return JSON.isRawJSON(value) ? Number(toText(value)) !== 0 : size(value, machine) > 0
}

function size(value: JsonValue, machine: Machine): number {
  if (typeof value === 'string') return value.length
  if (Array.isArray(value)) return value.length
  if (!isObject(value)) return 0
  const known = machine.budget.sizes.get(value)
  if (known !== undefined) return known
  const members = Object.keys(value).length
  machine.budget.sizes.set(value, members)
  return members
}

const weight = (value: JsonValue, machine: Machine): number =>
  size(value, machine) / (typeof value === 'string' ? CHARACTERS_A_STEP : ITEMS_A_STEP)

function evaluate(expression: Expression, machine: Machine): Result {
  tick(machine, 1, expression.offset)
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'path':
      tick(machine, expression.keys.length, expression.offset)
      return follow(startOf(expression, machine), expression.keys, expression.base.label, expression.offset)
    case 'call':
      return invoke(expression, machine)
  }
}

function startOf({ base, offset }: Path, machine: Machine): Result {
  switch (base.from) {
    case 'scope':
      return machine.scope
    case 'context':
      return machine.contexts.at(-1 - base.up) ?? machine.scope
    case 'slot':
      return machine.slots[base.slot] ?? absent({ label: base.label, keys: [], at: 0, holder: undefined, offset })
    case 'value':
      return evaluate(base.value, machine)
  }
}

function invoke(expression: Call, machine: Machine): Result {
  const { helper: name, args, offset } = expression
  // There is one: the parsers have seen to it.
  const helper = HELPERS.get(name) as Helper
  if ('choose' in helper) {
    const thunks = args.map((arg) => () => evaluate(arg, machine))
    return helper.choose(thunks, { need, isTruthy: (value) => isTruthy(value, machine) })
  }
  const values = args.map((arg, at) => {
    const value = need(evaluate(arg, machine))
    const why = misfit(helper, at, value)
    if (why !== undefined) throw new TemplateError('type', why, arg.offset)
    tick(machine, weight(value, machine), offset)
    return value
  })
  const result = helper.call(values, {
    now: machine.now,
    offset,
    fail: (message) => {
      throw new TemplateError('value', message, offset)
    },
    tick: (steps) => tick(machine, steps, offset),
  })
  if (isAbsent(result)) return name === 'index' ? inPlace(expression, result) : result
  if (typeof result === 'string' && result.length > MAX_OUTPUT) {
    throw new TemplateError('output_limit', `${name} makes a text of more than ${MAX_OUTPUT} bytes`, offset)
  }
  tick(machine, weight(result, machine), offset)
  return result
}

/** What `index` does not find is named from the start of its path. */
function inPlace({ args }: Call, result: Result): Result {
  const [from] = args
  if (!isAbsent(result) || from?.kind !== 'path') return result
  const { base, keys } = from
  return { ...result, label: base.label, keys: [...keys, ...result.keys], at: keys.length + result.at }
}
