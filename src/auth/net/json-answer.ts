import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import { FetchRefused, type GuardedAnswer } from './guarded-fetch.ts'

/** The JSON object of an answer with status 200. Throws `FetchRefused` for anything else; `what` names the document. */
export function jsonObject({ status, text }: GuardedAnswer, what: string): JsonObject {
  if (status !== 200) throw new FetchRefused('answer', `${what} was answered with status ${status}`)
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    throw new FetchRefused('answer', `${what} is not JSON`)
  }
  if (!isObject(value)) throw new FetchRefused('answer', `${what} is not a JSON object`)
  return value
}
