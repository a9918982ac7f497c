import type { JsonObject } from '../../../src/model/json.ts'

/** Throws when the suite has handed over no such text. */
export function textIn(document: JsonObject, name: string): string {
  const value = document[name]
  if (typeof value === 'string') return value
  throw new Error(`the suite gives no ${name}`)
}
