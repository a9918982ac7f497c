import { parseDuration } from '../../model/duration.ts'
import { get, type Located } from '../../config/positions.ts'
import type { JsonObject } from '../../model/json.ts'
import type {
  Canned,
  CannedAnswer,
  Expectation,
  StepExpectation,
  UserAnswer,
  WorkflowCase,
} from '../../workflow/testing/case.ts'
import {
  choiceOf,
  fieldsOf,
  flagOf,
  itemsOf,
  jsonOf,
  listOf,
  mapOf,
  objectOf,
  type Reader,
  textOf,
  wrongAt,
} from '../cases/fields.ts'

/** Reads one case. Throws a `CliError` that names the place of a slip. */
export function readCase(node: Located): WorkflowCase {
  const { workflow, ...given } = fieldsOf(node, 'a case', CASE)
  if (workflow === undefined) throw wrongAt(node.at, 'a case needs a workflow', 'workflow: NAME')
  return {
    arguments: {},
    tools: new Map(),
    real: [],
    answers: new Map(),
    expect: NOTHING_SAID,
    ...given,
    workflow,
  }
}

const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?(?:Z|[+-]\d{2}:\d{2})$/u

const momentOf: Reader<number> = (node, what) => {
  const text = textOf(node, what)
  const at = MOMENT.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(at)) throw wrongAt(node.at, `${what} must be a time such as 2026-01-31T09:00:00Z`)
  return at
}

const durationOf: Reader<number> = (node, what) => {
  const ms = parseDuration(textOf(node, what))
  if (ms === undefined) throw wrongAt(node.at, `${what} must be a duration such as 30s`)
  return Math.round(ms)
}

const countOf: Reader<number> = (node, what) => {
  const value = node.kind === 'scalar' ? node.value : undefined
  if (!Number.isSafeInteger(value) || Number(value) < 0)
    throw wrongAt(node.at, `${what} must be a whole number, 0 or more`)
  return Number(value)
}

const realOf: Reader<true | string[]> = (node, what) => {
  if (node.kind === 'list') return listOf(textOf)(node, what)
  if (node.kind !== 'scalar' || node.value !== true) {
    throw wrongAt(node.at, `${what} must be true, or a list of tools or steps`)
  }
  return true
}

const PARTS = ['text', 'image', 'audio', 'resource', 'resource_link'] as const

const partOf: Reader<JsonObject> = (node, what) => {
  const part = objectOf(node, what)
  const type = get(node, 'type')
  if (!type) throw wrongAt(node.at, `${what} needs a type`, '{type: text, text: ...}')
  const text = get(node, 'text')
  if (choiceOf(PARTS)(type, 'type') === 'text' && (text?.kind !== 'scalar' || typeof text.value !== 'string')) {
    throw wrongAt(text?.at ?? node.at, `${what} needs a text`)
  }
  return part
}

const anyTextOf: Reader<string> = (node, what) => {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') throw wrongAt(node.at, `${what} must be a text`)
  return node.value
}

const whenOf: Reader<JsonObject> = (node, what) => {
  const args = fieldsOf(node, what, { arguments: objectOf }).arguments
  if (!args) throw wrongAt(node.at, `${what} needs arguments`, 'when: {arguments: {...}}')
  return args
}

const ANSWER = {
  output: jsonOf,
  content: listOf(partOf),
  text: anyTextOf,
  error: textOf,
  takes: durationOf,
  when: whenOf,
}

const answerOf: Reader<CannedAnswer> = (node, what) => {
  const { output, content, text, error, takes, when } = fieldsOf(node, what, ANSWER)
  const parts = text === undefined ? content : [{ type: 'text', text }]
  if (text !== undefined && content) throw wrongAt(node.at, `${what} has both text and content`, 'keep one of them')
  if (error !== undefined && (output !== undefined || parts)) {
    throw wrongAt(node.at, `${what} is an error and has a result as well`, 'keep one of them')
  }
  if (output === undefined && !parts && error === undefined) {
    throw wrongAt(node.at, `${what} says nothing`, 'write output, text, content or error')
  }
  return {
    ...(output !== undefined && { output }),
    ...(parts && { content: parts }),
    ...(error !== undefined && { error }),
    ...(takes !== undefined && { takesMs: takes }),
    ...(when && { when }),
  }
}

const cannedOf: Reader<Canned> = (node, what) => {
  if (node.kind !== 'list') return answerOf(node, what)
  if (itemsOf(node, what).length === 0) throw wrongAt(node.at, `${what} has no answer`)
  return listOf(answerOf)(node, what)
}

const userAnswerOf: Reader<UserAnswer> = (node, what) => {
  const { action, content } = fieldsOf(node, what, {
    action: choiceOf(['accept', 'decline', 'cancel']),
    content: objectOf,
  })
  if (!action) throw wrongAt(node.at, `${what} needs an action`, 'action: accept, decline or cancel')
  return { action, ...(content && { content }) }
}

const STATUSES = ['completed', 'failed', 'skipped', 'cancelled'] as const

const stepOf: Reader<StepExpectation> = (node, what) => {
  if (node.kind === 'scalar') return { status: choiceOf(STATUSES)(node, what), exactly: false }
  const step = { status: choiceOf(STATUSES), arguments: objectOf, output: jsonOf, error: textOf, exactly: flagOf }
  return { exactly: false, ...fieldsOf(node, what, step) }
}

const callsOf: Reader<NonNullable<Expectation['calls']>> = (node, what) =>
  node.kind === 'list' ? listOf(textOf)(node, what) : mapOf(countOf)(node, what)

const NOTHING_SAID: Expectation = { status: 'completed', exactly: false, steps: new Map() }

const EXPECT = {
  status: choiceOf(['completed', 'failed', 'timed_out']),
  error: textOf,
  output: jsonOf,
  exactly: flagOf,
  steps: mapOf(stepOf),
  calls: callsOf,
}

const expectationOf: Reader<Expectation> = (node, what) => {
  const given = fieldsOf(node, what, EXPECT)
  if (given.status === 'completed' && given.error !== undefined) {
    throw wrongAt(node.at, 'a run that has completed has no error', 'write status: failed')
  }
  const status = given.error === undefined ? 'completed' : 'failed'
  const expected = { ...NOTHING_SAID, status, ...given } as const
  if (expected.status !== 'completed' && expected.output !== undefined) {
    throw wrongAt(node.at, `a run that has ${expected.status} has no output`)
  }
  return expected
}

const CASE = {
  name: textOf,
  workflow: textOf,
  arguments: objectOf,
  now: momentOf,
  tools: mapOf(cannedOf),
  real: realOf,
  answers: mapOf(userAnswerOf),
  expect: expectationOf,
}
