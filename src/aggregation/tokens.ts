import type { JsonObject } from '../model/json.ts'

const BYTES_PER_TOKEN = 4

/** A rough price of one definition in a model's context: bytes of its JSON divided by four, rounded up. */
export function estimateTokens(definition: JsonObject): number {
  return Math.ceil(Buffer.byteLength(JSON.stringify(definition)) / BYTES_PER_TOKEN)
}
