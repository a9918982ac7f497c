import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'

const SHOWN = 120

/** A value for people, short. */
export function shown(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text
}

const FIELDS = 5

/** What a value of this schema looks like: `{sha: ..., branch: ...}`. */
export function sketch(schema: JsonObject): string {
  const { properties } = schema
  const names = isObject(properties) ? Object.keys(properties).slice(0, FIELDS) : []
  return names.length === 0 ? '{...}' : `{${names.map((name) => `${name}: ...`).join(', ')}}`
}
