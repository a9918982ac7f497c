import { isObject, type JsonObject } from '../../model/json.ts'
import type { AskedQuestion } from '../run/ports.ts'
import type { Problem, UserAnswer, WorkflowCase } from './case.ts'
import type { Subject } from './subject.ts'
import { shown, sketch } from './words.ts'

/** What the user of a case answers, as the result of an elicitation. */
export function answerOf(
  question: AskedQuestion,
  { answers }: WorkflowCase,
  { names, fits }: Subject,
): { readonly answer: JsonObject } | { readonly why: Problem } {
  const form = formOf(question)
  if (!form) {
    const message = `the tool of "${question.step}" asks for ${shown(methodOf(question))}, which no case can answer`
    return { why: { path: ['real'], message, hint: 'give the tool a canned answer' } }
  }
  const { message, schema } = form
  const key = names.namesOf(question.step).find((name) => answers.has(name))
  const answer = key === undefined ? undefined : answers.get(key)
  if (key === undefined || !answer) {
    const content = schema ? `, content: ${sketch(schema)}` : ''
    const hint = `write answers: {${question.step}: {action: accept${content}}}, or action: decline or cancel`
    const asked = `"${question.step}" asks ${shown(message)}, and the case has no answer`
    return { why: { path: ['answers'], message: asked, hint } }
  }
  const problem = problemOf(answer, schema, fits)
  if (problem !== undefined) return { why: { path: ['answers', key, 'content'], message: problem } }
  const { action, content } = answer
  return { answer: { action, ...(content && { content }) } }
}

interface Form {
  readonly message: string
  /** Absent: an address to open. */
  readonly schema?: JsonObject
}

/** Undefined: a backend asks, and what it asks for is no elicitation. */
function formOf(question: AskedQuestion): Form | undefined {
  if (question.mode === 'url') return { message: question.message }
  if (question.mode === 'form') return question
  const { params } = question.question
  if (methodOf(question) !== 'elicitation/create' || !isObject(params)) return undefined
  const { message, requestedSchema } = params
  return {
    message: typeof message === 'string' ? message : '',
    ...(isObject(requestedSchema) && { schema: requestedSchema }),
  }
}

const methodOf = (question: AskedQuestion) => (question.mode === 'backend' ? question.question['method'] : undefined)

function problemOf(
  { action, content }: UserAnswer,
  schema: JsonObject | undefined,
  fits: Subject['fits'],
): string | undefined {
  if (action !== 'accept') return content && `who answers ${action} gives no content`
  if (!schema) return content && 'the user opens an address, and gives no content'
  const problem = fits(schema)(content ?? {})
  return problem === undefined ? undefined : `the form does not take this: ${problem}`
}
