import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { Scope, StepView } from '../plan.ts'
import { TemplateError } from '../template/fault.ts'
import type { Mention } from '../template/mentions.ts'
import { isFault, parseTemplate } from '../template/parse.ts'
import { evaluate, evaluateCondition, evaluateValue, MISSING } from '../template/template.ts'
import { toText } from '../template/values.ts'
import type { Path } from './faults.ts'
import type { Pen, Purpose, Text, Variable } from './reading.ts'
import { valueAt } from './shapes.ts'

/** The template that stands at `path`; undefined after a fault. */
export function readText(source: string, path: Path, purpose: Purpose, pen: Pen): Text | undefined {
  const template = parseTemplate(source)
  if (isFault(template)) {
    const { message, offset, hint } = template
    pen.reading.ledger.error({ path, offset }, message, hint)
    return undefined
  }
  const text = { path, template, purpose }
  if (!isLiteral(text)) pen.texts.push(text)
  return text
}

/** Nothing in it is evaluated. */
export const isLiteral = ({ template }: Text): boolean => template.dialect === 'literal'

/** Depends on nothing but the clock. */
export const isConstant = ({ template }: Text): boolean => template.mentions.length === 0 && !CLOCK.test(template.text)

/** The helpers that may look at the clock. */
const CLOCK = /\b(?:now|unixTime)\b/u

/** What the paths of templates start from. */
export type Seen = (scope: Scope, at: number) => JsonObject

export function seenBy(mentions: readonly Mention[], { reading, loop }: Pen): Seen {
  const renamed = mentions.some(({ path }) => path[0] === 'parameters')
  const asked = mentions.flatMap(({ path: [root, id] }) =>
    root === 'steps' && reading.questions.has(String(id)) ? [String(id)] : [],
  )
  const names = [...reading.variables].filter(([name]) =>
    mentions.some(({ path: [root, one] }) => root === 'vars' && (one === undefined || one === name)),
  )
  const itemVar = loop?.itemVar
  return (scope, at) => {
    const seen: JsonObject = {
      params: scope.params,
      steps: (asked.length === 0 ? scope.steps : withAnswers(scope.steps, asked)) as unknown as JsonObject,
      vars: names.length === 0 ? {} : variables(names, scope, at),
      workflow: scope.workflow,
    }
    if (renamed) seen['parameters'] = scope.params
    if (scope.forEach && loop) {
      seen['forEach'] = scope.forEach
      if (itemVar !== undefined) seen[itemVar] = scope.forEach[itemVar]
    }
    return seen
  }
}

/** What the user answered stands in the output itself too: `output.response` beside `output.content.response`. */
function withAnswers(steps: Scope['steps'], ids: readonly string[]): Scope['steps'] {
  const result: Record<string, StepView> = { ...steps }
  for (const id of ids) {
    const view = Object.hasOwn(steps, id) ? steps[id] : undefined
    const answer = valueAt(view?.output, ['content'])
    if (!view || typeof answer !== 'object' || answer === null || Array.isArray(answer)) continue
    result[id] = { ...view, output: { ...answer, ...(view.output as JsonObject) } }
  }
  return result
}

function variables(names: readonly (readonly [string, Variable])[], scope: Scope, at: number): JsonObject {
  return Object.fromEntries(
    names.flatMap(([name, { read }]) => {
      const value = read(scope, at)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** The value of a text. Where it gives nothing: undefined if its purpose is `optional`, else an error. */
export function valueOf({ template, purpose }: Text, pen: Pen): (scope: Scope, at: number) => JsonValue | undefined {
  if (template.dialect === 'literal') return () => template.text
  const seen = seenBy(template.mentions, pen)
  if (purpose !== 'optional') {
    const parsed = { templates: [], root: { kind: 'template', template } } as const
    return (scope, now) => evaluateValue(parsed, seen(scope, now), { now })
  }
  return (scope, now) => {
    const value = evaluate(template, seen(scope, now), { now })
    return value === MISSING ? undefined : value
  }
}

export function wordsOf(text: Text, pen: Pen): (scope: Scope, at: number) => string {
  const read = valueOf(text, pen)
  return (scope, at) => toText(read(scope, at) ?? '')
}

/**
 * A condition. Over the output of a step that was skipped and gives no default results it is false; elsewhere what is
 * missing is an error.
 */
export function conditionOf({ template }: Text, pen: Pen): (scope: Scope, at: number) => boolean {
  const seen = seenBy(template.mentions, pen)
  const ids = template.mentions.flatMap(({ path: [root, id] }) => (root === 'steps' ? [String(id)] : []))
  const skipped = ({ steps }: Scope, id: string) =>
    Object.hasOwn(steps, id) && steps[id]?.status === 'skipped' && steps[id].output === undefined
  return (scope, now) => {
    try {
      return evaluateCondition(template, seen(scope, now), { now })
    } catch (error) {
      const missing = error instanceof TemplateError && error.code === 'missing'
      if (missing && ids.some((id) => skipped(scope, id))) return false
      throw error
    }
  }
}
