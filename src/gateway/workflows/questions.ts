import type { Context, Question } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { checkQuestion, takesQuestion } from '../../protocol/capabilities.ts'
import { VENDOR_META } from '../../protocol/envelope.ts'
import { legacyQuestion } from '../../protocol/legacy-question.ts'
import type { Answers } from '../../workflow/run/answers.ts'
import { type AskedQuestion, RefusedQuestion, type RunCaller } from '../../workflow/run/ports.ts'
import { validatorFor } from '../../workflow/schema/validate.ts'
import { checkAnswer } from '../questions/check-answer.ts'

const ELICIT = 'elicitation/create'

/** A question of a run as it is put to the client (client/elicitation). */
function requestOf(question: AskedQuestion): Question {
  switch (question.mode) {
    case 'form': {
      const { message, schema } = question
      return { method: ELICIT, params: { mode: 'form', message, requestedSchema: schema, _meta: metaOf(question) } }
    }
    case 'url': {
      const { message, url } = question
      return { method: ELICIT, params: { mode: 'url', message, url, _meta: metaOf(question) } }
    }
    case 'backend': {
      const { method, params } = question.question
      return { method: typeof method === 'string' ? method : '', params: isObject(params) ? params : {} }
    }
  }
}

/** Which step asks. */
const metaOf = ({ step }: AskedQuestion): JsonObject => ({ [VENDOR_META.step]: step })

/** For a modern client, which answers when it comes back: by question id. */
export function inputRequests(questions: readonly AskedQuestion[]): JsonObject {
  const requests = questions.map((question): [string, JsonObject] => {
    const { method, params } = requestOf(question)
    const { elicitationId: _, ...modern } = params
    return [question.id, { method, params: modern }]
  })
  return Object.fromEntries(requests)
}

/** Of the answers that a client sends those to questions that it was asked. */
export function answersIn(inputResponses: unknown, asked: readonly string[]): Answers {
  if (!isObject(inputResponses)) return {}
  const answers = asked.flatMap((id): [string, JsonObject][] => {
    const answer = Object.hasOwn(inputResponses, id) ? inputResponses[id] : undefined
    return answer === undefined ? [] : [[id, isObject(answer) ? answer : {}]]
  })
  return Object.fromEntries(answers)
}

/** How the run turns to whoever waits for it. A modern client is not asked in the middle: it comes back. */
export function askingOf(context: Context): Pick<RunCaller<Context>, 'takes' | 'ask'> {
  const { ask, era, profile, revision } = context
  const canBeAsked = era === 'modern' || ask !== undefined
  return {
    takes: (mode) => canBeAsked && takesQuestion(profile, ELICIT, { mode }),
    ...(ask && {
      ask: (question, signal) => {
        const request = requestOf(question)
        checkQuestion(profile, request.method, request.params)
        const asked = ask(era === 'legacy' ? legacyQuestion(request, revision) : request, signal)
        // A backend gets the error of the client as it is.
        return question.mode === 'backend' ? asked : asked.catch(refused)
      },
    }),
  }
}

/** The client is there and has answered with an error: it cannot be asked. */
function refused(error: unknown): never {
  if (!(error instanceof GatewayError) || error.code !== 'CLIENT_ERROR' || error.unsent) throw error
  throw new RefusedQuestion(error.message, { cause: error })
}

/** What is wrong with an answer, for whoever gave it; `undefined`: nothing. */
export function answerProblem(question: AskedQuestion, answer: JsonObject): string | undefined {
  const problem = checkAnswer(requestOf(question).method, answer)
  if (problem !== undefined || question.mode !== 'form' || answer['action'] !== 'accept') return problem
  const mismatch = validatorFor(question.schema)(isObject(answer['content']) ? answer['content'] : {})
  return mismatch === undefined ? undefined : `does not fit its form: ${mismatch}`
}
