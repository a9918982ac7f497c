import { isDeepStrictEqual } from 'node:util'
import type { ListKind } from '../model/catalogue.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { META, metaOf } from './envelope.ts'
import { isRawNumber, parseJson } from './json.ts'
import { LATEST_LEGACY, isBefore } from './revisions.ts'

/** Where a feature stands: a definition of a list, any result, any notification, a content block, or one method's message. */
type Place =
  | ListKind
  | 'result'
  | 'notification'
  | 'block'
  | 'tools/call'
  | 'elicitation/create'
  | 'notifications/progress'

/** Answers with the same object when there is nothing to lower. */
type Lower = (value: JsonObject, revision: string) => JsonObject

interface Row {
  feature: string
  /** The first revision that knows it. */
  since: string
  places: readonly Place[]
  lower: Lower
  /** Nobody stumbles over it: dropped where a message is at hand, no reason to take a large one apart. */
  harmless?: true
}

const DEFINITIONS: readonly Place[] = ['tools', 'prompts', 'resources', 'templates']

/** What clients of older revisions get instead of a feature (mcp-protocol 2.5). Rows of one place apply from top to bottom. */
const ROWS: readonly Row[] = [
  { feature: 'audio content', since: '2025-03-26', places: ['block'], lower: audioAsText },
  { feature: 'tool annotations', since: '2025-03-26', places: ['tools'], lower: without('annotations') },
  {
    feature: 'message of progress',
    since: '2025-03-26',
    places: ['notifications/progress'],
    lower: without('message'),
  },
  { feature: 'resource_link', since: '2025-06-18', places: ['block'], lower: linkAsText },
  { feature: 'structuredContent', since: '2025-06-18', places: ['tools/call'], lower: structureAsText },
  { feature: 'outputSchema', since: '2025-06-18', places: ['tools'], lower: without('outputSchema') },
  { feature: 'title', since: '2025-06-18', places: DEFINITIONS, lower: without('title') },
  { feature: 'title of arguments', since: '2025-06-18', places: ['prompts'], lower: untitledArguments },
  { feature: 'icons', since: '2025-11-25', places: DEFINITIONS, lower: without('icons') },
  { feature: 'icons of links', since: '2025-11-25', places: ['block'], lower: linkWithoutIcons, harmless: true },
  { feature: 'choices with titles', since: '2025-11-25', places: ['elicitation/create'], lower: namedChoices },
  { feature: 'core tasks', since: '2025-11-25', places: ['tools'], lower: without('execution') },
  {
    feature: 'structuredContent of any type',
    since: '2026-07-28',
    places: ['tools/call'],
    lower: (result) => (isRecord(result['structuredContent']) ? result : structureAsText(result)),
  },
  { feature: 'outputSchema of any type', since: '2026-07-28', places: ['tools'], lower: onlyObjectOutput },
  {
    feature: 'result types and cache hints',
    since: '2026-07-28',
    places: ['result'],
    lower: without('resultType', 'ttlMs', 'cacheScope'),
  },
  { feature: 'subscription ids', since: '2026-07-28', places: ['notification'], lower: withoutSubscription },
]

/** What is lowered, and the first revision that needs no lowering. */
export const LOWERED: readonly Pick<Row, 'feature' | 'since'>[] = ROWS

function rowsAt(place: Place): readonly Row[] {
  return ROWS.filter(({ places }) => places.includes(place))
}

const AT: Readonly<Record<Place, readonly Row[]>> = {
  tools: rowsAt('tools'),
  prompts: rowsAt('prompts'),
  resources: rowsAt('resources'),
  templates: rowsAt('templates'),
  result: rowsAt('result'),
  notification: rowsAt('notification'),
  block: rowsAt('block'),
  'tools/call': rowsAt('tools/call'),
  'elicitation/create': rowsAt('elicitation/create'),
  'notifications/progress': rowsAt('notifications/progress'),
}

const IN_RESULTS: readonly Row[] = [...AT.block, ...AT['tools/call'], ...AT.result]

const LAST_CHANGE_IN_RESULTS = IN_RESULTS.filter(({ since, harmless }) => !harmless && !isBefore(LATEST_LEGACY, since))
  .map(({ since }) => since)
  .reduce((latest, since) => (isBefore(latest, since) ? since : latest), '')

/**
 * Whether results of legacy backends may hold what a client of this revision cannot take, so that they must be parsed
 * and lowered. Results of modern backends always must, for legacy clients.
 */
export function needsLowering(revision: string): boolean {
  return isBefore(revision, LAST_CHANGE_IN_RESULTS)
}

/** A result as a client of `revision` may have it: the same object when it already is. */
export function lowerResult(revision: string, method: string, result: JsonObject): JsonObject {
  const lowered = lowerAt('result', revision, result)
  switch (method) {
    case 'tools/call':
      return lowerContent(revision, lowerAt('tools/call', revision, lowered))
    case 'prompts/get':
      return lowerMessages(revision, lowered)
    case 'sampling/createMessage':
      return lowerContent(revision, lowered)
    default:
      return lowered
  }
}

/** A definition of a list. */
export function lowerDefinition(revision: string, kind: ListKind, definition: JsonObject): JsonObject {
  return lowerAt(kind, revision, definition)
}

/** The params of a notification. */
export function lowerNotification(revision: string, method: string, params: JsonObject): JsonObject {
  const lowered = lowerAt('notification', revision, params)
  return method === 'notifications/progress' ? lowerAt(method, revision, lowered) : lowered
}

/** The params of a request to the client. */
export function lowerRequest(revision: string, method: string, params: JsonObject): JsonObject {
  if (method === 'sampling/createMessage') return lowerMessages(revision, params)
  return method === 'elicitation/create' ? lowerAt(method, revision, params) : params
}

function lowerAt(place: Place, revision: string, value: JsonObject): JsonObject {
  let lowered = value
  for (const { since, lower } of AT[place]) if (isBefore(revision, since)) lowered = lower(lowered, revision)
  return lowered
}

function lowerMessages(revision: string, holder: JsonObject): JsonObject {
  return mapList(holder, 'messages', (message) => lowerContent(revision, message))
}

/** `content` is a list of blocks, or one block. */
function lowerContent(revision: string, holder: JsonObject): JsonObject {
  const { content } = holder
  if (!isRecord(content)) return mapList(holder, 'content', (block) => lowerAt('block', revision, block))
  const lowered = lowerAt('block', revision, content)
  return lowered === content ? holder : { ...holder, content: lowered }
}

/** `holder` with every object of the list `member` mapped; the same one when all of them stay. */
function mapList(holder: JsonObject, member: string, map: (item: JsonObject) => JsonObject): JsonObject {
  const list = holder[member]
  if (!Array.isArray(list)) return holder
  let mapped: JsonValue[] | undefined
  for (const [index, item] of list.entries()) {
    if (!isRecord(item)) continue
    const lowered = map(item)
    if (lowered !== item) (mapped ??= [...list])[index] = lowered
  }
  return mapped ? { ...holder, [member]: mapped } : holder
}

function without(...members: readonly string[]): (value: JsonObject) => JsonObject {
  return (value) => {
    if (!members.some((member) => value[member] !== undefined)) return value
    const rest = { ...value }
    for (const member of members) delete rest[member]
    return rest
  }
}

function audioAsText(block: JsonObject, revision: string): JsonObject {
  if (block['type'] !== 'audio') return block
  const { data, mimeType, ...rest } = block
  const format = typeof mimeType === 'string' ? mimeType : 'unknown format'
  const bytes = typeof data === 'string' ? Buffer.byteLength(data, 'base64') : 0
  return { ...rest, type: 'text', text: `[audio, ${format}, ${bytes} bytes: left out, revision ${revision} has none]` }
}

function linkAsText(block: JsonObject): JsonObject {
  if (block['type'] !== 'resource_link') return block
  const { uri, name, title: _1, description: _2, mimeType: _3, size: _4, icons: _5, ...rest } = block
  const target = typeof uri === 'string' ? uri : ''
  const named = typeof name === 'string' && name !== '' && name !== target
  return { ...rest, type: 'text', text: named ? `${name}: ${target}` : target }
}

function linkWithoutIcons(block: JsonObject): JsonObject {
  return block['type'] === 'resource_link' ? without('icons')(block) : block
}

/** Whether a block is the JSON text of `value`. */
function says(block: JsonValue, value: JsonValue): boolean {
  if (!isObject(block) || block['type'] !== 'text' || typeof block['text'] !== 'string') return false
  try {
    return isDeepStrictEqual(parseJson(block['text']), value)
  } catch {
    return false
  }
}

/** Servers repeat structured content as text, as they should; where none is, it must not get lost. */
function structureAsText(result: JsonObject): JsonObject {
  const { structuredContent, ...rest } = result
  if (structuredContent === undefined) return result
  const content = Array.isArray(rest['content']) ? rest['content'] : []
  if (!content.some((block) => says(block, structuredContent)))
    rest['content'] = [...content, { type: 'text', text: JSON.stringify(structuredContent) }]
  return rest
}

function untitledArguments(prompt: JsonObject): JsonObject {
  return mapList(prompt, 'arguments', without('title'))
}

/** Choices of one with titles (`oneOf` of constants) in the spelling of 2025-06-18, `enum` and `enumNames`. */
function namedChoices(params: JsonObject): JsonObject {
  const { requestedSchema } = params
  if (!isRecord(requestedSchema) || !isRecord(requestedSchema['properties'])) return params
  const { properties } = requestedSchema
  const entries = Object.entries(properties).map(([name, field]) => [name, namedChoice(field)] as const)
  if (entries.every(([name, field]) => field === properties[name])) return params
  return { ...params, requestedSchema: { ...requestedSchema, properties: Object.fromEntries(entries) } }
}

function namedChoice(field: JsonValue | undefined): JsonValue | undefined {
  if (!isRecord(field) || field['type'] !== 'string' || !Array.isArray(field['oneOf'])) return field
  const { oneOf, ...rest } = field
  const choices = oneOf.filter(isRecord)
  if (choices.some((choice) => typeof choice['const'] !== 'string')) return field
  const values = choices.map((choice) => choice['const'] ?? null)
  return { ...rest, enum: values, enumNames: choices.map((choice, index) => choice['title'] ?? values[index] ?? null) }
}

/** The common SDK rejects a whole list over one `outputSchema` that is no object. */
function onlyObjectOutput(tool: JsonObject): JsonObject {
  const { outputSchema, ...rest } = tool
  return outputSchema === undefined || (isObject(outputSchema) && outputSchema['type'] === 'object') ? tool : rest
}

function withoutSubscription(params: JsonObject): JsonObject {
  const meta = metaOf(params)
  if (meta?.[META.subscription] === undefined) return params
  const { [META.subscription]: _, ...left } = meta
  if (Object.keys(left).length > 0) return { ...params, _meta: left }
  const { _meta: __, ...rest } = params
  return rest
}

/** Numbers that kept their spelling pass for objects. */
function isRecord(value: unknown): value is JsonObject {
  return isObject(value) && !isRawNumber(value)
}
