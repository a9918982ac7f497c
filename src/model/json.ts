/** JSON values as they travel. Numbers that JavaScript cannot hold exactly are `JSON.rawJSON` objects (protocol/json.ts). */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject
export interface JsonObject {
  [key: string]: JsonValue | undefined
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
