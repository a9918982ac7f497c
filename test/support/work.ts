import { isObject, type JsonObject } from '../../src/model/json.ts'
import type { Exchange } from './script.ts'

/** What the tool is to do, in this order; everything carries the key of the call. */
export interface Work extends JsonObject {
  key: string
  /** Tells so many steps of progress. */
  steps?: number
  /** Writes a log line of every level. */
  log?: boolean
  /** Asks the user for a name, by the means of the era. */
  ask?: boolean
  /** Goes on until it is cancelled. */
  wait?: boolean
}

export const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

export const WORK_TOOL: JsonObject = { name: 'work', inputSchema: { type: 'object' } }

/**
 * A tool that does what it is told and notes `called KEY`, `answered KEY`, `cancelled KEY` and `ended KEY`. In the modern
 * era every answer is a call of its own, which is not noted as one. Its result is `{key, name}` as text, where the name is what the user answered.
 */
export async function work(args: JsonObject, exchange: Exchange, note: (what: string) => void): Promise<JsonObject> {
  const { key, steps = 0, log, ask, wait } = args as Work
  const { era, params, signal } = exchange
  const { inputResponses, _meta } = params
  if (inputResponses === undefined) note(`called ${key}`)
  const cancelled = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  const progressToken = isObject(_meta) ? _meta['progressToken'] : undefined
  for (let progress = 1; progress <= (progressToken === undefined ? 0 : steps); progress++) {
    exchange.notify('notifications/progress', { progressToken: progressToken!, progress, message: key })
  }
  if (log) for (const level of LEVELS) exchange.notify('notifications/message', { level, logger: 'work', data: key })
  let answer: unknown
  if (ask) {
    const question = { message: key, requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } }
    if (era === 'legacy') answer = (await exchange.ask('elicitation/create', question))['result']
    else if (isObject(inputResponses)) answer = inputResponses['name']
    else {
      const inputRequests = { name: { method: 'elicitation/create', params: question } }
      return { resultType: 'input_required', inputRequests, requestState: key }
    }
    if (answer !== undefined) note(`answered ${key}`)
  }
  if (wait) await cancelled
  note(`${signal.aborted ? 'cancelled' : 'ended'} ${key}`)
  const content = isObject(answer) && isObject(answer['content']) ? answer['content'] : {}
  return { content: [{ type: 'text', text: JSON.stringify({ key, ...content }) }] }
}
