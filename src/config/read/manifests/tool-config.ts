import { fileError, warning } from '../../faults.ts'
import {
  asString,
  get,
  getEntries,
  getItems,
  getMap,
  getString,
  list,
  type Located,
  type LocatedMap,
  map,
  type Position,
  put,
  scalar,
} from '../../positions.ts'
import { dangling, find, type ManifestObject, type Manifests } from './objects.ts'

/** What one MCPToolConfig, or the older `tools` list of an MCPServer, asks for. */
interface ToolRules {
  filter: Located[] | undefined
  overrides: LocatedMap
  at: Position
}

const IGNORED_OVERRIDES = new Set(['schema'])

function rulesOf(manifests: Manifests, object: ManifestObject): ToolRules {
  const overrides = map(object.spec.at)
  for (const [tool, entry] of getEntries(object.spec, 'toolsOverride')) {
    const override = map(entry.value.at)
    const renamed = entry.value.kind === 'map' ? entry.value.entries : new Map()
    if (
      renamed.has('name') &&
      renamed.has('newName') &&
      getString(entry.value, 'name') !== getString(entry.value, 'newName')
    ) {
      manifests.faults.push(fileError(entry.at, 'name and newName contradict each other', 'keep one of them'))
    }
    for (const [key, inner] of renamed) {
      if (IGNORED_OVERRIDES.has(key))
        manifests.faults.push(warning(inner.at, `"${key}" of an override is not honoured`))
      else put(override, key === 'newName' ? 'name' : key, inner.value, inner.at)
    }
    put(overrides, tool, entry.value.kind === 'map' ? override : entry.value, entry.at)
  }
  const filter = get(object.spec, 'toolsFilter')
  return { filter: filter?.kind === 'list' ? filter.items : undefined, overrides, at: object.at }
}

/**
 * Resolves every MCPToolConfig: those that `aggregation.tools[]` refers to are filled in (what is written inline
 * wins), those of group members come first and the gateway's own settings see their result.
 */
export function applyToolConfigs(tree: LocatedMap, manifests: Manifests, members: readonly ManifestObject[]): void {
  const entries = getItems(getMap(tree, 'aggregation'), 'tools')
  for (const entry of entries) {
    const reference = getMap(entry, 'toolConfigRef')
    const name = getString(reference, 'name')
    if (entry.kind !== 'map' || !reference || name === undefined) continue
    const config = find(manifests, 'MCPToolConfig', name, undefined)
    if (config) fillIn(entry, rulesOf(manifests, config))
    else manifests.faults.push(dangling(manifests, 'MCPToolConfig', name, reference.at))
  }
  for (const member of members) {
    const rules = memberRules(manifests, member)
    if (rules) applyFirst(tree, member.name, rules)
  }
}

function memberRules(manifests: Manifests, member: ManifestObject): ToolRules | undefined {
  const reference = getMap(member.spec, 'toolConfigRef')
  const name = getString(reference, 'name')
  if (reference && name !== undefined) {
    const config = find(manifests, 'MCPToolConfig', name, member.namespace)
    if (config) return rulesOf(manifests, config)
    manifests.faults.push(dangling(manifests, 'MCPToolConfig', name, reference.at))
    return undefined
  }
  const tools = get(member.spec, 'tools')
  return tools?.kind === 'list' ? { filter: tools.items, overrides: map(tools.at), at: tools.at } : undefined
}

/** The filter counts only when there is none inline; overrides are merged by tool. */
function fillIn(entry: LocatedMap, rules: ToolRules): void {
  if (rules.filter && getItems(entry, 'filter').length === 0) put(entry, 'filter', list(rules.filter, rules.at))
  const overrides = map(rules.at, rules.overrides.entries)
  for (const [tool, inner] of getEntries(entry, 'overrides')) overrides.entries.set(tool, inner)
  if (overrides.entries.size > 0) put(entry, 'overrides', overrides)
}

/** The member's rules act on the server's own names, the gateway's on the names that these make. */
function applyFirst(tree: LocatedMap, workload: string, rules: ToolRules): void {
  const aggregation = getMap(tree, 'aggregation') ?? map(rules.at)
  put(tree, 'aggregation', aggregation, tree.entries.get('aggregation')?.at ?? rules.at)
  const tools = get(aggregation, 'tools')
  if (tools && tools.kind !== 'list') return
  const all = tools ?? list([], rules.at)
  put(aggregation, 'tools', all)
  const existing = all.items.find((item) => getString(item, 'workload') === workload)
  if (existing?.kind !== 'map') {
    const entry = map(rules.at)
    put(entry, 'workload', scalar(workload, rules.at))
    // An entry of its own would show a backend that defaultToolVisibility: deny hides.
    if (getString(aggregation, 'defaultToolVisibility') === 'deny') put(entry, 'excludeAll', scalar(true, rules.at))
    else if (rules.filter) put(entry, 'filter', list(rules.filter, rules.at))
    if (rules.overrides.entries.size > 0) put(entry, 'overrides', rules.overrides)
    all.items.push(entry)
    return
  }
  compose(existing, rules)
}

function compose(entry: LocatedMap, rules: ToolRules): void {
  const outer = new Map(getEntries(entry, 'overrides'))
  const finalName = (middle: string): string => getString(outer.get(middle)?.value, 'name') ?? middle
  const overrides = map(rules.at)
  const settled = new Set<string>()
  for (const [native, inner] of rules.overrides.entries) {
    const middle = getString(inner.value, 'name') ?? native
    const outerEntries = getMapEntries(outer.get(middle)?.value)
    put(overrides, native, map(inner.value.at, [...getMapEntries(inner.value), ...outerEntries]), inner.at)
    settled.add(middle)
  }
  for (const [middle, inner] of outer) if (!settled.has(middle)) overrides.entries.set(middle, inner)
  if (overrides.entries.size > 0) put(entry, 'overrides', overrides)
  if (!rules.filter) return
  const allowed = rules.filter.map((node) => {
    const name = asString(node)
    return name === undefined ? node : scalar(finalName(name), node.at)
  })
  const inline = getItems(entry, 'filter')
  const names = new Set(inline.map(asString))
  const both = inline.length === 0 ? allowed : allowed.filter((node) => names.has(asString(node)))
  // An empty filter would show everything: nothing in common means nothing is shown.
  if (both.length === 0) {
    put(entry, 'excludeAll', scalar(true, rules.at))
    entry.entries.delete('filter')
  } else put(entry, 'filter', list(both, rules.at))
}

const getMapEntries = (node: Located | undefined) => (node?.kind === 'map' ? [...node.entries] : [])
