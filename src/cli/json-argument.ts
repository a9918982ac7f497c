import type { JsonObject } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { parseJson } from '../protocol/json.ts'
import { usageError } from './exit.ts'

/** An object on the command line. `what`: whose it is, in the usage error. */
export function objectFrom(text: string, what: string, command: string): JsonObject {
  try {
    const value = parseJson(text)
    if (isObject(value)) return value
  } catch {
    // Told below.
  }
  throw usageError(`${what} must be a JSON object`, command)
}
