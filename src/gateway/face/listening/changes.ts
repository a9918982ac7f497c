import type { Change } from '../../../model/call.ts'
import type { JsonObject } from '../../../model/json.ts'
import { isObject } from '../../../model/json.ts'

/** The notification for each kind of list, and the field of a modern listen filter that asks for it. */
const NOTICES = [
  { list: 'tools', method: 'notifications/tools/list_changed', filter: 'toolsListChanged' },
  { list: 'prompts', method: 'notifications/prompts/list_changed', filter: 'promptsListChanged' },
  { list: 'resources', method: 'notifications/resources/list_changed', filter: 'resourcesListChanged' },
] as const satisfies { list: keyof Change; method: string; filter: string }[]

export const UPDATED = 'notifications/resources/updated'

/** Methods of the notifications that a change calls for. */
export function noticesOf(change: Change): string[] {
  return NOTICES.filter(({ list }) => change[list]).map(({ method }) => method)
}

export function mergeChanges(a: Change, b: Change): Change {
  return { tools: a.tools || b.tools, prompts: a.prompts || b.prompts, resources: a.resources || b.resources }
}

export const NO_CHANGE: Change = { tools: false, prompts: false, resources: false }

/** What a `subscriptions/listen` request asks for and gets of the lists: the part of its filter that the gateway serves. */
export function acceptedFilter(params: JsonObject): JsonObject | undefined {
  const asked = params['notifications']
  if (!isObject(asked)) return undefined
  const accepted: JsonObject = {}
  for (const { filter } of NOTICES) if (asked[filter] === true) accepted[filter] = true
  return accepted
}

/** The resources or tasks that it asks to hear of, each once; `undefined`: what it says of them is no list of strings. */
export function asksFor(
  member: 'resourceSubscriptions' | 'taskIds',
  params: JsonObject,
): readonly string[] | undefined {
  const asked = params['notifications']
  const uris = isObject(asked) ? asked[member] : undefined
  if (uris === undefined) return []
  if (!Array.isArray(uris) || !uris.every((uri) => typeof uri === 'string')) return undefined
  return [...new Set(uris)]
}

/** The change as far as a listen filter asked for it. */
export function filteredChange(change: Change, accepted: JsonObject): Change {
  const [tools, prompts, resources] = NOTICES.map(({ list, filter }) => change[list] && accepted[filter] === true)
  return { tools: tools === true, prompts: prompts === true, resources: resources === true }
}
