import { isDeep, isObject, type JsonObject, type JsonValue } from '../../model/json.ts'
import { StepError, type StepResult } from './ports.ts'

const MAX_RESULT_BYTES = 10_000_000
/** Templates, schemas and stores walk values, each level in a frame of its own. */
const MAX_DEPTH = 200

/**
 * What templates see of the result of a tool. `output`: its structured content, else its parts by name: `text`, `text_1`,
 * `image_0`, `resource`... Throws `StepError` when the tool says that it failed, or gives more than fits.
 */
export function stepResult(result: JsonObject, maxBytes = MAX_RESULT_BYTES): StepResult {
  const { structuredContent, content: given } = result
  if (bytesOf({ structuredContent, content: given }, maxBytes) > maxBytes) {
    throw new StepError('error', `The result of the tool is larger than ${maxBytes} bytes`)
  }
  if (isDeep(structuredContent, MAX_DEPTH) || isDeep(given, MAX_DEPTH)) {
    throw new StepError('error', `The result of the tool is nested more than ${MAX_DEPTH} levels deep`)
  }
  const content = contentMap(given)
  if (result['isError'] === true) throw new StepError('error', errorOf(given))
  return { output: structuredContent === undefined ? content : structuredContent, content }
}

/** How parts of a kind are called: the first, and those behind it by their number. */
const NAMES: Readonly<Record<string, (count: number) => string>> = {
  text: (count) => (count === 0 ? 'text' : `text_${count}`),
  image: (count) => `image_${count}`,
  audio: (count) => `audio_${count}`,
  resource: (count) => (count === 0 ? 'resource' : `resource_${count}`),
  resource_link: (count) => (count === 0 ? 'resource_link' : `resource_link_${count}`),
}

function contentMap(parts: JsonValue | undefined): JsonObject {
  const map: JsonObject = {}
  const counts = new Map<string, number>()
  for (const part of Array.isArray(parts) ? parts : []) {
    if (!isObject(part) || typeof part['type'] !== 'string') continue
    const { type } = part
    const name = Object.hasOwn(NAMES, type) ? NAMES[type] : undefined
    const value = valueOf(type, part)
    if (!name || value === undefined) continue
    const count = counts.get(type) ?? 0
    counts.set(type, count + 1)
    map[name(count)] = value
  }
  return map
}

/** The text, or the data, of a part; what only points somewhere is given as it is. */
function valueOf(type: string, part: JsonObject): JsonValue | undefined {
  if (type === 'text') return part['text']
  if (type === 'image' || type === 'audio') return part['data']
  if (type !== 'resource') return part
  const { resource } = part
  if (!isObject(resource)) return undefined
  return resource['text'] ?? resource['blob'] ?? resource
}

function errorOf(parts: JsonValue | undefined): string {
  const texts = (Array.isArray(parts) ? parts : []).flatMap((part) =>
    isObject(part) && part['type'] === 'text' && typeof part['text'] === 'string' ? [part['text']] : [],
  )
  const text = texts.join('\n')
  return text === '' ? 'The tool failed and did not say why' : text
}

/** About as many as its JSON has. Counts no further than to `most`. */
export function bytesOf(value: JsonValue | undefined, most = Infinity): number {
  let bytes = 0
  const open: (JsonValue | undefined)[] = [value]
  while (open.length > 0 && bytes <= most) {
    const next = open.pop()
    if (typeof next === 'string') bytes += next.length + 2
    else if (typeof next !== 'object' || next === null) bytes += 5
    else if (Array.isArray(next)) for (const item of next) open.push(item)
    else {
      for (const key in next) {
        bytes += key.length + 4
        open.push(next[key])
      }
    }
  }
  return bytes
}
