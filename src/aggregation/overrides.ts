import { isObject, type JsonObject } from '../model/json.ts'
import type { ToolOverride, ToolSettings } from '../model/settings.ts'

/** The override of a tool, by the name its backend gives it. */
export function overrideOf(settings: ToolSettings | undefined, native: string): ToolOverride | undefined {
  // Own properties only: a tool may be called `constructor`.
  return settings && Object.hasOwn(settings.overrides, native) ? settings.overrides[native] : undefined
}

/** The definition with description and annotations replaced, field by field; the same object when there is nothing to replace. */
export function applyOverride(definition: JsonObject, override: ToolOverride | undefined): JsonObject {
  if (override?.description === undefined && override?.annotations === undefined) return definition
  const changed: JsonObject = { ...definition }
  if (override.description !== undefined) changed['description'] = override.description
  if (override.annotations !== undefined) {
    const received = definition['annotations']
    changed['annotations'] = { ...(isObject(received) ? received : {}), ...override.annotations }
  }
  return changed
}
