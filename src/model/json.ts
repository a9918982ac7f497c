/** JSON values as they travel. Numbers that JavaScript cannot hold exactly are `JSON.rawJSON` objects (protocol/json.ts). */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject
export interface JsonObject {
  [key: string]: JsonValue | undefined
}

declare global {
  interface JSON {
    /** ECMAScript 2026; the compiler's library does not have them yet. */
    rawJSON(text: string): JsonValue
    isRawJSON(value: unknown): value is { rawJSON: string }
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether arrays and objects are nested in `value` more than `levels` deep. Needs that much stack and no more. */
export function isDeep(value: JsonValue | undefined, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  if (Array.isArray(value)) return value.some((item) => isDeep(item, levels - 1))
  for (const key in value) if (isDeep(value[key], levels - 1)) return true
  return false
}
