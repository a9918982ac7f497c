import type { Merged } from '../../model/catalogue.ts'
import { isObject, type JsonObject } from '../../model/json.ts'

/**
 * What clients are told of a composite tool when its author says nothing: it only reads when all its tools say so, and it may
 * destroy, and reach the open world, when one of them may. What a tool does not say counts as what the specification takes for
 * granted (2026-07-28, schema, `ToolAnnotations`).
 */
export function derivedHints(tools: Iterable<string>, { tools: entries }: Merged): JsonObject {
  let [readOnly, destructive, open] = [true, false, false]
  for (const name of tools) {
    const annotations = entries.get(name)?.definition['annotations']
    const { readOnlyHint, destructiveHint, openWorldHint } = isObject(annotations) ? annotations : {}
    readOnly &&= readOnlyHint === true
    destructive ||= readOnlyHint !== true && destructiveHint !== false
    open ||= openWorldHint !== false
  }
  return { readOnlyHint: readOnly, destructiveHint: destructive, openWorldHint: open }
}
