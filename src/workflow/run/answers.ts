import { hash } from 'node:crypto'

import { canonicalJson } from '../../model/canonical-json.ts'
import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import type { Reply } from '../advance/event.ts'
import { type AskedQuestion, EngineError, type Ports } from './ports.ts'

/** By id of the question. */
export type Answers = Readonly<Record<string, JsonObject>>

export interface Sorted {
  /** To questions that are open. */
  readonly open: readonly { readonly question: AskedQuestion; readonly answer: JsonObject }[]
  /** There are answers, and all are those that counted when they came first. */
  readonly isRepeated: boolean
  readonly isEmpty: boolean
}

/** What these answers are to a run with these questions, and those that were answered before. */
export function sortAnswers(
  answers: Answers,
  questions: readonly AskedQuestion[],
  answered: Readonly<Record<string, string>>,
): Sorted {
  const entries = Object.entries(answers)
  return {
    open: questions.flatMap((question) => {
      const answer = Object.hasOwn(answers, question.id) ? answers[question.id] : undefined
      return answer ? [{ question, answer }] : []
    }),
    isRepeated:
      entries.length > 0 &&
      entries.every(([id, answer]) => Object.hasOwn(answered, id) && answered[id] === digest(answer)),
    isEmpty: entries.length === 0,
  }
}

/** Throws `EngineError` of kind `invalid` for the first that does not fit. */
export function checkAnswers({ open }: Pick<Sorted, 'open'>, check: Ports<never>['check']): void {
  for (const { question, answer } of open) {
    const isReply = question.mode === 'backend' || toReply(question.id, answer) !== undefined
    const problem = isReply ? check(question, answer) : 'needs an action: accept, decline or cancel'
    if (problem !== undefined) throw new EngineError('invalid', `The answer to "${question.step}" ${problem}`)
  }
}

/** `undefined`: not the result of an elicitation. */
export function toReply(question: string, { action, content }: JsonObject): Reply | undefined {
  if (action !== 'accept' && action !== 'decline' && action !== 'cancel') return undefined
  return { question, action, ...(isObject(content) && { content }) }
}

export const digest = (answer: JsonValue): string => hash('sha256', canonicalJson(answer), 'base64url')
