import type { Era } from '../../src/model/backend.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { modernAt, openSession, wanted } from '../matrix/peers/raw.ts'
import { waitFor } from './processes.ts'
import type { Work } from './work.ts'

/** A client of either era that calls the tool `work` and is asked by it. Its ids and tokens are its own choice. */
export interface Caller {
  call(tool: string, work: Work, choice?: { id?: number; token?: JsonValue; level?: string }): Call
  /** What came on the stream that belongs to no request. */
  unasked: JsonObject[]
  setLevel(level: string): Promise<unknown>
  /** DELETE; nothing in the modern era. */
  leave(): Promise<void>
}

export interface Call {
  /** Notifications and questions on its streams. */
  messages(): JsonObject[]
  /** Texts of the questions that are open; waits for the first. */
  asked(): Promise<string[]>
  /** Answers what was asked, with the name. */
  answer(name: string): Promise<void>
  /** The response to the latest request of it; `undefined`: the stream ended without. */
  outcome(): Promise<JsonObject | undefined>
  /** Closes the stream. */
  disconnect(): void
  /** `notifications/cancelled`. */
  cancel(): Promise<void>
}

export const callerOf = (era: Era, url: string): Promise<Caller> =>
  era === 'legacy' ? legacyCaller(url) : modernCaller(url)

const accept = (name: string): JsonObject => ({ action: 'accept', content: { name } })

async function legacyCaller(url: string): Promise<Caller> {
  const session = await openSession(url)
  const stream = session.listen()
  await stream.status
  let last = 0
  return {
    unasked: stream.messages,
    setLevel: (level) => session.request('logging/setLevel', { level }),
    async leave() {
      stream.abort()
      await session.end()
    },
    call(name, args, { id = ++last, token = id } = {}) {
      const exchange = session.start(id, 'tools/call', { name, arguments: args, _meta: { progressToken: token } })
      const { messages, response } = exchange
      const questions = () => messages.filter(({ method }) => method === 'elicitation/create')
      return {
        messages: () => messages,
        async asked() {
          await waitFor(() => questions().length > 0, 8_000, `a question about ${args.key}`)
          return questions().map(({ params }) => (params as { message: string }).message)
        },
        async answer(given) {
          for (const { id: question } of questions()) {
            await session.send({ jsonrpc: '2.0', id: question!, result: accept(given) })
          }
        },
        outcome: async () => (await response) as JsonObject | undefined,
        disconnect: () => exchange.abort(),
        cancel: async () => {
          await session.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } })
        },
      }
    },
  }
}

async function modernCaller(url: string): Promise<Caller> {
  const levels: Record<string, string> = {}
  return {
    unasked: [],
    setLevel: async (level) => (levels['io.modelcontextprotocol/logLevel'] = level),
    leave: async () => {},
    call(name, args, { token = 1 } = {}) {
      // Every client of its own counts from one.
      const client = modernAt(url)
      const params = { name, arguments: args }
      const meta = { progressToken: token, ...levels }
      const exchanges = [client.start('tools/call', params, meta)]
      const latest = () => exchanges.at(-1)!
      const round = async () => wanted((await latest().response)!)
      return {
        messages: () => exchanges.flatMap(({ messages }) => messages),
        asked: async () =>
          (await round()).questions.map(([, { params: asked }]) => (asked as { message: string }).message),
        async answer(given) {
          const { questions, requestState } = await round()
          const inputResponses = Object.fromEntries(questions.map(([key]) => [key, accept(given)]))
          exchanges.push(client.start('tools/call', { ...params, inputResponses, requestState }, meta))
        },
        outcome: async () => (await latest().response) as JsonObject | undefined,
        disconnect: () => latest().abort(),
        cancel: async () => {},
      }
    },
  }
}

/** The first text of a tool result, or all of what came instead. */
export function textIn(outcome: JsonObject | undefined): string {
  const { content } = (outcome?.['result'] ?? {}) as { content?: { text?: string }[] }
  return content?.[0]?.text ?? JSON.stringify(outcome)
}
