import type { JsonObject, JsonValue } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { metaOf } from './envelope.ts'

/** Of one result. More than anybody follows; what is beyond can still be read when it is listed. */
const MAX_LINKS = 1000
/** Longer than URIs are, short enough that many can be remembered. */
const MAX_URI = 2048

const NONE: readonly string[] = []

/**
 * The URIs that a result of `tools/call` or `prompts/get` points at: resource links, embedded resources, the page of an
 * MCP App (`_meta.ui.resourceUri`, before 2026 `_meta["ui/resourceUri"]`); of a tool definition only the last.
 * Repetitions are left in.
 */
export function linksIn(result: JsonObject): readonly string[] {
  const { _meta, content, messages } = result
  // Most results have none of these, and most content is one block of text.
  if (_meta === undefined && content === undefined && messages === undefined) return NONE
  const found: string[] = []
  addApp(result, found)
  addBlocks(content, found)
  if (Array.isArray(messages)) {
    for (const message of messages) if (isObject(message)) addBlocks(message['content'], found)
  }
  return found.length === 0 ? NONE : found
}

function addApp(result: JsonObject, found: string[]): void {
  const meta = metaOf(result)
  if (!meta) return
  const { ui, 'ui/resourceUri': older } = meta
  if (isObject(ui)) add(ui['resourceUri'], found)
  add(older, found)
}

/** One block, or a list. */
function addBlocks(content: JsonValue | undefined, found: string[]): void {
  if (Array.isArray(content)) for (const block of content) addBlock(block, found)
  else addBlock(content, found)
}

function addBlock(block: JsonValue | undefined, found: string[]): void {
  if (!isObject(block)) return
  const { type, uri, resource } = block
  if (type === 'resource_link') add(uri, found)
  else if (type === 'resource' && isObject(resource)) add(resource['uri'], found)
}

function add(uri: JsonValue | undefined, found: string[]): void {
  if (typeof uri !== 'string' || uri === '' || uri.length > MAX_URI || found.length >= MAX_LINKS) return
  found.push(uri)
}
