import type { Located } from '../positions.ts'

interface Definition {
  type: string
  shape?: Record<string, unknown>
  innerType?: unknown
  element?: unknown
  valueType?: unknown
  options?: readonly unknown[]
  getter?: () => unknown
}

const definition = (schema: unknown): Definition | undefined => (schema as { _zod?: { def?: Definition } })?._zod?.def

const KINDS: Readonly<Record<Located['kind'], readonly string[]>> = {
  map: ['object', 'record'],
  list: ['array'],
  scalar: [],
}

/** The part of a schema that a value of this kind would be checked against: wrappers and unions taken off. */
function facing(schema: unknown, kind: Located['kind']): Definition | undefined {
  const def = definition(schema)
  if (def?.innerType) return facing(def.innerType, kind)
  if (def?.getter) return facing(def.getter(), kind)
  if (def?.options) return def.options.map((option) => facing(option, kind)).find((option) => option !== undefined)
  return def && KINDS[kind].includes(def.type) ? def : undefined
}

/** Schemas of the keys that a map may have here; undefined when any key may stand here. */
export const shapeFor = (schema: unknown): Record<string, unknown> | undefined => facing(schema, 'map')?.shape

/** Schema of what lies inside a list, or a map with free keys. */
export function insideOf(schema: unknown, kind: 'list' | 'map'): unknown {
  const def = facing(schema, kind)
  return def?.element ?? def?.valueType
}
