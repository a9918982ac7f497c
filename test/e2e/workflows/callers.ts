import { expect } from 'vitest'

import type { Era } from '../../../src/model/backend.ts'
import { isObject, type JsonObject, type JsonValue } from '../../../src/model/json.ts'
import { modernAt, openSession, wanted } from '../../matrix/peers/raw.ts'
import { waitFor } from '../../support/processes.ts'

export const ERAS: readonly Era[] = ['legacy', 'modern']

/** What a client may be asked. */
const ABLE: JsonObject = { elicitation: { form: {}, url: {} }, sampling: {} }

/** A client of either era without an SDK. */
export interface Caller {
  era: Era
  call(tool: string, args?: JsonObject, choice?: { token?: JsonValue }): RunningCall
  tools(): Promise<JsonObject[]>
}

interface Question {
  /** The id of the request, or the key of the input request. */
  key: JsonValue
  method: string
  params: JsonObject
}

/** By message of the question, or one for all of them. */
export type Answers = JsonObject | ((question: Question) => JsonObject)

/** A call of a tool, from the first request to the last. */
interface RunningCall {
  /** Notifications and questions on its streams. */
  messages(): JsonObject[]
  /** Those that are open; waits until there are so many. */
  questions(count?: number): Promise<Question[]>
  /** Answers those that are open. */
  answer(answers: Answers): Promise<void>
  /** The response to its latest request; `undefined`: the stream ended without. */
  response(): Promise<JsonObject | undefined>
  /** The result in it. Throws when there is none. */
  result(): Promise<Result>
  /** Closes the stream. */
  disconnect(): void
  /** `notifications/cancelled`; nothing in the modern era. */
  cancel(): Promise<void>
  /** Of a modern call that wants input. */
  requestState(): Promise<string>
}

export interface Result extends JsonObject {
  content: { type: string; text: string }[]
}

export const accept = (content: JsonObject): JsonObject => ({ action: 'accept', content })
export const YES = accept({ yes: true })
export const DECLINE: JsonObject = { action: 'decline' }
export const CANCEL: JsonObject = { action: 'cancel' }

export const callerOf = (era: Era, url: string, capabilities: JsonObject = ABLE): Promise<Caller> =>
  era === 'legacy' ? legacyCaller(url, capabilities) : modernCaller(url, capabilities)

const answerTo = (answers: Answers, question: Question): JsonObject =>
  typeof answers === 'function' ? answers(question) : answers

function resultIn(response: JsonObject | undefined): Result {
  const result = response?.['result']
  if (!isObject(result)) throw new Error(`no result: ${JSON.stringify(response)}`)
  return result as Result
}

async function legacyCaller(url: string, capabilities: JsonObject): Promise<Caller> {
  const session = await openSession(url, undefined, capabilities)
  let last = 100
  return {
    era: 'legacy',
    async tools() {
      const { result } = await session.request('tools/list')
      return (result?.['tools'] ?? []) as JsonObject[]
    },
    call(name, args = {}, { token } = {}) {
      const id = ++last
      const _meta: JsonObject = token === undefined ? {} : { progressToken: token }
      const exchange = session.start(id, 'tools/call', { name, arguments: args, _meta })
      const answered = new Set<JsonValue>()
      const open = () =>
        exchange.messages.flatMap(({ id, method, params }): Question[] =>
          id === undefined || answered.has(id)
            ? []
            : [{ key: id, method: method as string, params: params as JsonObject }],
        )
      const response = async () => (await exchange.response) as JsonObject | undefined
      return {
        messages: () => exchange.messages,
        async questions(count = 1) {
          await waitFor(() => open().length >= count, 5_000, `${count} questions`)
          return open()
        },
        async answer(answers) {
          const questions = open()
          for (const { key } of questions) answered.add(key)
          await Promise.all(
            questions.map((question) =>
              session.send({ jsonrpc: '2.0', id: question.key, result: answerTo(answers, question) }),
            ),
          )
        },
        response,
        result: async () => resultIn(await response()),
        disconnect: () => exchange.abort(),
        async cancel() {
          await session.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } })
        },
        requestState: async () => expect.unreachable('a legacy client has no state'),
      }
    },
  }
}

/** One round of a modern call of a tool, with headers of its own. */
export async function retry(
  url: string,
  tool: string,
  round: { arguments?: JsonObject; requestState?: JsonValue; inputResponses?: JsonValue },
  { token, capabilities = ABLE }: { token?: string; capabilities?: JsonObject } = {},
): Promise<JsonObject> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const params = { name: tool, arguments: {}, ...round }
  const response = await modernAt(url, capabilities).start('tools/call', params, {}, headers).response
  return response as unknown as JsonObject
}

/** The answers to what a response asks, and its state. */
export function roundOf(response: JsonObject, answers: Answers): { requestState: string; inputResponses: JsonObject } {
  const { questions, requestState } = wanted(response as never)
  return { requestState, inputResponses: responsesTo(questions, answers) }
}

const responsesTo = (questions: [string, JsonObject][], answers: Answers): JsonObject =>
  Object.fromEntries(
    questions.map(([key, { method, params }]) => [
      key,
      answerTo(answers, { key, method: method as string, params: params as JsonObject }),
    ]),
  )

async function modernCaller(url: string, capabilities: JsonObject): Promise<Caller> {
  const client = modernAt(url, capabilities)
  return {
    era: 'modern',
    async tools() {
      const { result } = await client.request('tools/list')
      return (result?.['tools'] ?? []) as JsonObject[]
    },
    call(name, args = {}, { token } = {}) {
      const meta: JsonObject = token === undefined ? {} : { progressToken: token }
      const params = { name, arguments: args }
      const exchanges = [client.start('tools/call', params, meta)]
      const latest = () => exchanges.at(-1)!
      const round = async () => wanted((await latest().response)!)
      const response = async () => (await latest().response) as JsonObject | undefined
      return {
        messages: () => exchanges.flatMap(({ messages }) => messages),
        async questions(count) {
          const { questions } = await round()
          if (count !== undefined) expect(questions).toHaveLength(count)
          return questions.map(([key, { method, params }]) => ({
            key,
            method: method as string,
            params: params as JsonObject,
          }))
        },
        async answer(answers) {
          const { questions, requestState } = await round()
          const inputResponses = responsesTo(questions, answers)
          exchanges.push(client.start('tools/call', { ...params, inputResponses, requestState }, meta))
        },
        response,
        result: async () => resultIn(await response()),
        disconnect: () => latest().abort(),
        cancel: async () => {},
        requestState: async () => (await round()).requestState,
      }
    },
  }
}

/** What the result tells of the steps, by id. */
export function statusesIn({ _meta }: JsonObject): Record<string, string> {
  const reports = (_meta as { 'vmcp/workflow'?: { id: string; status: string }[] } | undefined)?.['vmcp/workflow']
  return Object.fromEntries((reports ?? []).map(({ id, status }) => [id, status]))
}

/** The text of a result. */
export const textIn = ({ content }: Result): string => content[0]?.text ?? ''

/** Sorted. */
export const namesOf = (tools: readonly JsonObject[]): string[] => tools.map(({ name }) => name as string).toSorted()
