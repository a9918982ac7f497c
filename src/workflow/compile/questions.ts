import type { JsonObject } from '../../model/json.ts'
import { EvaluationError, type PlannedQuestion } from '../plan.ts'
import { checkElicitationSchema } from '../schema/elicitation.ts'
import { own } from '../schema/node.ts'
import type { AuthoredStep, Gap, Kind } from './draft.ts'
import type { Path } from './faults.ts'
import { members, schemaShape, type Shape, TEXT } from './shapes.ts'
import type { Pen } from './reading.ts'
import { isLiteral, readText, wordsOf } from './texts.ts'

const WEB = /^https?:\/\/[^/\s]/iu

/** Reads a question to the user: a form, or an address to open. */
export function readQuestion(step: AuthoredStep, path: Path, pen: Pen): Kind<PlannedQuestion> {
  const { error } = pen.reading.ledger
  if (step.message === '') error({ path: [...path, 'message'] }, 'the question is empty')
  const message = words(step.message ?? '', [...path, 'message'], pen)
  const onDecline = step.onDecline?.action ?? 'abort'
  const onCancel = step.onCancel?.action ?? 'abort'
  const goesOn = [
    ...(onDecline === 'continue' ? ['declines'] : []),
    ...(onCancel === 'continue' ? ['does not answer'] : []),
  ]
  const ownTimeout = step.timeout === undefined ? {} : { ownTimeout: true }
  const gap = (below: readonly string[]): Gap[] =>
    goesOn.length === 0 ? [] : [{ why: `has no answer when the user ${goesOn.join(' or ')}`, below }]
  if (step.url !== undefined) {
    if (step.schema !== undefined) {
      error({ path: [...path, 'schema'] }, 'a question has a schema or a url, not both', 'keep one of them')
    }
    const at = [...path, 'url']
    const text = readText(step.url, at, 'value', pen)
    if (text && isLiteral(text) && !WEB.test(step.url)) {
      error({ path: at }, 'expected a URL that begins with http:// or https://')
    }
    const address = text ? wordsOf(text, pen) : () => ''
    return {
      plan: {
        kind: 'question',
        ask: (scope, now) => ({ mode: 'url', message: message(scope, now), url: webAddress(address(scope, now)) }),
        onDecline,
        onCancel,
        ...ownTimeout,
      },
      output: members([['action', TEXT]]),
      gaps: [],
    }
  }
  const { schema, faults } = checkElicitationSchema(step.schema as JsonObject | undefined)
  for (const fault of faults) error({ path: [...path, 'schema', ...fault.path] }, fault.message, fault.hint)
  return {
    plan: {
      kind: 'question',
      ask: (scope, now) => ({ mode: 'form', message: message(scope, now), schema }),
      onDecline,
      onCancel,
      ...ownTimeout,
    },
    output: answerShape(schema),
    gaps: gap(['content', ...Object.keys(own(schema, 'properties') ?? {})]),
  }
}

function words(source: string, path: Path, pen: Pen): ReturnType<typeof wordsOf> {
  const text = readText(source, path, 'value', pen)
  return text ? wordsOf(text, pen) : () => ''
}

function webAddress(url: string): string {
  if (!WEB.test(url)) throw new EvaluationError(`the url of the question is no http or https URL: ${url.slice(0, 60)}`)
  return url
}

/** `{action, content}`, and what was answered once more beside them. */
function answerShape(schema: JsonObject): Shape {
  const properties = Object.entries((own(schema, 'properties') ?? {}) as JsonObject)
  return members([
    ...properties.map(([key, property]) => [key, schemaShape(property ?? true)] as const),
    ['action', TEXT],
    ['skipped', schemaShape({ type: 'boolean' })],
    ['content', schemaShape({ ...schema, additionalProperties: false })],
  ])
}
